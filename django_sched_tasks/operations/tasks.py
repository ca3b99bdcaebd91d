"""What may be done to a task."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F
from django.utils.translation import gettext as _

from django_sched_tasks import database, definitions, signals, triggers
from django_sched_tasks.exceptions import InvalidDefinition, InvalidTrigger, StateConflict
from django_sched_tasks.models import (
    ExecutionStatus,
    Reason,
    SchedulerTask,
    Source,
    TaskExecution,
    TaskStatus,
    transitions,
)
from django_sched_tasks.models.execution import FAILURE_STATUSES, NEVER_RAN, OPEN_STATUSES
from django_sched_tasks.operations.commit import after_commit, let_others_in, locked, plan, task_rows, transact, who
from django_sched_tasks.operations.following import refuse_circle, refuse_unknown

_LIMITS = {"max_instances", "concurrency_key"}


@dataclass(frozen=True, slots=True)
class PauseResult:
    """A paused task; ``changed`` is False where it was so already, ``waiting`` counts what is queued and still runs."""

    task: SchedulerTask
    changed: bool
    waiting: int


def add_task(
    *,
    name: str,
    func: str,
    trigger: str,
    trigger_args: Mapping[str, Any],
    source: str = Source.API,
    user: Any = None,
    now: datetime | None = None,
    **fields: Any,
) -> SchedulerTask:
    """Make a task and plan it.

    Raises:
        InvalidDefinition: by field, whatever is wrong with it.
    """
    using = database.alias()
    given = {"name": name, "func": func, "trigger": trigger, "trigger_args": trigger_args, **fields}
    instant = now or database.now(using)
    cleaned = definitions.clean_new(given, now=instant)
    if source != Source.CODE:  # whose declarations come in any order
        refuse_unknown(trigger, cleaned["trigger_args"], using)

    def work() -> SchedulerTask:
        by = who(user)
        task = SchedulerTask(
            **cleaned, source=source, created_at=instant, updated_at=instant, created_by=by, updated_by=by
        )
        try:
            task.save(using=using, force_insert=True)
        except IntegrityError as error:
            raise _duplicate(cleaned.get("job_id")) from error
        return _plan_followed(task.pk, instant, using)

    task = transact(work, using)
    after_commit(using, signals.task_added, task=task, user=who(user))
    return task


def update_task(
    task_id: int, changes: Mapping[str, Any], *, user: Any = None, now: datetime | None = None
) -> SchedulerTask:
    """Change fields of a task; a change of the *when* takes effect now, and makes a finished task active again.

    Raises:
        SchedulerTask.DoesNotExist: there is no such task.
        InvalidDefinition: by field, whatever is wrong; nothing is changed then.
    """
    using = database.alias()

    def work() -> tuple[SchedulerTask, list[str]]:
        instant = now or database.now(using)
        stored = locked(task_id, using)
        cleaned = definitions.clean_changes(stored, changes, now=instant)
        changed = [name for name, value in cleaned.items() if not definitions.is_same(value, getattr(stored, name))]
        if not changed:
            return stored, []
        values = {name: cleaned[name] for name in changed}
        try:
            task_rows(task_id, using).update(
                **values,
                **_status_by_limit(stored, values, instant),
                **_planned_anew(stored, values),
                updated_at=instant,
                updated_by=who(user),
            )
        except IntegrityError as error:
            raise _duplicate(cleaned.get("job_id")) from error
        if "trigger_args" in changed:
            refuse_unknown(values.get("trigger", stored.trigger), values["trigger_args"], using)
        return _plan_followed(task_id, instant, using), changed

    task, changed = transact(work, using)
    if changed:
        if not _LIMITS.isdisjoint(changed):
            let_others_in(task_id, task.concurrency_key, using)
        after_commit(using, signals.task_updated, task=task, user=who(user), fields=changed)
        if "max_runs" in changed and task.status == TaskStatus.FINISHED and task.has_had_all_runs:
            after_commit(using, signals.task_finished, task=task, user=who(user))
    return task


def pause_task(task_id: int, *, note: str = "", user: Any = None, now: datetime | None = None) -> PauseResult:
    """Stop planning a task; what was due is settled first, and what is queued still runs.

    Raises:
        SchedulerTask.DoesNotExist: there is no such task.
        StateConflict: it has finished, so there is nothing to pause.
    """
    using = database.alias()
    note = definitions.clean_note(note)

    def work() -> PauseResult:
        instant = now or database.now(using)
        stored = locked(task_id, using)
        if stored.status == TaskStatus.FINISHED:
            raise StateConflict(
                _("The task has finished: there is nothing to pause. Give it a trigger with a future first.")
            )
        changed = stored.status != TaskStatus.PAUSED
        task = stored
        if changed or (note and note != stored.pause_note):
            task_rows(task_id, using).update(
                status=TaskStatus.PAUSED, pause_note=note, updated_at=instant, updated_by=who(user)
            )
            task = plan(task_id, instant, using)
        waiting = TaskExecution.objects.using(using).open().filter(task_id=task_id, status=ExecutionStatus.QUEUED)
        return PauseResult(task, changed, waiting.count())

    result = transact(work, using)
    if result.changed:
        after_commit(using, signals.task_paused, task=result.task, user=who(user))
    return result


def resume_task(task_id: int, *, user: Any = None, now: datetime | None = None) -> SchedulerTask:
    """Plan a paused task again, from now on: paused time is not made up.

    Raises:
        SchedulerTask.DoesNotExist: there is no such task.
        StateConflict: it has finished, or has no fire time left.
    """
    using = database.alias()

    def work() -> tuple[SchedulerTask, bool]:
        instant = now or database.now(using)
        stored = locked(task_id, using)
        _require_runs_left(stored)
        if stored.status == TaskStatus.FINISHED:
            raise StateConflict(_("The task has finished. Give it a trigger with a future; that makes it active."))
        if stored.status == TaskStatus.ACTIVE:
            return stored, False
        _require_future(stored, instant)
        task_rows(task_id, using).update(
            status=TaskStatus.ACTIVE, pause_note="", updated_at=instant, updated_by=who(user)
        )
        return plan(task_id, instant, using), True

    task, changed = transact(work, using)
    if changed:
        after_commit(using, signals.task_resumed, task=task, user=who(user))
    return task


def remove_task(task_id: int, *, user: Any = None, now: datetime | None = None) -> None:
    """Delete a task and keep its history: what is queued is cancelled, what is running ends as it would.

    Raises:
        SchedulerTask.DoesNotExist: there is no such task.
    """
    using = database.alias()

    def work() -> tuple[SchedulerTask, list[TaskExecution]]:
        task = locked(task_id, using)
        instant = now or database.now(using)
        rows = TaskExecution.objects.filter(task_id=task_id)
        cancelled = transitions.cancel(rows, instant, using=using, reason=Reason.TASK_REMOVED)
        task_rows(task_id, using).delete()
        return task, list(TaskExecution.objects.using(using).filter(pk__in=cancelled).order_by("pk"))

    task, cancelled = transact(work, using)
    let_others_in(task_id, task.concurrency_key, using)
    for execution in cancelled:
        after_commit(using, signals.execution_finished, execution=execution)
    after_commit(using, signals.task_removed, task=task, user=who(user))


def pause_after_failures(task_ids: Collection[int], *, now: datetime) -> list[int]:
    """Pause those tasks whose latest runs failed as often in a row as ``pause_on_failure`` says.

    A run with its retries counts once, by its last attempt, and not before that has ended.
    """
    rows = SchedulerTask.objects.using(database.alias()).filter(
        pk__in=task_ids, status=TaskStatus.ACTIVE, pause_on_failure__isnull=False
    )
    paused = []
    for task in rows.order_by("pk"):
        errors = latest_failures(task.pk, task.pause_on_failure or 0)
        if len(errors) == task.pause_on_failure:
            note = _("%(count)d failures in a row, the last: %(error)s") % {"count": len(errors), "error": errors[0]}
            pause_task(task.pk, note=note[:255], now=now)
            paused.append(task.pk)
    return paused


def latest_failures(task_id: int, most: int) -> list[str]:
    """The errors of a task's latest runs back to the last one that went well, latest first and at most so many.

    A run with its retries counts once, by its last attempt, and not before that has ended.
    """
    rows = TaskExecution.objects.using(database.alias()).filter(task=task_id).exclude(status__in=NEVER_RAN)
    columns = ("kind", "fire_at", "request", "status", "error")
    seen: set[tuple[object, ...]] = set()
    errors: list[str] = []
    for *run, status, error in rows.order_by("-fire_at", "-attempt").values_list(*columns).iterator(chunk_size=100):
        if tuple(run) in seen:
            continue  # an earlier attempt
        seen.add(tuple(run))
        if status in OPEN_STATUSES:
            continue
        if status not in FAILURE_STATUSES or len(errors) == most:
            break
        errors.append(error)
    return errors[:most]


def _plan_followed(task_id: int, now: datetime, using: str) -> SchedulerTask:
    task = plan(task_id, now, using)
    refuse_circle(task, using)
    return task


def _status_by_limit(stored: SchedulerTask, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What a change of ``max_runs`` makes of the task: with runs left it goes on, with none it finishes."""
    if "max_runs" not in values:
        return {}
    limit = values["max_runs"]
    has_had_all = limit is not None and stored.planned_runs >= limit
    anew: dict[str, Any] = {"version": F("version") + 1}  # a planner that has read the other limit decides again
    if stored.status == TaskStatus.ACTIVE and has_had_all:
        return {**anew, "status": TaskStatus.FINISHED}
    if stored.status == TaskStatus.FINISHED and not has_had_all and _has_future(stored, now):
        return {**anew, "status": TaskStatus.ACTIVE}
    return anew


def _planned_anew(stored: SchedulerTask, values: Mapping[str, Any]) -> dict[str, Any]:
    """A task that stood still for exclusions that could not be read goes on with those that can."""
    return {"planned_trigger": None} if "exclusions" in values and stored.schedule_error else {}


def _require_runs_left(task: SchedulerTask) -> None:
    if task.status != TaskStatus.ACTIVE and task.has_had_all_runs:
        text = _(
            "The task has had all %(count)d runs that max_runs allows. Raise or clear max_runs; that makes a finished "
            "task active."
        )
        raise StateConflict(text % {"count": task.max_runs})


def _has_future(task: SchedulerTask, now: datetime) -> bool:
    try:
        _require_future(task, now)
    except StateConflict:
        return False
    return True


def _require_future(task: SchedulerTask, now: datetime) -> None:
    try:
        trigger = triggers.build(
            task.trigger, task.trigger_args, timezone=task.timezone or settings.TIME_ZONE, anchor=task.anchor
        )
    except InvalidTrigger as error:
        raise StateConflict(_("The trigger of the task is not valid, correct it first: %s") % error) from error
    if not trigger.follows and trigger.next_after(max(now, task.planned_through or now)) is None:
        raise StateConflict(_("The task has no fire time left. Give it a trigger with a future, then resume it."))


def _duplicate(job_id: Any) -> InvalidDefinition:
    text = _("There is a task with the job id %(job_id)r already. Choose another one, or leave it out.")
    return InvalidDefinition({"job_id": text % {"job_id": job_id}})
