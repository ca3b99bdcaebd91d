"""What dead nodes leave behind: claims go back, runs are told as lost or run again, waiting ones are let in."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from django_sched_tasks import admission, conf, database, operations, signals
from django_sched_tasks.engine import process
from django_sched_tasks.engine.node import Node
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


def recover(node: Node, now: datetime, *, by_timeout: bool = True) -> bool:
    """Clean up after nodes that died; answers whether anything may run now that could not before.

    A node of this machine whose process is gone is dead at once. Others are when they have been silent for
    ``NODE_TIMEOUT`` by the database's clock, unless ``by_timeout`` forbids to judge by that.
    """
    changed = False
    for dead in _dead_nodes(node, now, by_timeout=by_timeout):
        changed = _bury(dead, now, node.using) or changed
    if changed:
        admission.admit_all(using=node.using)
    return changed


def sweep(node: Node, now: datetime) -> bool:
    """Mend what no single event mends: a follow-up that a crash cut off, an executor that no node has any more, what a
    node took between its burial and its noticing.
    """
    changed = _fail_without_executor(node, now)
    changed = _finish_burials(node, now) or changed
    return bool(admission.admit_all(using=node.using)) or changed


def _dead_nodes(node: Node, now: datetime, *, by_timeout: bool) -> list[SchedulerNode]:
    others = SchedulerNode.objects.using(node.using).live().exclude(pk=node.id)
    silent_since = now - timedelta(seconds=conf.node_timeout())
    return [
        other
        for other in others
        if process.is_gone(other.machine, other.pid, other.pid_started)
        or (by_timeout and other.heartbeat_at < silent_since)
    ]


def _bury(dead: SchedulerNode, now: datetime, using: str) -> bool:
    def work() -> list[TaskExecution] | None:
        with transaction.atomic(using=using):
            rows = SchedulerNode.objects.using(using).live().filter(pk=dead.pk, heartbeat_at=dead.heartbeat_at)
            if not rows.update(state=NodeState.DEAD, stopped_at=now, slots_in_use=0):
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


def lose_runs(runs: QuerySet[TaskExecution], now: datetime, using: str, *, reason: Reason) -> list[TaskExecution]:
    """Tell started runs as lost and queue those that are to run again, in the caller's transaction."""
    executions = list(runs)
    won = set(
        transitions.lose([run.pk for run in executions], now, using=using, reason=reason, error=str(reason.label))
    )
    lost = [execution for execution in executions if execution.pk in won]
    retries = []
    for execution in lost:
        execution.status, execution.reason = ExecutionStatus.LOST, reason
        if _runs_again(execution):
            retry = operations.next_attempt(execution, execution.attempt + 1, now)
            retry.claim_rank = -retry.priority
            retries.append(retry)
    TaskExecution.objects.using(using).bulk_create(retries)
    operations.announce_queued(retries, using)
    return lost


def _runs_again(execution: TaskExecution) -> bool:
    wanted = execution.on_crash == OnCrash.RETRY or execution.transactional
    return wanted and execution.task_id is not None and execution.attempt <= max(execution.max_retries, CRASH_RETRIES)


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
        ids = [execution.pk for execution in waiting]
        won = transitions.fail_unstarted(ids, now, using=node.using, reason=Reason.NO_EXECUTOR, error=error)
    failed = [execution for execution in waiting if execution.pk in won]
    for execution in failed:
        execution.status, execution.reason = ExecutionStatus.FAILED, Reason.NO_EXECUTOR
    _announce_ended(failed)
    return bool(won)
