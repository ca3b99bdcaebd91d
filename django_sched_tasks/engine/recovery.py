"""What dead nodes leave behind: claims go back, runs are told as lost or run again, waiting ones are let in."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from django_sched_tasks import admission, conf, database, operations, signals
from django_sched_tasks.engine import process
from django_sched_tasks.engine.node import Node
from django_sched_tasks.engine.session import SessionLock
from django_sched_tasks.executors.dispatching import DISPATCH_TIMEOUT
from django_sched_tasks.models import (
    ExecutionStatus,
    NodeState,
    OnCrash,
    Reason,
    SchedulerNode,
    TaskExecution,
    transitions,
)
from django_sched_tasks.models.execution import STARTED_STATUSES

logger = logging.getLogger(__name__)

# A function that brings its process down each time must not do so for ever.
CRASH_RETRIES = 3


def recover(
    node: Node,
    now: datetime,
    *,
    by_timeout: bool = True,
    session: SessionLock | None = None,
    others: Sequence[SchedulerNode] | None = None,
) -> bool:
    """Clean up after nodes that died; answers whether anything may run now that could not before. ``others`` are the
    live nodes besides this one, where they have just been read.

    A node of this machine whose process is gone is dead at once. Others are when they have been silent for
    ``NODE_TIMEOUT`` by the database's clock, unless ``by_timeout`` forbids to judge by that; on PostgreSQL earlier,
    when the lock of their ``session`` is gone as well.
    """
    changed = False
    if others is None:
        others = node.others()
    for dead in _dead_nodes(others, now, by_timeout=by_timeout, session=session):
        changed = _bury(dead, now, node.using) or changed
    if changed:
        admission.admit_all(using=node.using)
    return changed


def sweep(node: Node, now: datetime, *, by_timeout: bool = True) -> bool:
    """Mend what no single event mends: a follow-up that a crash cut off, an executor that no node has any more, what a
    node took between its burial and its noticing, what workers outside the nodes never started or ended.
    """
    if not _has_to_mend(node, now):
        return False
    changed = _fail_without_executor(node, now)
    changed = _finish_burials(node, now) or changed
    if by_timeout:
        changed = _lose_elsewhere(node, now) or changed
    return bool(admission.admit_all(using=node.using)) or changed


def _has_to_mend(node: Node, now: datetime) -> bool:
    """One question for all that a sweep looks after; on an idle site nothing of it is there."""
    patience = now - timedelta(seconds=conf.node_timeout())
    waits = Q(status=ExecutionStatus.QUEUED, claim_rank__isnull=True) & ~Q(reason=Reason.COALESCING)
    is_left = Q(claim_rank__isnull=False, run_at__lt=patience)
    is_elsewhere = Q(node__isnull=True, status__in=STARTED_STATUSES)
    is_buried = Q(node__state__in=(NodeState.DEAD, NodeState.STOPPED))
    rows = TaskExecution.objects.using(node.using).open()
    return rows.filter(waits | is_left | is_elsewhere | is_buried).exists()


def _dead_nodes(
    others: Sequence[SchedulerNode], now: datetime, *, by_timeout: bool, session: SessionLock | None
) -> list[SchedulerNode]:
    silent_since = now - timedelta(seconds=conf.node_timeout())
    cut_off = _cut_off(others, now, session) if by_timeout else set()
    return [
        other
        for other in others
        if process.is_gone(other.machine, other.pid, other.pid_started)
        or other.pk in cut_off
        or (by_timeout and other.heartbeat_at < silent_since)
    ]


def _cut_off(others: Sequence[SchedulerNode], now: datetime, session: SessionLock | None) -> set[uuid.UUID]:
    """Nodes that have missed two signs of life and whose session has ended, as far as our own can tell."""
    quiet_since = now - timedelta(seconds=2 * conf.heartbeat_interval())
    quiet = [other.pk for other in others if other.has_session_lock and other.heartbeat_at < quiet_since]
    if session is None or not quiet or session.unbroken_for < conf.node_timeout():
        return set()
    return session.gone(quiet)


def _bury(dead: SchedulerNode, now: datetime, using: str) -> bool:
    def work() -> list[TaskExecution] | None:
        with transaction.atomic(using=using):
            rows = SchedulerNode.objects.using(using).live().filter(pk=dead.pk, heartbeat_at=dead.heartbeat_at)
            if not rows.update(state=NodeState.DEAD, stopped_at=now, slots_in_use=0, stuck_slots=0):
                return None  # another node was faster, or it has given a sign of life
            transitions.release([dead.pk], using=using)
            return lose_runs(_runs_of(dead, using), now, using, reason=Reason.NODE_DIED)

    lost = database.retrying(work, using=using)
    if lost is None:
        return False
    logger.warning("Node %s (%s) is dead; %d of its runs are lost.", dead.pk, dead, len(lost))
    after_losing(lost, now)
    return True


def _finish_burials(node: Node, now: datetime) -> bool:
    """What is open under a buried name: its claims go back, its runs are lost unless their process lives on."""
    using = node.using
    held = TaskExecution.objects.using(using).open().filter(node__isnull=False).order_by()
    names = list(held.values_list("node", flat=True).distinct())
    buried = SchedulerNode.objects.using(using).filter(pk__in=names, state__in=(NodeState.DEAD, NodeState.STOPPED))
    changed = False
    for dead in buried:
        changed = _clear(dead, now, using) or changed
    return changed


def _clear(dead: SchedulerNode, now: datetime, using: str) -> bool:
    process_of = SchedulerNode.objects.using(using).live().filter(machine=dead.machine, pid=dead.pid)
    lives_on = bool(dead.pid_started) and process_of.filter(pid_started=dead.pid_started).exists()
    with transaction.atomic(using=using):
        released = transitions.release([dead.pk], using=using)
        lost = [] if lives_on else lose_runs(_runs_of(dead, using), now, using, reason=Reason.NODE_DIED)
    after_losing(lost, now)
    return bool(released or lost)


def _runs_of(dead: SchedulerNode, using: str) -> QuerySet[TaskExecution]:
    return TaskExecution.objects.using(using).open().filter(node_id=dead.pk, status__in=STARTED_STATUSES)


def _lose_elsewhere(node: Node, now: datetime) -> bool:
    """Runs outside the nodes: no worker has started them in time, or theirs gives no sign of life."""
    rows = TaskExecution.objects.using(node.using).open().filter(node__isnull=True)
    silent_since = now - timedelta(seconds=conf.node_timeout())
    lost: list[TaskExecution] = []
    for run in rows.filter(status=ExecutionStatus.RUNNING, alive_at__lt=silent_since).order_by("pk"):
        error = f"Its worker {run.worker} has given no sign of life for {conf.node_timeout():.0f} s."
        lost += _lose_one(run, now, node.using, error)
    for run in rows.filter(status=ExecutionStatus.DISPATCHED).order_by("pk").iterator():
        patience = _dispatch_timeout(run)
        if run.dispatched_at is not None and now - run.dispatched_at > timedelta(seconds=patience):
            error = f"No worker has started it within {patience:.0f} s: its message is lost, or nobody takes it."
            lost += _lose_one(run, now, node.using, error)
    after_losing(lost, now)
    return bool(lost)


def _dispatch_timeout(run: TaskExecution) -> float:
    """Seconds: as its own options say, else those of its executor."""
    given = run.executor_options.get("dispatch_timeout")
    if not isinstance(given, int | float):
        given = conf.executors().get(run.executor, {}).get("OPTIONS", {}).get("dispatch_timeout", DISPATCH_TIMEOUT)
    return float(given)


def _lose_one(run: TaskExecution, now: datetime, using: str, error: str) -> list[TaskExecution]:
    def work() -> list[TaskExecution]:
        with transaction.atomic(using=using):
            still = TaskExecution.objects.using(using).filter(pk=run.pk, status=run.status, alive_at=run.alive_at)
            return lose_runs(still, now, using, reason=Reason.NONE, error=error)

    logger.warning("Execution %s of %s is lost: %s", run.pk, run.task_name, error)
    return database.retrying(work, using=using)


def lose_runs(
    runs: Iterable[TaskExecution], now: datetime, using: str, *, reason: Reason, error: str = ""
) -> list[TaskExecution]:
    """Tell started runs as lost and queue those that are to run again, in the caller's transaction.

    ``error`` says why in words; the reason's own unless given.
    """
    executions = list(runs)
    ids = [run.pk for run in executions]
    won = set(transitions.lose(ids, now, using=using, reason=reason, error=error or str(reason.label)))
    lost = [execution for execution in executions if execution.pk in won]
    retries = []
    for execution in lost:
        execution.status, execution.reason = ExecutionStatus.LOST, reason
        if _runs_again(execution):
            retry = operations.next_attempt(execution, execution.attempt + 1, now)
            retry.claim_rank = retry.rank
            retries.append(retry)
    TaskExecution.objects.using(using).bulk_create(retries)
    operations.announce_queued(retries, using)
    final = [run for run in lost if not _runs_again(run)]
    ends = [operations.Ended(run.pk, run.job_id, ExecutionStatus.LOST) for run in final]
    operations.queue_followers(ends, now, using=using)
    return lost


def _runs_again(execution: TaskExecution) -> bool:
    wanted = execution.on_crash == OnCrash.RETRY or execution.transactional
    if not wanted or not execution.is_wanted or execution.cancel_requested_at is not None:
        return False
    return execution.attempt <= max(execution.max_retries, CRASH_RETRIES)


def after_losing(lost: Sequence[TaskExecution], now: datetime) -> None:
    """What follows a loss, once it is committed."""
    _announce_ended(lost)
    operations.pause_after_failures({run.task_id for run in lost if run.task_id}, now=now)


def _announce_ended(executions: Sequence[TaskExecution]) -> None:
    for execution in executions:
        signals.send(
            signals.execution_finished,
            TaskExecution,
            execution_id=execution.pk,
            task_id=execution.task_id,
            job_id=execution.job_id,
            kind=execution.kind,
            status=str(execution.status),
            reason=str(execution.reason),
        )


def _fail_without_executor(node: Node, now: datetime) -> bool:
    """Fail what has waited for the time-out for an executor that no live node has."""
    known: set[str] = set()
    for executors in SchedulerNode.objects.using(node.using).live().values_list("executors", flat=True):
        known.update(executors)
    patience = now - timedelta(seconds=conf.node_timeout())
    rows = TaskExecution.objects.using(node.using).claimable().filter(run_at__lt=patience).exclude(executor__in=known)
    waiting = list(rows.order_by("pk")[:100])
    if not waiting:
        return False
    with transaction.atomic(using=node.using):
        error = "No live node has its executor; SCHED_TASKS['EXECUTORS'] of the nodes name theirs."
        job_ids = {execution.pk: execution.job_id for execution in waiting}
        won = operations.fail_unstarted(job_ids, now, using=node.using, reason=Reason.NO_EXECUTOR, error=error)
    failed = [execution for execution in waiting if execution.pk in won]
    for execution in failed:
        execution.status, execution.reason = ExecutionStatus.FAILED, Reason.NO_EXECUTOR
    _announce_ended(failed)
    return bool(won)
