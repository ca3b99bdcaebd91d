"""One transaction of the recorder: what has ended, what starts, and what follows from both."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from django_sched_tasks import admission, operations
from django_sched_tasks.models import ExecutionStatus, SchedulerTask, TaskExecution, transitions
from django_sched_tasks.models.execution import FAILURE_STATUSES
from django_sched_tasks.models.transitions import Claim, Outcome
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

Accepted = tuple[Claim, ResolvedFunction]

LONGEST_DELAY = 366 * 86_400  # seconds; a backoff grows fast


@dataclass(frozen=True, slots=True)
class Group:
    """What is written together."""

    ended: list[Outcome]
    starts: list[Accepted]

    @property
    def is_single(self) -> bool:
        return len(self.ended) + len(self.starts) == 1

    @property
    def can_split(self) -> bool:
        return len(self.ended) + len(self.starts) > 1

    def halves(self) -> list[Group]:
        if self.ended and self.starts:
            return [Group(self.ended, []), Group([], self.starts)]
        middle = max(len(self.ended), len(self.starts)) // 2
        return [Group(self.ended[:middle], self.starts[:middle]), Group(self.ended[middle:], self.starts[middle:])]

    @staticmethod
    def join(groups: Sequence[Group]) -> Group:
        return Group(
            [outcome for group in groups for outcome in group.ended],
            [accepted for group in groups for accepted in group.starts],
        )


@dataclass(slots=True)
class Result:
    """What a group came to: the ids that may be called, the outcomes that were recorded, whether others may go now."""

    started: list[int] = field(default_factory=list)
    ended: list[Outcome] = field(default_factory=list)
    missed: list[Claim] = field(default_factory=list)
    let_in: bool = False


def write(group: Group, now: datetime, using: str) -> Result:
    result = Result()
    with transaction.atomic(using=using):
        if group.ended:
            recorded = [outcome for outcome in group.ended if outcome.is_recorded]
            to_record = [outcome for outcome in group.ended if not outcome.is_recorded]
            result.ended = recorded + (transitions.finish(to_record, using=using) if to_record else [])
            retries = retry_failed(
                [outcome.execution_id for outcome in result.ended if _may_retry(outcome)], now, using
            )
            result.let_in = bool(retries)
        if group.starts:
            _start([claim for claim, _ in group.starts], now, using, result)
    try:
        _follow_up(result, now, using)
    except Exception:  # what is committed stands, and must not be written again; a sweep mends what is left undone
        logger.exception("Runs are recorded, but what follows from it could not be done now")
    return result


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


def retry_failed(ids: Sequence[int], now: datetime, using: str) -> list[TaskExecution]:
    """Queue the next attempt of those failed executions that have retries left.

    The new row takes over the place of the old one under the task's limit, so it need not wait for room.
    """
    if not ids:
        return []
    rows = TaskExecution.objects.using(using).filter(pk__in=ids, attempt__lte=F("max_retries"), task__isnull=False)
    retries = []
    for execution in rows.filter(cancel_requested_at__isnull=True).order_by("pk"):
        run_at = now + timedelta(seconds=retry_delay(execution))
        retry = operations.next_attempt(execution, execution.attempt + 1, run_at, queued_at=now)
        retry.claim_rank = retry.rank
        retries.append(retry)
    TaskExecution.objects.using(using).bulk_create(retries)
    operations.announce_queued(retries, using)
    return retries


def _start(claims: Sequence[Claim], now: datetime, using: str, result: Result) -> None:
    """Mark the claims as running; what has become too late meanwhile is missed instead."""
    for node_id in {claim.node_id for claim in claims}:
        own = [claim for claim in claims if claim.node_id == node_id]
        late = [claim.id for claim in own if claim.is_too_late(now)]
        if late:
            missed = set(transitions.miss(late, node_id, now, using=using))
            result.missed += [claim for claim in own if claim.id in missed]
            _count_missed(missed, using)
        result.started += transitions.start(
            [claim.id for claim in own if claim.id not in late], node_id, now, using=using
        )
    started = set(result.started)
    _note_last_run([claim.task_id for claim in claims if claim.id in started and claim.task_id], now, using)


def _note_last_run(task_ids: Sequence[int], now: datetime, using: str) -> None:
    """The tasks' ``last_run``, one statement for all that started as often in this group.

    Two nodes that start runs of the same tasks at once may deadlock here. That is rare, and the group is then written
    anew, which costs less than a statement in every group to lock the rows in order.
    """
    by_times: dict[int, list[int]] = {}
    for task_id, times in Counter(task_ids).items():
        by_times.setdefault(times, []).append(task_id)
    for times, ids in by_times.items():
        rows = SchedulerTask.objects.using(using).filter(pk__in=sorted(ids))
        rows.update(last_run=now, run_count=F("run_count") + times)


def _count_missed(ids: Collection[int], using: str) -> None:
    rows = TaskExecution.objects.using(using).accounted().filter(pk__in=ids, task__isnull=False)
    for task_id, covers in rows.order_by("task_id").values_list("task_id", "covers"):
        # A planner that has read the count before must read it again.
        counted = {"missed_count": F("missed_count") + covers, "version": F("version") + 1}
        SchedulerTask.objects.using(using).filter(pk=task_id).update(**counted)
