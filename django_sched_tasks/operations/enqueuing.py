"""What Django's task framework asks for: executions without a scheduled task, known by the id of their result.

That id is the execution's ``request``, the same for all attempts at it. It is a UUID of version 8 that begins with the
fire time, so the index that begins with task and fire time finds the attempts of a result in a history of any length.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django_sched_tasks import database, signals
from django_sched_tasks.models import ExecutionStatus, Kind, TaskExecution
from django_sched_tasks.operations.commit import after_commit, transact

BACKEND = "backend"  # the name in an execution's headers below which the alias of its backend stands

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def enqueue(
    func: str,
    *,
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    backend: str,
    queue: str,
    priority: int = 0,
    run_after: datetime | None = None,
    policies: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> TaskExecution:
    """Queue one run of a function of Django's task framework, whose arguments the caller has checked.

    It takes part in the caller's transaction: a rollback takes it away again, and no node sees it before the commit.
    ``policies`` are those fields of an execution that a task would say: executor, timeout, retries and the like.
    """
    using = database.alias()

    def work() -> TaskExecution:
        instant = now or database.now(using)
        run_at = instant if run_after is None else max(run_after.astimezone(UTC), instant)
        execution = TaskExecution(
            func=func,
            task_name=name[:128],
            job_id="",
            kind=Kind.ENQUEUED,
            request=_new_id(run_at),
            fire_at=run_at,
            run_at=run_at,
            queued_at=instant,
            status=ExecutionStatus.QUEUED,
            args=list(args),
            kwargs=dict(kwargs),
            queue=queue,
            priority=priority,
            headers={BACKEND: backend},
            **(policies or {}),
        )
        execution.claim_rank = execution.rank
        execution.save(using=using, force_insert=True)
        return execution

    execution = transact(work, using)
    after_commit(using, signals.execution_queued, execution=execution)
    return execution


def enqueued_attempts(result_id: str) -> list[TaskExecution]:
    """The attempts at what was enqueued under this id, the first one first; none where there is no such id."""
    fire_at = _fire_time_of(result_id)
    if fire_at is None:
        return []
    rows = TaskExecution.objects.using(database.alias()).filter(
        task__isnull=True, fire_at=fire_at, kind=Kind.ENQUEUED, request=uuid.UUID(result_id).hex
    )
    return list(rows.order_by("attempt", "pk"))


def _new_id(fire_at: datetime) -> str:
    """60 bits of microseconds since 1970, version and variant, 62 bits of chance."""
    moment = (fire_at - _EPOCH) // _MICROSECOND
    number = (moment >> 12) << 80 | 0x8 << 76 | (moment & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return uuid.UUID(int=number).hex


def _fire_time_of(result_id: str) -> datetime | None:
    try:
        number = uuid.UUID(result_id).int
        return _EPOCH + ((number >> 80) << 12 | (number >> 64 & 0xFFF)) * _MICROSECOND
    except (ValueError, AttributeError, TypeError, OverflowError):  # nothing that could be an id of ours
        return None
