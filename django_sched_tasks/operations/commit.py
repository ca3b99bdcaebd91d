"""What all operations share: one transaction with its retries, the task's lock, and what follows the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from django_sched_tasks import admission, database, planning, signals
from django_sched_tasks.models import SchedulerTask, TaskExecution

T = TypeVar("T")


def transact(work: Callable[[], T], using: str) -> T:
    def transaction_of_its_own() -> T:
        with transaction.atomic(using=using):
            return work()

    return database.retrying(transaction_of_its_own, using=using)


def task_rows(task_id: int, using: str) -> Any:
    return SchedulerTask.objects.using(using).filter(pk=task_id)


def locked(task_id: int, using: str) -> SchedulerTask:
    """The task, its row locked. The first statement writes, so that SQLite locks now instead of failing later."""
    if not task_rows(task_id, using).update(version=F("version")):
        raise SchedulerTask.DoesNotExist(_("There is no task %s.") % task_id)
    return SchedulerTask.objects.using(using).get(pk=task_id)


def plan(task_id: int, now: datetime, using: str) -> SchedulerTask:
    planning.plan(now, using=using, ids=[task_id])
    return SchedulerTask.objects.using(using).get(pk=task_id)


def after_commit(using: str, signal: Any, *, execution: TaskExecution | None = None, **payload: Any) -> None:
    if execution is None:
        sender: type = SchedulerTask
    else:
        sender = TaskExecution
        payload |= {"execution_id": execution.pk, "status": execution.status, "reason": execution.reason}
        payload |= {"task_id": execution.task_id, "job_id": execution.job_id, "kind": execution.kind}

    def send() -> None:
        signals.send(signals.schedule_changed, SchedulerTask)
        signals.send(signal, sender, **payload)

    database.on_commit(send, using=using)


def let_others_in(task_id: int, key: str, using: str) -> None:
    """After the commit, when everybody sees it, count again: somebody may have ended in between."""

    def look_again() -> None:
        admission.admit([task_id], keys=[key], using=using)
        signals.send(signals.schedule_changed, SchedulerTask)

    database.on_commit(look_again, using=using)


def announce_queued(executions: Iterable[TaskExecution], using: str) -> None:
    """Tell, after the commit, of executions that somebody has queued past these operations."""
    for execution in executions:
        after_commit(using, signals.execution_queued, execution=execution)


def tell_request(using: str, execution: TaskExecution, action: str, user: Any, **payload: Any) -> None:
    """Tell, after the commit, that somebody asked something of an execution, and who."""
    payload |= {"action": action, "user": who(user), "task_name": execution.task_name}
    after_commit(using, signals.execution_requested, execution=execution, **payload)


def who(user: Any) -> str:
    if user is None:
        return ""
    name = user if isinstance(user, str) else getattr(user, "get_username", lambda: "")()
    return str(name)[:255]
