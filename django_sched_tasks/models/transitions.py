"""Every change of an execution's state, and nothing else.

Each is a guarded UPDATE: it names the state, and where it matters the node, that a row must be in, and says which
rows it won. A row that has moved on meanwhile (its node was declared dead, somebody cancelled it) is not touched. All
of them run inside the caller's transaction, lock rows in the order of their ids, and take ``now`` from the caller.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import Case, F, QuerySet, When
from django.db.models.functions import Coalesce

from django_sched_tasks.models import portable, postgresql
from django_sched_tasks.models.bulk import update_rows
from django_sched_tasks.models.execution import (
    BACKFILL_RANK,
    STARTED_STATUSES,
    ExecutionStatus,
    Kind,
    Reason,
    TaskExecution,
)

CLAIM_FIELDS = (
    "id",
    "task_id",
    "task_name",
    "job_id",
    "func",
    "kind",
    "fire_at",
    "run_at",
    "request",
    "attempt",
    "args",
    "kwargs",
    "queue",
    "executor",
    "executor_options",
    "misfire_grace_time",
    "timeout",
    "transactional",
    "handed_back_at",
    "concurrency_key",
    "parent_id",
    "retry_on",
    "headers",
)

_QUEUE, _KIND = CLAIM_FIELDS.index("queue"), CLAIM_FIELDS.index("kind")
_RANK = Case(When(kind=Kind.BACKFILL, then=BACKFILL_RANK - F("priority")), default=-F("priority"))
_QUEUED_ANEW: dict[str, Any] = {
    "status": ExecutionStatus.QUEUED,
    "node": None,
    "message_id": "",
    "dispatched_at": None,
    "claim_rank": _RANK,
}


# Neither of the next two is frozen: making a frozen one of so many fields takes three times as long, at every run.


@dataclass(slots=True)
class Claim:
    """An execution that a node has taken, with all that it needs to run it.

    ``message_id`` is that of the message that a node sends instead of running it itself; a worker's claim has no node.
    """

    id: int
    task_id: int | None
    task_name: str
    job_id: str
    func: str
    kind: str
    fire_at: datetime
    run_at: datetime
    request: str
    attempt: int
    args: list[Any]
    kwargs: dict[str, Any]
    queue: str
    executor: str
    executor_options: dict[str, Any]
    misfire_grace_time: int | None
    timeout: int | None
    transactional: bool
    handed_back_at: datetime | None
    concurrency_key: str
    parent_id: int | None
    retry_on: list[str]
    node_id: uuid.UUID | None
    message_id: str = ""
    headers: dict[str, Any] | None = None

    @property
    def is_enqueued(self) -> bool:
        """Whether Django's task framework has asked for it, which may run its own functions alone."""
        return self.kind == Kind.ENQUEUED

    @property
    def idempotency_key(self) -> str:
        return f"{self.job_id}:{self.kind}:{self.request or self.fire_at.isoformat()}"

    def is_too_late(self, now: datetime) -> bool:
        """Whether it may not start any more; only fire times of a schedule have a grace."""
        if self.misfire_grace_time is None or self.kind != "schedule":
            return False
        return (now - self.run_at).total_seconds() > self.misfire_grace_time


@dataclass(slots=True)
class Room:
    """How many more a node may take of what must not have all of its slots.

    ``queues`` are those with slots of their own; ``backfill`` is None where all may be taken by it.
    """

    queues: dict[str, int] = field(default_factory=dict)
    backfill: int | None = None

    def copy(self) -> Room:
        return Room(dict(self.queues), self.backfill)

    def take(self, queue: str, kind: str) -> bool:
        """Whether one more fits; then it has taken its place."""
        is_backfill = kind == Kind.BACKFILL and self.backfill is not None
        if self.queues.get(queue, 1) <= 0 or (is_backfill and (self.backfill or 0) <= 0):
            return False
        if queue in self.queues:
            self.queues[queue] -= 1
        if is_backfill and self.backfill is not None:
            self.backfill -= 1
        return True

    def narrow(self, rows: Any) -> Any:
        """Of these rows those of which one more would fit."""
        full = [queue for queue, free in self.queues.items() if free <= 0]
        if full:
            rows = rows.exclude(queue__in=full)
        return rows.exclude(kind=Kind.BACKFILL) if self.backfill is not None and self.backfill <= 0 else rows


@dataclass(slots=True, kw_only=True)
class Outcome:
    """How a run ended."""

    execution_id: int
    task_id: int | None
    job_id: str
    node_id: uuid.UUID | None
    status: str
    kind: str = ""
    concurrency_key: str = ""
    reason: str = Reason.NONE.value
    result: Any = None
    error: str = ""
    traceback: str = ""
    output: str = ""
    progress: dict[str, Any] | None = None
    duration: float | None = None
    finished_at: datetime | None = None
    may_retry: bool = True
    is_recorded: bool = False  # its row is finished already, with what the function wrote


def claim(
    node_id: uuid.UUID,
    now: datetime,
    limit: int,
    *,
    using: str,
    executor: str,
    queues: Collection[str] | None = None,
    room: Room | None = None,
    without_funcs: Collection[str] = (),
) -> list[Claim]:
    """queued → claimed, at most ``limit`` of those that are due, in the order of their rank.

    No more are taken than ``room`` has a place for, which is left as it was.
    """
    if connections[using].vendor == "postgresql" and not (room and room.queues):
        backfill = None if room is None else room.backfill
        options: dict[str, Any] = {"executor": executor, "queues": queues, "without_funcs": without_funcs}
        found = postgresql.claim(node_id, now, limit, using=using, backfill=backfill, fields=CLAIM_FIELDS, **options)
        return [Claim(**dict(zip(CLAIM_FIELDS, row, strict=True)), node_id=node_id) for row in found]
    due = TaskExecution.objects.using(using).claimable().filter(run_at__lte=now, executor=executor)
    if queues is not None:
        due = due.filter(queue__in=queues)
    if without_funcs:
        due = due.exclude(func__in=without_funcs)
    due = due.order_by("claim_rank", "run_at", "id").select_for_update(skip_locked=True)
    rows = _within_room(due, limit, Room() if room is None else room.copy())
    _rows(using, (row[0] for row in rows)).update(
        status=ExecutionStatus.CLAIMED, node_id=node_id, claim_rank=None, reason=Reason.NONE
    )
    return [Claim(**dict(zip(CLAIM_FIELDS, row, strict=True)), node_id=node_id) for row in rows]


def _within_room(due: Any, limit: int, room: Room) -> list[tuple[Any, ...]]:
    """Whenever something is found full, the rest is read anew without it: it may stand before all others in order."""
    taken: list[tuple[Any, ...]] = []
    while True:
        rows = room.narrow(due)
        if taken:
            rows = rows.exclude(pk__in=[row[0] for row in taken])
        read = list(rows.values_list(*CLAIM_FIELDS)[: limit - len(taken)])
        fitting = [row for row in read if room.take(row[_QUEUE], row[_KIND])]
        taken += fitting
        if len(fitting) == len(read) or len(taken) >= limit:
            return taken


def hand_back(
    ids: Collection[int], node_id: uuid.UUID, now: datetime, *, using: str, unresolved: bool = False
) -> list[int]:
    """claimed → queued, by the node that claimed them and does not start them."""
    won = _lock(_rows(using, ids).filter(status=ExecutionStatus.CLAIMED, node_id=node_id))
    values: dict[str, Any] = {"status": ExecutionStatus.QUEUED, "node": None, "claim_rank": _RANK}
    if unresolved:
        values["handed_back_at"] = Coalesce(F("handed_back_at"), now)
    _rows(using, won).update(**values)
    return won


def start(ids: Collection[int], node_id: uuid.UUID | None, now: datetime, *, using: str) -> list[int]:
    """claimed → running; only those won may be called.

    A row that is running already counts as won: its node asks again after a commit whose answer got lost, and it
    never asks for one that it has called.
    """
    startable = (ExecutionStatus.CLAIMED, ExecutionStatus.RUNNING)
    won = [pk for pk, status in portable.lock_own(ids, node_id, using=using) if status in startable]
    portable.start(won, now, using=using)
    return won


def dispatch(messages: Mapping[int, str], node_id: uuid.UUID | None, now: datetime, *, using: str) -> list[int]:
    """claimed → dispatched, before the message is sent; ``messages`` are the ids of the messages by execution.

    The row stays the node's until the message has gone out, so that the death of the node in between sends it anew. As
    with starts, one that is dispatched already counts as won.
    """
    sendable = (ExecutionStatus.CLAIMED, ExecutionStatus.DISPATCHED)
    won = _lock(_rows(using, messages).filter(status__in=sendable, node_id=node_id))
    rows = [(pk, ExecutionStatus.DISPATCHED, messages[pk], now) for pk in won]
    update_rows(TaskExecution, ("status", "message_id", "dispatched_at"), rows, using=using)
    return won


def hand_over(ids: Collection[int], node_id: uuid.UUID | None, *, using: str) -> list[int]:
    """The message is out: what is still dispatched is no longer the node's, whose death does not touch it now."""
    won = _lock(_rows(using, ids).filter(status=ExecutionStatus.DISPATCHED, node_id=node_id))
    _rows(using, won).update(node=None)
    return won


def take_back(ids: Collection[int], node_id: uuid.UUID | None, *, using: str) -> list[int]:
    """dispatched → queued: the message could not be sent. Should it have gone out all the same, no worker heeds it."""
    won = _lock(_rows(using, ids).filter(status=ExecutionStatus.DISPATCHED, node_id=node_id))
    _rows(using, won).update(**_QUEUED_ANEW)
    return won


def begin(execution_id: int, message_id: str, worker: str, now: datetime, *, using: str) -> Claim | None:
    """dispatched → running, by the worker that got the message; only the first to ask may call the function."""
    rows = _rows(using, [execution_id]).filter(status=ExecutionStatus.DISPATCHED, message_id=message_id)
    row = _locked(rows).values_list(*CLAIM_FIELDS).first()
    if row is None:
        return None
    _rows(using, [execution_id]).update(
        status=ExecutionStatus.RUNNING, started_at=now, alive_at=now, worker=worker, node=None
    )
    return Claim(**dict(zip(CLAIM_FIELDS, row, strict=True)), node_id=None, message_id=message_id)


def refuse(execution_id: int, message_id: str, now: datetime, *, using: str) -> list[int]:
    """dispatched → queued, by a worker that cannot resolve the function."""
    rows = _rows(using, [execution_id]).filter(status=ExecutionStatus.DISPATCHED, message_id=message_id)
    won = _lock(rows)
    _rows(using, won).update(**_QUEUED_ANEW, handed_back_at=Coalesce(F("handed_back_at"), now))
    return won


def miss(ids: Collection[int], node_id: uuid.UUID | None, now: datetime, *, using: str) -> list[int]:
    """claimed → missed: too late to start."""
    won = _lock(_rows(using, ids).filter(status=ExecutionStatus.CLAIMED, node_id=node_id))
    _rows(using, won).update(status=ExecutionStatus.MISSED, reason=Reason.GRACE, finished_at=now)
    return won


def discard(
    execution_id: int, message_id: str, now: datetime, *, using: str, status: ExecutionStatus, reason: str
) -> list[int]:
    """dispatched → cancelled or missed: its message was revoked or has expired before a worker heeded it."""
    rows = _rows(using, [execution_id]).filter(status=ExecutionStatus.DISPATCHED, message_id=message_id)
    won = _lock(rows)
    _rows(using, won).update(status=status, reason=reason, finished_at=now)
    return won


def fail_unstarted(ids: Collection[int], now: datetime, *, using: str, reason: str, error: str) -> list[int]:
    """queued, claimed or dispatched → failed, without having been called: nobody can run it."""
    unstarted = (ExecutionStatus.QUEUED, ExecutionStatus.CLAIMED, ExecutionStatus.DISPATCHED)
    won = _lock(_rows(using, ids).filter(status__in=unstarted))
    _rows(using, won).update(
        status=ExecutionStatus.FAILED, reason=reason, error=error, finished_at=now, claim_rank=None
    )
    return won


def finish(outcomes: Sequence[Outcome], *, using: str, late: bool = True) -> list[Outcome]:
    """running → how it ended; answers the outcomes that were recorded.

    A row that was declared lost meanwhile takes the truth late, from the node that ran it, unless ``late`` forbids it.
    """
    mine: list[tuple[Outcome, str]] = []
    for node_id in {outcome.node_id for outcome in outcomes}:
        own = {outcome.execution_id: outcome for outcome in outcomes if outcome.node_id == node_id}
        mine += [(own[pk], status) for pk, status in portable.lock_own(own, node_id, using=using)]
    won = [outcome for outcome, status in mine if status in STARTED_STATUSES]
    if late:
        lost = [outcome for outcome, status in mine if status == ExecutionStatus.LOST]
        won += [replace(outcome, reason=Reason.LATE.value) for outcome in lost]
    columns = ("status", "reason", "result", "error", "traceback", "duration", "finished_at")
    update_rows(TaskExecution, columns, [_finish_row(outcome) for outcome in won], using=using)
    # Whoever tells the outcome may know less than the run has told itself: a process that was killed, by its node.
    _tell(
        {outcome.execution_id: outcome.output for outcome in won if outcome.output},
        {outcome.execution_id: outcome.progress for outcome in won if outcome.progress},
        using,
    )
    return won


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcomes that were recorded, and the claims that may be called."""

    ended: list[Outcome]
    started: list[Claim]


def record(
    outcomes: Sequence[Outcome], claims: Sequence[Claim], now: datetime, *, using: str, unless_followed: bool = False
) -> Recorded | None:
    """Finish runs and start others, as :func:`finish` and :func:`start` do, and note the starts at their tasks.

    With ``unless_followed``, on PostgreSQL only, nothing is done and None answered where a task runs after one of the
    runs that ended.
    """
    if connections[using].vendor != "postgresql":
        return Recorded(finish(outcomes, using=using) if outcomes else [], _start_all(claims, now, using))
    by_key = {(outcome.execution_id, outcome.node_id): outcome for outcome in outcomes}
    claim_of = {(claim.id, claim.node_id): claim for claim in claims}
    done = Recorded([], [])
    rows = postgresql.record(list(by_key.values()), claims, now, using=using, unless_followed=unless_followed)
    for what, pk, node_id, reason in rows:
        if what == "followed":
            return None
        if what == "started":
            done.started.append(claim_of[pk, node_id])
            continue
        outcome = by_key[pk, node_id]
        done.ended.append(outcome if outcome.reason == reason else replace(outcome, reason=reason))
    return done


def _start_all(claims: Sequence[Claim], now: datetime, using: str) -> list[Claim]:
    started: list[Claim] = []
    for node_id in {claim.node_id for claim in claims}:
        own = {claim.id: claim for claim in claims if claim.node_id == node_id}
        started += [own[pk] for pk in start(own, node_id, now, using=using)]
    note_starts([claim.task_id for claim in started if claim.task_id is not None], now, using=using)
    return started


def note_starts(task_ids: Iterable[int], now: datetime, *, using: str) -> None:
    """The tasks' ``last_run`` and ``run_count``, one statement for all that started as often in this group.

    Two nodes that start runs of the same tasks at once may deadlock here. That is rare, and the group is then written
    anew, which costs less than a statement in every group to lock the rows in order.
    """
    by_times: dict[int, list[int]] = {}
    for task_id, times in Counter(task_ids).items():
        by_times.setdefault(times, []).append(task_id)
    for times, ids in by_times.items():
        portable.note_starts(ids, times, now, using=using)


def _finish_row(outcome: Outcome) -> tuple[Any, ...]:
    return (
        outcome.execution_id,
        outcome.status,
        outcome.reason,
        outcome.result,
        outcome.error,
        outcome.traceback,
        outcome.duration,
        outcome.finished_at,
    )


def tell(outputs: Mapping[int, str], progress: Mapping[int, Any], *, using: str) -> None:
    """What running executions have printed and how far they are; rows that have ended keep their last word."""
    running = _rows(using, {*outputs, *progress}).filter(status=ExecutionStatus.RUNNING)
    mine = set(_lock(running))
    _tell(
        {pk: text for pk, text in outputs.items() if pk in mine},
        {pk: value for pk, value in progress.items() if pk in mine},
        using,
    )


def _tell(outputs: Mapping[int, str], progress: Mapping[int, Any], using: str) -> None:
    update_rows(TaskExecution, ("output",), sorted(outputs.items()), using=using)
    update_rows(TaskExecution, ("progress",), sorted(progress.items()), using=using)


def release(node_ids: Collection[uuid.UUID], *, using: str) -> list[int]:
    """claimed, or dispatched and not yet handed over → queued for nodes that died: nothing of it has started."""
    unstarted = (ExecutionStatus.CLAIMED, ExecutionStatus.DISPATCHED)
    won = _lock(TaskExecution.objects.using(using).open().filter(status__in=unstarted, node_id__in=node_ids))
    _rows(using, won).update(**_QUEUED_ANEW)
    return won


def lose(
    ids: Collection[int], now: datetime, *, using: str, reason: str, error: str, node_id: uuid.UUID | None = None
) -> list[int]:
    """dispatched or running → lost: whether the function has ended is not known."""
    rows = _rows(using, ids).filter(status__in=STARTED_STATUSES)
    won = _lock(rows if node_id is None else rows.filter(node_id=node_id))
    _rows(using, won).update(status=ExecutionStatus.LOST, reason=reason, error=error, finished_at=now)
    return won


def cancel(rows: QuerySet[TaskExecution], now: datetime, *, using: str, reason: str) -> list[int]:
    """queued, claimed or dispatched → cancelled; of ``rows`` those that have not started.

    A message that is out already finds its execution ended, and no worker heeds it.
    """
    unstarted = (ExecutionStatus.QUEUED, ExecutionStatus.CLAIMED, ExecutionStatus.DISPATCHED)
    won = _lock(rows.using(using).filter(finished_at__isnull=True, status__in=unstarted))
    _rows(using, won).update(status=ExecutionStatus.CANCELLED, reason=reason, finished_at=now, claim_rank=None)
    return won


def call_off(now: datetime, *, using: str, reason: str, error: str) -> list[int]:
    """Whatever is open → cancelled, as in the copy of a database: nothing of it runs here."""
    won = _lock(TaskExecution.objects.using(using).open())
    TaskExecution.objects.using(using).open().update(
        status=ExecutionStatus.CANCELLED, reason=reason, error=error, finished_at=now, claim_rank=None
    )
    return won


def request_cancel(ids: Collection[int], now: datetime, by: str, *, using: str) -> list[int]:
    """Ask that dispatched and running executions end; their state changes once they have."""
    asked = _rows(using, ids).filter(status__in=STARTED_STATUSES, cancel_requested_at__isnull=True)
    won = _lock(asked)
    _rows(using, won).update(cancel_requested_at=now, cancel_requested_by=by)
    return won


def cancel_requested(ids: Collection[int], *, using: str) -> list[int]:
    """Which of these are to end."""
    return list(_rows(using, ids).filter(cancel_requested_at__isnull=False).values_list("pk", flat=True))


def admit(ids: Collection[int], *, using: str) -> list[int]:
    """Let queued executions that waited behind a limit be claimed."""
    won = _lock(_rows(using, ids).waiting())
    _rows(using, won).update(claim_rank=_RANK)
    return won


def _rows(using: str, ids: Iterable[int]) -> Any:
    return TaskExecution.objects.using(using).filter(pk__in=list(ids))


def _locked(rows: Any) -> Any:
    return rows.order_by("pk").select_for_update()


def _lock(rows: Any) -> list[int]:
    return list(_locked(rows).values_list("pk", flat=True))
