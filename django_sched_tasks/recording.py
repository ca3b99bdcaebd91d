"""One transaction about runs: what has ended, what starts, and what follows from both.

The node's recorder writes it for what runs on the node, a worker for what it was sent.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from django.db.models import F
from django.dispatch import Signal

from django_sched_tasks import admission, operations, signals
from django_sched_tasks.models import ExecutionStatus, Reason, SchedulerTask, TaskExecution, transitions
from django_sched_tasks.models.execution import FAILURE_STATUSES
from django_sched_tasks.models.transitions import Claim, Outcome
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

Accepted = tuple[Claim, ResolvedFunction]

LONGEST_DELAY = 366 * 86_400  # seconds; a backoff grows fast
NOT_RECORDED = "Not recorded"


@dataclass(frozen=True, slots=True)
class Group:
    """What is written together.

    ``starts`` are claims to be marked as running, or as dispatched where they have a message; ``sent`` and ``unsent``
    are dispatched claims whose message has gone out, or could not.
    """

    ended: list[Outcome]
    starts: list[Accepted]
    sent: list[Claim] = field(default_factory=list)
    unsent: list[Claim] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.ended or self.starts or self.sent or self.unsent)

    @property
    def is_single(self) -> bool:
        return len(self.ended) + len(self.starts) == 1

    @property
    def can_split(self) -> bool:
        return len(self.ended) + len(self.starts) > 1

    def halves(self) -> list[Group]:
        if self.ended and self.starts:
            return [Group(self.ended, [], self.sent, self.unsent), Group([], self.starts)]
        middle = max(len(self.ended), len(self.starts)) // 2
        return [
            Group(self.ended[:middle], self.starts[:middle], self.sent, self.unsent),
            Group(self.ended[middle:], self.starts[middle:]),
        ]

    @staticmethod
    def join(groups: Sequence[Group]) -> Group:
        return Group(
            [outcome for group in groups for outcome in group.ended],
            [accepted for group in groups for accepted in group.starts],
            [claim for group in groups for claim in group.sent],
            [claim for group in groups for claim in group.unsent],
        )


@dataclass(slots=True)
class Result:
    """What a group came to: the claims that may be called or sent, the outcomes that were recorded, whether others may
    go now.

    Claims and not ids: a node that was given up and has begun anew may hold an execution twice, once by each identity.
    """

    started: list[Claim] = field(default_factory=list)
    ended: list[Outcome] = field(default_factory=list)
    missed: list[Claim] = field(default_factory=list)
    handed_back: list[Claim] = field(default_factory=list)
    let_in: bool = False


def write(group: Group, now: datetime, using: str) -> Result:
    """Commit the group, and do what follows from it."""
    return follow_up(commit(group, now, using), now, using)


def commit(group: Group, now: datetime, using: str) -> Result:
    """Write the group; once it is committed, :func:`follow_up` must come, after what can wait for nothing."""
    result = Result()
    if not _write_at_once(group, now, using, result):
        with transaction.atomic(using=using):
            _write_all(group, now, using, result)
    return result


def follow_up(result: Result, now: datetime, using: str) -> Result:
    """What is committed stands, and must not be written again: this never raises, and a sweep mends what it leaves."""
    try:
        _follow_up(result, now, using)
    except Exception:
        logger.exception("Runs are recorded, but what follows from it could not be done now")
    return result


def _write_at_once(group: Group, now: datetime, using: str, result: Result) -> bool:
    """Where a statement can do it all, as for most groups on PostgreSQL, it is the whole transaction."""
    wrapper = connections[using]
    if wrapper.vendor != "postgresql" or wrapper.in_atomic_block or not _is_plain(group, now):
        return False
    to_record = [outcome for outcome in group.ended if not outcome.is_recorded]
    done = transitions.record(to_record, [claim for claim, _ in group.starts], now, using=using, unless_followed=True)
    if done is None:
        return False
    result.ended = [outcome for outcome in group.ended if outcome.is_recorded] + done.ended
    result.started = done.started
    return True


def _is_plain(group: Group, now: datetime) -> bool:
    """Nothing to try again, to send or to miss; whether something follows is for the database to say."""
    return not (
        group.sent
        or group.unsent
        or any(_may_retry(outcome) for outcome in group.ended)
        or any(claim.message_id or claim.is_too_late(now) for claim, _ in group.starts)
    )


def _write_all(group: Group, now: datetime, using: str, result: Result) -> None:
    to_record = [outcome for outcome in group.ended if not outcome.is_recorded]
    here = _start_elsewhere([claim for claim, _ in group.starts], now, using, result)
    done = transitions.record(to_record, here, now, using=using)
    assert done is not None
    result.ended = [outcome for outcome in group.ended if outcome.is_recorded] + done.ended
    result.started += done.started
    if group.ended:
        retried = retry_failed([outcome.execution_id for outcome in result.ended if _may_retry(outcome)], now, using)
        followers = _queue_followers(result.ended, retried, now, using)
        result.let_in = bool(retried or followers)
    result.handed_back = _settle_messages(group, using)


def _queue_followers(
    ended: Sequence[Outcome], retried: Collection[int], now: datetime, using: str
) -> list[TaskExecution]:
    """Those of the runs that have ended for good; a transactional run has queued its own in its own transaction."""
    ends = [
        operations.Ended(outcome.execution_id, outcome.job_id, outcome.status)
        for outcome in ended
        if not outcome.is_recorded and outcome.execution_id not in retried
    ]
    return operations.queue_followers(ends, now, using=using)


def begin(execution_id: int, message_id: str, worker: str, now: datetime, using: str) -> Claim | None:
    """Mark what a worker was sent as running; None where the message is not, or no longer, the execution's own."""
    with transaction.atomic(using=using):
        claim = transitions.begin(execution_id, message_id, worker, now, using=using)
        if claim is not None and claim.task_id is not None:
            transitions.note_starts([claim.task_id], now, using=using)
    return claim


def give_up(execution: TaskExecution, now: datetime, using: str, *, has_expired: bool) -> Result:
    """A message was thrown away before anybody heeded it: its execution is missed if it has expired, else cancelled."""
    status, reason = ExecutionStatus.CANCELLED, Reason.REQUESTED
    if has_expired:
        status, reason = ExecutionStatus.MISSED, Reason.GRACE
    result = Result()
    with transaction.atomic(using=using):
        pk = execution.pk
        if not transitions.discard(pk, execution.message_id, now, using=using, status=status, reason=reason):
            return result
        if has_expired:
            _count_missed([pk], using)
    outcome = Outcome(
        execution_id=execution.pk,
        task_id=execution.task_id,
        job_id=execution.job_id,
        node_id=None,
        status=status.value,
        kind=execution.kind,
        reason=reason.value,
        concurrency_key=execution.concurrency_key,
    )
    result.ended.append(outcome)
    _follow_up(result, now, using)
    return result


def without_values(outcome: Outcome, error: Exception) -> Outcome:
    """The outcome without what the function gave, for a database that refuses it as it is."""
    return replace(
        outcome,
        status=ExecutionStatus.FAILED.value,
        result=None,
        error=f"{NOT_RECORDED}, the database refused the outcome: {type(error).__name__}",
        traceback="",
        output="",
    )


def announce_start(claim: Claim) -> None:
    if signals.execution_started.receivers:
        _send(signals.execution_started, claim, ExecutionStatus.RUNNING, run_at=claim.run_at)


def announce_dispatch(claim: Claim) -> None:
    if signals.execution_dispatched.receivers:
        _send(signals.execution_dispatched, claim, ExecutionStatus.DISPATCHED)


def announce_return(claims: Iterable[Claim]) -> None:
    if signals.execution_handed_back.receivers:
        for claim in claims:
            _send(signals.execution_handed_back, claim, ExecutionStatus.QUEUED)


def announce_ends(result: Result) -> None:
    if signals.execution_finished.receivers:
        for outcome in result.ended:
            _send(signals.execution_finished, outcome, outcome.status, outcome.reason, duration=outcome.duration)
        for claim in result.missed:
            _send(signals.execution_finished, claim, ExecutionStatus.MISSED, Reason.GRACE)


def _send(signal: Signal, run: Claim | Outcome, status: str, reason: str = "", **more: Any) -> None:
    signals.send(
        signal,
        TaskExecution,
        execution_id=run.id if isinstance(run, Claim) else run.execution_id,
        task_id=run.task_id,
        job_id=run.job_id,
        kind=run.kind,
        status=str(status),
        reason=reason,
        **more,
    )


def _settle_messages(group: Group, using: str) -> list[Claim]:
    """Answers the claims that are in the queue again."""
    taken_back: list[int] = []
    for node_id in {claim.node_id for claim in (*group.sent, *group.unsent)}:
        sent = [claim.id for claim in group.sent if claim.node_id == node_id]
        unsent = [claim.id for claim in group.unsent if claim.node_id == node_id]
        if sent:
            transitions.hand_over(sent, node_id, using=using)
        if unsent:
            taken_back += transitions.take_back(unsent, node_id, using=using)
    return [claim for claim in group.unsent if claim.id in taken_back]


def _follow_up(result: Result, now: datetime, using: str) -> None:
    """After the commit, so that whoever comes to wait for room is either seen here or has seen the room himself."""
    if _let_others_in(result, using):
        result.let_in = True
    failed = [outcome.task_id for outcome in result.ended if outcome.status in FAILURE_STATUSES and outcome.task_id]
    if failed:
        operations.pause_after_failures(failed, now=now)


def _let_others_in(result: Result, using: str) -> list[int]:
    """Whoever waited for a slot that is free now."""
    gone: list[Outcome | Claim] = [*result.ended, *result.missed]
    if not gone:
        return []
    task_ids = {item.task_id for item in gone if item.task_id is not None}
    return admission.admit(task_ids, keys={item.concurrency_key for item in gone}, using=using)


def _may_retry(outcome: Outcome) -> bool:
    failed = outcome.status in (ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT)
    return failed and outcome.may_retry and not outcome.reason


def retry_delay(execution: TaskExecution) -> float:
    """Seconds until the next attempt; chance adds a share of up to ``retry_jitter``."""
    try:
        delay = execution.retry_delay * execution.retry_backoff ** (execution.attempt - 1)
    except OverflowError:
        return LONGEST_DELAY
    return min(delay * (1 + random.random() * execution.retry_jitter), LONGEST_DELAY)


def retry_failed(ids: Sequence[int], now: datetime, using: str) -> set[int]:
    """Queue the next attempt of those failed executions that have retries left; answers which these are.

    The new row takes over the place of the old one under the task's limit, so it need not wait for room.
    """
    if not ids:
        return set()
    rows = TaskExecution.objects.using(using).wanted().filter(pk__in=ids, attempt__lte=F("max_retries"))
    failed = list(rows.filter(cancel_requested_at__isnull=True).order_by("pk"))
    retries = []
    for execution in failed:
        run_at = now + timedelta(seconds=retry_delay(execution))
        retry = operations.next_attempt(execution, execution.attempt + 1, run_at, queued_at=now)
        retry.claim_rank = retry.rank
        retries.append(retry)
    TaskExecution.objects.using(using).bulk_create(retries)
    operations.announce_queued(retries, using)
    return {execution.pk for execution in failed}


def _start_elsewhere(claims: Sequence[Claim], now: datetime, using: str, result: Result) -> list[Claim]:
    """Mark as dispatched what is to be sent, and as missed what has become too late; answers what is left to start."""
    late = [claim for claim in claims if claim.is_too_late(now)]
    if late:
        result.missed = _won(late, lambda ids, node_id: transitions.miss(ids, node_id, now, using=using))
        _count_missed({claim.id for claim in result.missed}, using)
    in_time = [claim for claim in claims if claim not in late] if late else claims
    messages = {claim.id: claim.message_id for claim in in_time if claim.message_id}
    if messages:
        sendable = [claim for claim in in_time if claim.message_id]
        result.started = _won(
            sendable,
            lambda ids, node_id: transitions.dispatch({pk: messages[pk] for pk in ids}, node_id, now, using=using),
        )
    return [claim for claim in in_time if not claim.message_id]


def _won(claims: Sequence[Claim], move: Callable[[list[int], UUID | None], Collection[int]]) -> list[Claim]:
    """Those of the claims whose change of state won, each made in the name of the node that has it."""
    won: list[Claim] = []
    for node_id in {claim.node_id for claim in claims}:
        own = {claim.id: claim for claim in claims if claim.node_id == node_id}
        won += [own[pk] for pk in move(list(own), node_id)]
    return won


def _count_missed(ids: Collection[int], using: str) -> None:
    rows = TaskExecution.objects.using(using).accounted().filter(pk__in=ids, task__isnull=False)
    for task_id, covers in rows.order_by("task_id").values_list("task_id", "covers"):
        # A planner that has read the count before must read it again.
        counted = {"missed_count": F("missed_count") + covers, "version": F("version") + 1}
        SchedulerTask.objects.using(using).filter(pk=task_id).update(**counted)
