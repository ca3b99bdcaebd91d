"""What Django's task framework calls a task result, told from the executions that stand for it.

An execution is one attempt, a result all attempts at one thing that was enqueued. It is loaded only where that
framework is there.
"""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from django_sched_tasks import operations, payload, registry
from django_sched_tasks.framework import (
    AnyTask,
    AnyTaskContext,
    AnyTaskResult,
    InvalidTask,
    TaskContext,
    TaskError,
    TaskResult,
    TaskResultStatus,
    normalize_json,
)
from django_sched_tasks.models import ExecutionStatus, Reason, TaskExecution
from django_sched_tasks.models.transitions import Claim
from django_sched_tasks.operations.enqueuing import BACKEND

LARGEST_RETURN_VALUE = 65_536  # characters of its JSON
LONGEST_WORKER_ID = 64

_OURS = "django_sched_tasks.exceptions."
_TOLD_BY_STATUS = {
    ExecutionStatus.TIMED_OUT: _OURS + "RunTimedOut",
    ExecutionStatus.CANCELLED: _OURS + "RunCancelled",
    ExecutionStatus.LOST: _OURS + "RunLost",
}
_TOLD_BY_REASON = {
    Reason.UNRESOLVED: _OURS + "FunctionNotFound",
    Reason.NO_EXECUTOR: "django.core.exceptions.ImproperlyConfigured",
}


def result_of(attempts: Sequence[TaskExecution], task: AnyTask | None = None) -> AnyTaskResult:
    """The result that these attempts, the first one first, have come to; ``task`` where the caller has it.

    Raises:
        FunctionNotFound: the site has no such task any more.
    """
    first, last = attempts[0], attempts[-1]
    begun = [attempt for attempt in attempts if attempt.started_at is not None]
    result: AnyTaskResult = TaskResult(
        task=task_of(first) if task is None else task,
        id=first.request,
        status=_status(last),
        enqueued_at=first.queued_at,
        started_at=begun[0].started_at if begun else None,
        last_attempted_at=begun[-1].started_at if begun else None,
        finished_at=last.finished_at,
        args=last.args,
        kwargs=last.kwargs,
        backend=backend_of(first),
        errors=[_error(attempt) for attempt in attempts if _has_failed(attempt)],
        worker_ids=[_worker(attempt) for attempt in begun],
    )
    object.__setattr__(result, "_return_value", last.result)  # as the framework's own backends do: it is frozen
    return result


def task_of(execution: TaskExecution) -> AnyTask:
    """The site's task, with the queue and so on with which it was enqueued."""
    task: AnyTask = registry.resolve(execution.func, enqueued=True).target
    deferred = execution.fire_at if execution.fire_at > execution.queued_at else None
    backend, priority, queue = backend_of(execution), execution.priority, execution.queue
    try:
        return replace(task, backend=backend, priority=priority, queue_name=queue, run_after=deferred)
    except InvalidTask:  # TASKS has changed since then; an old result can be read all the same
        return task


def backend_of(execution: TaskExecution) -> str:
    return str((execution.headers or {}).get(BACKEND, "default"))


def context_of(claim: Claim) -> AnyTaskContext:
    """What a task that wants the context gets: the result as it stands while this attempt runs."""
    attempts = [row for row in operations.enqueued_attempts(claim.request) if row.attempt <= claim.attempt]
    return TaskContext(task_result=result_of(attempts))


def return_value(value: object) -> Any:
    """What a task has returned, as JSON.

    Raises:
        TypeError, ValueError: it is not JSON, or more than an execution can hold.
    """
    value = normalize_json(value)
    if complaint := payload.problem(value):
        raise ValueError(_("What it returned cannot be kept: %s") % complaint)
    size = len(json.dumps(value, ensure_ascii=False))
    if size > LARGEST_RETURN_VALUE:
        text = _("What it returned has %(size)d characters of JSON; %(limit)d are kept. Store it, and return its key.")
        raise ValueError(text % {"size": size, "limit": LARGEST_RETURN_VALUE})
    return value


def _status(last: TaskExecution) -> TaskResultStatus:
    if last.status == ExecutionStatus.SUCCEEDED:
        return TaskResultStatus.SUCCESSFUL
    if last.finished_at is not None:
        return TaskResultStatus.FAILED
    return TaskResultStatus.RUNNING if last.status == ExecutionStatus.RUNNING else TaskResultStatus.READY


def _has_failed(attempt: TaskExecution) -> bool:
    return attempt.finished_at is not None and attempt.status != ExecutionStatus.SUCCEEDED


def _worker(attempt: TaskExecution) -> str:
    return (attempt.worker or str(attempt.node_id or ""))[:LONGEST_WORKER_ID]


def _error(attempt: TaskExecution) -> TaskError:
    text = attempt.traceback or attempt.error or str(attempt.get_status_display())
    return TaskError(exception_class_path=_exception_class(attempt), traceback=text)


def _exception_class(attempt: TaskExecution) -> str:
    """The dotted path of the exception's class: the error in one line has its name, the traceback its module."""
    known = _TOLD_BY_STATUS.get(ExecutionStatus(attempt.status)) or _TOLD_BY_REASON.get(Reason(attempt.reason))
    if known:
        return known
    name = attempt.error.partition(":")[0]
    # A group's own line stands before those of the exceptions in it, and is set off by a bar.
    line = re.compile(rf"^(?: *\| )?((?:[^\W\d][\w<>]*\.)*){re.escape(name)}(?::|$)", re.MULTILINE)
    found = [match[1] for match in line.finditer(attempt.traceback)]
    if found and found[-1]:
        return f"{found[-1]}{name}"
    return f"builtins.{name if hasattr(builtins, name) else 'Exception'}"
