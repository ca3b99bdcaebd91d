"""What may be done to an execution, and asked of a task besides its schedule."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

from django_sched_tasks import database, definitions, registry, signals
from django_sched_tasks.exceptions import StateConflict
from django_sched_tasks.models import ExecutionStatus, Kind, Reason, SchedulerTask, TaskExecution, transitions
from django_sched_tasks.operations.commit import (
    after_commit,
    let_others_in,
    locked,
    task_rows,
    tell_request,
    transact,
    who,
)

_OF_EVERY_ATTEMPT = (
    "task_id",
    "task_name",
    "job_id",
    "func",
    "kind",
    "fire_at",
    "request",
    "covers",
    "args",
    "kwargs",
    "overrides",
    "queue",
    "executor",
    "executor_options",
    "priority",
    "concurrency_key",
    "timeout",
    "max_retries",
    "retry_delay",
    "retry_backoff",
    "retry_jitter",
    "retry_on",
    "transactional",
    "on_crash",
    "parent_id",
)


def run_task(
    task_id: int,
    *,
    args: list[Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    idempotency_key: str = "",
    user: Any = None,
    now: datetime | None = None,
) -> TaskExecution:
    """Queue one run of a task, paused or not, for any node to take; ``args`` and ``kwargs`` replace the task's this
    once.

    The same ``idempotency_key`` (64 characters at most) for the same task answers the same execution.

    Raises:
        SchedulerTask.DoesNotExist: there is no such task.
        InvalidDefinition: the arguments do not fit the function, or the key is too long.
        StateConflict: the key was used with other arguments.
    """
    using = database.alias()
    key = definitions.clean_idempotency_key(idempotency_key)
    overrides = {name: value for name, value in (("args", args), ("kwargs", kwargs)) if value is not None}

    def work() -> tuple[TaskExecution, bool]:
        instant = now or database.now(using)
        task = locked(task_id, using)
        if key and (earlier := _earlier_request(task, key, using)):
            if (earlier.overrides or {}) != overrides:
                raise StateConflict(
                    _("This Idempotency-Key was used for this task with other arguments. Use a new key.")
                )
            return earlier, False
        if overrides:
            registry.check_arguments(
                registry.check(task.func), overrides.get("args", task.args), overrides.get("kwargs", task.kwargs)
            )
        execution = _queue(task, _request(task, key or uuid.uuid4().hex, overrides, instant, who(user)), using)
        return execution, True

    execution, created = transact(work, using)
    if created:
        after_commit(using, signals.execution_queued, execution=execution)
        tell_request(using, execution, "run", user)
    return execution


def retry_execution(execution_id: int, *, user: Any = None, now: datetime | None = None) -> TaskExecution:
    """Queue a further attempt at what a finished execution stood for, with the arguments that it had.

    Raises:
        TaskExecution.DoesNotExist: there is no such execution.
        StateConflict: it has not ended, a later attempt is open, or its task is deleted.
    """
    using = database.alias()

    def work() -> TaskExecution:
        instant = now or database.now(using)
        execution = TaskExecution.objects.using(using).get(pk=execution_id)
        if execution.task_id is None:
            raise StateConflict(_("The task of this execution is deleted, so it cannot run again."))
        task = locked(execution.task_id, using)
        execution.refresh_from_db(using=using)
        attempts = TaskExecution.objects.using(using).filter(
            task_id=task.pk, kind=execution.kind, fire_at=execution.fire_at, request=execution.request
        )
        if attempts.open().exists():
            raise StateConflict(_("This execution, or a later attempt at it, has not ended yet."))
        latest = attempts.order_by("-attempt").values_list("attempt", flat=True)[0]
        return _queue(task, next_attempt(execution, latest + 1, instant, who(user)), using)

    execution = transact(work, using)
    after_commit(using, signals.execution_queued, execution=execution)
    tell_request(using, execution, "retry", user)
    return execution


def cancel_execution(execution_id: int, *, user: Any = None, now: datetime | None = None) -> TaskExecution:
    """Cancel an execution that has not started.

    Raises:
        TaskExecution.DoesNotExist: there is no such execution.
        StateConflict: it has started or ended.
    """
    using = database.alias()

    def work() -> TaskExecution:
        instant = now or database.now(using)
        rows = TaskExecution.objects.using(using).filter(pk=execution_id)
        won = transitions.cancel(rows, instant, using=using, reason=Reason.REQUESTED)
        execution = rows.get()
        if not won:
            raise StateConflict(
                _("The execution is %(status)s: only one that has not started can be cancelled.")
                % {"status": execution.get_status_display()}
            )
        return execution

    execution = transact(work, using)
    tell_request(using, execution, "cancel", user)
    if execution.task_id is not None:
        let_others_in(execution.task_id, execution.concurrency_key, using)
    after_commit(using, signals.execution_finished, execution=execution)
    return execution


def next_attempt(
    execution: TaskExecution,
    attempt: int,
    run_at: datetime,
    requested_by: str = "",
    *,
    queued_at: datetime | None = None,
) -> TaskExecution:
    """The row, not saved yet, of a further attempt at what ``execution`` stands for."""
    kept = {name: getattr(execution, name) for name in _OF_EVERY_ATTEMPT}
    return TaskExecution(
        **kept,
        attempt=attempt,
        run_at=run_at,
        queued_at=queued_at or run_at,
        status=ExecutionStatus.QUEUED,
        requested_by=requested_by or execution.requested_by,
    )


def _request(
    task: SchedulerTask, request: str, overrides: dict[str, Any], instant: datetime, requested_by: str
) -> TaskExecution:
    taken_over = [
        "job_id",
        "func",
        "queue",
        "executor",
        "executor_options",
        "priority",
        "concurrency_key",
        "timeout",
        "max_retries",
        "retry_delay",
        "retry_backoff",
        "retry_jitter",
        "retry_on",
        "transactional",
        "on_crash",
    ]
    return TaskExecution(
        task=task,
        task_name=task.name,
        kind=Kind.MANUAL,
        fire_at=instant,
        run_at=instant,
        queued_at=instant,
        request=request,
        status=ExecutionStatus.QUEUED,
        args=overrides.get("args", task.args),
        kwargs=overrides.get("kwargs", task.kwargs),
        overrides=overrides or None,
        requested_by=requested_by,
        **{name: getattr(task, name) for name in taken_over},
    )


def _earlier_request(task: SchedulerTask, key: str, using: str) -> TaskExecution | None:
    rows = TaskExecution.objects.using(using).filter(task=task, kind=Kind.MANUAL, request=key)
    # MariaDB's usual collations take "abc", "ABC" and "abc " for the same.
    return next((row for row in rows.order_by("attempt") if row.request == key), None)


def _queue(task: SchedulerTask, execution: TaskExecution, using: str) -> TaskExecution:
    """Save an execution that nobody has planned; where its task's limit is reached it waits.

    The task's row is locked and its version moved on, so a planner that has counted before counts anew.
    """
    task_rows(task.pk, using).update(version=F("version") + 1)
    if not execution.concurrency_key and _has_room(task, using):
        execution.claim_rank = -execution.priority
    execution.save(using=using, force_insert=True)
    let_others_in(task.pk, execution.concurrency_key, using)
    return execution


def _has_room(task: SchedulerTask, using: str) -> bool:
    if task.max_instances is None:
        return True
    return TaskExecution.objects.using(using).open().filter(task=task).count() < task.max_instances
