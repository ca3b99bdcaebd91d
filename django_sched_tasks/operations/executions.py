"""What may be done to an execution, and asked of a task besides its schedule."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

from django_sched_tasks import database, definitions, hooks, registry, signals
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

# What a request takes over from its task, as it stands then.
_TAKEN_OVER = (
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
)

# What a further attempt has of the one before.
_OF_EVERY_ATTEMPT = (
    "task_id",
    "task_name",
    "kind",
    "fire_at",
    "request",
    "covers",
    "args",
    "kwargs",
    "overrides",
    "parent_id",
    "headers",
    *_TAKEN_OVER,
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

    def work() -> tuple[TaskExecution, bool]:
        instant = now or database.now(using)
        task = locked(task_id, using)
        overrides = _overrides(task, args, kwargs)
        if key and (earlier := _earlier_request(task, key, using)):
            if (earlier.overrides or {}) != overrides:
                raise StateConflict(
                    _("This Idempotency-Key was used for this task with other arguments. Use a new key.")
                )
            return earlier, False
        _check_overrides(task, overrides)
        request = new_request(
            task,
            Kind.MANUAL,
            key or uuid.uuid4().hex,
            instant,
            overrides=overrides,
            requested_by=who(user),
            headers=hooks.gather(),
        )
        return _queue(task, request, using), True

    execution, created = transact(work, using)
    if created:
        after_commit(using, signals.execution_queued, execution=execution)
        tell_request(using, execution, "run", user)
    return execution


def retry_execution(
    execution_id: int,
    *,
    args: list[Any] | None = None,
    kwargs: dict[str, Any] | None = None,
    user: Any = None,
    now: datetime | None = None,
) -> TaskExecution:
    """Queue a further attempt at what a finished execution stood for, with the arguments that it had, or others.

    Raises:
        TaskExecution.DoesNotExist: there is no such execution.
        InvalidDefinition: the arguments that were given do not fit the function.
        StateConflict: it has not ended, a later attempt is open, or its task is deleted.
    """
    using = database.alias()

    def work() -> TaskExecution:
        instant = now or database.now(using)
        rows = TaskExecution.objects.using(using)
        execution = rows.get(pk=execution_id)
        if not execution.is_wanted:
            raise StateConflict(_("The task of this execution is deleted, so it cannot run again."))
        task = None if execution.task_id is None else locked(execution.task_id, using)
        attempts = rows.attempts_at(execution)
        if task is None:
            attempts.update(covers=F("covers"))  # there is no task to lock: its attempts are
        execution.refresh_from_db(using=using)
        if attempts.open().exists():
            raise StateConflict(_("This execution, or a later attempt at it, has not ended yet."))
        latest = attempts.order_by("-attempt").values_list("attempt", flat=True)[0]
        retry = next_attempt(execution, latest + 1, instant, who(user))
        retry.headers = {**(retry.headers or {}), **(hooks.gather() or {})} or None
        if overrides := _overrides(execution, args, kwargs):
            _check_overrides(execution, overrides)
            retry.args, retry.kwargs = overrides.get("args", retry.args), overrides.get("kwargs", retry.kwargs)
            retry.overrides = {**(retry.overrides or {}), **overrides}
        return _queue_alone(retry, using) if task is None else _queue(task, retry, using)

    execution = transact(work, using)
    after_commit(using, signals.execution_queued, execution=execution)
    tell_request(using, execution, "retry", user)
    return execution


def _overrides(
    base: SchedulerTask | TaskExecution, args: list[Any] | None, kwargs: dict[str, Any] | None
) -> dict[str, Any]:
    """The arguments that were given in place of those that ``base`` has."""
    given = {name: value for name, value in (("args", args), ("kwargs", kwargs)) if value is not None}
    return registry.restored_arguments(base.func, given, base.args, base.kwargs, enqueued=_is_enqueued(base))


def _is_enqueued(base: SchedulerTask | TaskExecution) -> bool:
    return isinstance(base, TaskExecution) and base.is_enqueued


def _check_overrides(base: SchedulerTask | TaskExecution, overrides: dict[str, Any]) -> None:
    if overrides:
        function = registry.check(base.func, enqueued=_is_enqueued(base))
        registry.check_arguments(function, overrides.get("args", base.args), overrides.get("kwargs", base.kwargs))


def cancel_execution(execution_id: int, *, user: Any = None, now: datetime | None = None) -> TaskExecution:
    """Cancel an execution that has not started; ask one that runs to end.

    A running one is answered with ``cancel_requested_at``; it is ``cancelled`` once it has ended because of that, and
    may also end as it would have. Asking again changes nothing.

    Raises:
        TaskExecution.DoesNotExist: there is no such execution.
        StateConflict: it has ended.
    """
    using = database.alias()

    def work() -> TaskExecution:
        instant = now or database.now(using)
        rows = TaskExecution.objects.using(using).filter(pk=execution_id)
        won = transitions.cancel(rows, instant, using=using, reason=Reason.REQUESTED)
        if not won:
            transitions.request_cancel([execution_id], instant, who(user), using=using)
        execution = rows.get()
        if execution.finished_at is not None and not won:
            raise StateConflict(
                _("The execution has ended, it is %(status)s: there is nothing to cancel.")
                % {"status": execution.get_status_display()}
            )
        return execution

    execution = transact(work, using)
    tell_request(using, execution, "cancel", user)
    if execution.finished_at is None:
        return execution
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


def new_request(
    task: SchedulerTask,
    kind: Kind,
    request: str,
    instant: datetime,
    *,
    fire_at: datetime | None = None,
    overrides: dict[str, Any] | None = None,
    requested_by: str = "",
    headers: dict[str, Any] | None = None,
) -> TaskExecution:
    """The row, not saved yet, of a run that somebody asks for at ``instant``, with what the task has now."""
    given = overrides or {}
    return TaskExecution(
        task=task,
        task_name=task.name,
        kind=kind,
        fire_at=fire_at or instant,
        run_at=instant,
        queued_at=instant,
        request=request,
        status=ExecutionStatus.QUEUED,
        args=given.get("args", task.args),
        kwargs=given.get("kwargs", task.kwargs),
        overrides=overrides or None,
        requested_by=requested_by,
        headers=headers,
        **{name: getattr(task, name) for name in _TAKEN_OVER},
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
        execution.claim_rank = execution.rank
    execution.save(using=using, force_insert=True)
    let_others_in(task.pk, execution.concurrency_key, using)
    return execution


def _queue_alone(execution: TaskExecution, using: str) -> TaskExecution:
    """Save an execution that no task limits."""
    execution.claim_rank = execution.rank
    execution.save(using=using, force_insert=True)
    return execution


def _has_room(task: SchedulerTask, using: str) -> bool:
    if task.max_instances is None:
        return True
    return TaskExecution.objects.using(using).open().filter(task=task).count() < task.max_instances
