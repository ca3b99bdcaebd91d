"""Where Django's admin is installed: its history tells who did what to a task, whatever face it came through.

Receivers of our own signals, so API, admin, commands and code are all heard, after their commit. A name that is no
user's, such as a program's, leaves no entry, and neither does the engine, which has no name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.dispatch import Signal
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from django_sched_tasks import exclusions, signals
from django_sched_tasks.models import SchedulerState, SchedulerTask, TaskExecution

Message = str | list[dict[str, Any]]

ADDED, CHANGED, DELETED = 1, 2, 3  # the flags of the admin's history, whose module may be imported only later


def connect() -> None:
    receivers: dict[Signal, Callable[..., None]] = {
        signals.task_added: _on_added,
        signals.task_updated: _on_updated,
        signals.task_paused: _on_paused,
        signals.task_resumed: _on_resumed,
        signals.task_removed: _on_removed,
        signals.execution_requested: _on_requested,
        signals.state_changed: _on_state_changed,
    }
    for signal, receiver in receivers.items():
        signal.connect(receiver, dispatch_uid=__name__)


def _on_added(task: SchedulerTask, user: str, **_payload: Any) -> None:
    _write(user, task, ADDED, [{"added": {}}])


def _on_updated(task: SchedulerTask, user: str, fields: Iterable[str], **_payload: Any) -> None:
    # As the admin's own forms write it, so that it is told in its reader's language.
    names = [_in_english(task._meta.get_field(name)) for name in fields]
    _write(user, task, CHANGED, [{"changed": {"fields": names}}])


def _on_paused(task: SchedulerTask, user: str, **_payload: Any) -> None:
    _write(user, task, CHANGED, _("Paused. %s") % task.pause_note if task.pause_note else _("Paused."))


def _on_resumed(task: SchedulerTask, user: str, **_payload: Any) -> None:
    _write(user, task, CHANGED, _("Resumed."))


def _on_removed(task: SchedulerTask, user: str, **_payload: Any) -> None:
    _write(user, task, DELETED, "")


def _on_requested(
    *, execution_id: int, task_id: int | None, user: str, action: str, task_name: str, count: int = 1, **_others: Any
) -> None:
    about: Any = TaskExecution(pk=execution_id, task_name=task_name)
    if task_id is not None:
        about = SchedulerTask(pk=task_id, name=task_name)
    texts = {
        "run": _("Run now: execution #%d.") % execution_id,
        "retry": _("Retried: execution #%d.") % execution_id,
        "cancel": _("Cancelled: execution #%d.") % execution_id,
        "backfill": ngettext("Backfilled: %d execution.", "Backfilled: %d executions.", count) % count,
    }
    _write(user, about, CHANGED, texts[action])


def _on_state_changed(action: str, state: SchedulerState, user: str, **_payload: Any) -> None:
    texts = {
        "exclusions": _("Excluded for all tasks: %s.")
        % ("; ".join(exclusions.describe(state.exclusions)) or _("nothing")),
        "maintenance_started": _("Maintenance until %(until)s. %(note)s")
        % {"until": state.maintenance_until, "note": state.maintenance_note},
        "maintenance_ended": _("Maintenance ended."),
        "environment_confirmed": _("The database belongs to the environment “%s” now.") % state.environment,
    }
    _write(user, state, CHANGED, texts[action].strip())


def _in_english(field: Any) -> str:
    with override(None):
        return capfirst(str(field.verbose_name))


def _write(username: str, about: Any, flag: int, message: Message) -> None:
    from django.contrib.admin.models import LogEntry  # noqa: PLC0415 - only where the admin is installed

    if not username:
        return
    users = get_user_model()
    user = users._default_manager.filter(**{users.USERNAME_FIELD: username}).first()
    if user is not None:
        LogEntry.objects.log_actions(
            user_id=user.pk, queryset=[about], action_flag=flag, change_message=message, single_object=True
        )
