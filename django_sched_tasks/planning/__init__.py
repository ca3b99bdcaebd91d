"""Due fire times become execution rows, and their tasks move on, in one transaction."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q

from django_sched_tasks import admission, database, exclusions, signals
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import ExecutionStatus, Kind, Reason, SchedulerTask, TaskExecution
from django_sched_tasks.planning import store
from django_sched_tasks.planning.decision import NO_EXCLUSIONS, Active, Decision, LastRow, TaskRow, broken, decide

__all__ = ["BATCH", "PlanResult", "plan"]

logger = logging.getLogger(__name__)

BATCH = 500


@dataclass(slots=True)
class PlanResult:
    """What a call of :func:`plan` did."""

    tasks: int = 0
    queued: int = 0
    contended: list[int] = field(default_factory=list)
    has_more: bool = False
    unfinished: list[int] = field(default_factory=list)


def plan(
    now: datetime, *, using: str, ids: Collection[int] | None = None, limit: int = BATCH, once: bool = False
) -> PlanResult:
    """Plan all that is due at ``now``, in batches, each in a transaction of its own; ``once``: one batch.

    With ``ids``, only those tasks (an operation plans the row it has just edited, inside its own transaction). Tasks
    that another planner is working on are left to it, and those with more due than one pass settles to the next pass,
    so that they hold up nobody; an operation settles all.
    """
    result = PlanResult()
    site_exclusions: str | None = None
    while due := store.read_due(now, using=using, limit=limit, ids=ids, skip=result.contended + result.unfinished):
        if site_exclusions is None:
            site_exclusions = _site_exclusions(using)
        planned = _decide_all(due, now, site_exclusions=site_exclusions, using=using)
        won = database.retrying(lambda planned=planned: _write(planned, now, using=using), using=using)  # type: ignore[misc]
        won_ids = {item.task.row.id for item in won}
        result.tasks += len(won)
        result.queued += sum(part.status == ExecutionStatus.QUEUED for item in won for part in item.decision.segments)
        result.contended += [item.task.row.id for item in planned if item.task.row.id not in won_ids]
        result.unfinished += [item.task.row.id for item in won if ids is None and item.is_unfinished(now)]
        # After the commit, which is the caller's where this is part of an operation.
        transaction.on_commit(partial(_after_write, won, now, using=using), using=using, robust=True)
        if once and won:
            result.has_more = len(due) == limit
            break
    return result


def _write(planned: Sequence[store.Planned], now: datetime, *, using: str) -> list[store.Planned]:
    with transaction.atomic(using=using):
        return store.write(planned, now, using=using)


def _site_exclusions(using: str) -> str:
    """What cannot be read, since other hands wrote it, excludes nothing: it must not keep all tasks from running."""
    text = store.read_site_exclusions(using=using)
    try:
        exclusions.read(json.loads(text))
    except (ValueError, InvalidDefinition) as error:
        logger.error("The exclusions of all tasks cannot be read, so they are left aside: %s", error)
        return NO_EXCLUSIONS
    return text


def _decide_all(
    due: Sequence[store.DueTask], now: datetime, *, using: str, site_exclusions: str = NO_EXCLUSIONS
) -> list[store.Planned]:
    active = store.read_active((task.row for task in due), using=using)
    excludes = site_exclusions != NO_EXCLUSIONS
    behind = [
        task.row.id
        for task in due
        if _may_continue_a_row(task.row, active.get(task.row.id), now, may_be_excluded=excludes)
    ]
    last = store.read_last(behind, using=using)
    return [
        store.Planned(
            task, _decide_one(task.row, now, active.get(task.row.id, Active()), last.get(task.row.id), site_exclusions)
        )
        for task in due
    ]


def _may_continue_a_row(task: TaskRow, active: Active | None, now: datetime, *, may_be_excluded: bool) -> bool:
    """Whether the decision could add to the task's latest row: only then is it worth reading."""
    if task.next_run is None or task.next_run > now:
        return False
    if may_be_excluded or task.exclusions != NO_EXCLUSIONS:
        return True
    if active is not None and (active.queued or (task.max_instances or 0) <= active.open):
        return True
    if task.max_instances is None or task.concurrency_key or not task.coalesce:
        return True  # what is open was not counted, or under the key of its own time
    grace = task.misfire_grace_time
    return grace is not None and now - task.next_run > timedelta(seconds=grace)


def _decide_one(task: TaskRow, now: datetime, active: Active, last: LastRow | None, site_exclusions: str) -> Decision:
    """One bad row spoils one row."""
    try:
        return decide(task, now, active, last, site_exclusions)
    except Exception as error:
        logger.exception("Task %s cannot be planned", task.id)
        return broken(task, now, f"{type(error).__name__}: {error}")


def _after_write(won: Sequence[store.Planned], now: datetime, *, using: str) -> None:
    waiting = [item.task.row for item in won if item.leaves_waiting]
    if waiting:
        # An execution that ended between our reading and our writing let nobody in: look again.
        keys = [row.concurrency_key for row in waiting]
        admission.admit([row.id for row in waiting], keys=keys, using=using)
    if signals.task_finished.receivers:
        finished = [item.task.row.id for item in won if item.has_finished]
        for task in SchedulerTask.objects.using(using).filter(pk__in=finished):
            signals.send(signals.task_finished, SchedulerTask, task=task, user="")
    if signals.execution_queued.receivers or signals.execution_finished.receivers:
        _announce([item.task.row.id for item in won if item.decision.segments], now, using=using)


def _announce(task_ids: Sequence[int], now: datetime, *, using: str) -> None:
    planned = Q(kind=Kind.SCHEDULE, attempt=1, queued_at=now)
    replaced = Q(reason=Reason.REPLACED, finished_at=now)
    rows = TaskExecution.objects.using(using).filter(planned | replaced, task_id__in=task_ids)
    for pk, task_id, job_id, status, reason in rows.order_by("pk").values_list(
        "pk", "task_id", "job_id", "status", "reason"
    ):
        signal = signals.execution_queued if status == ExecutionStatus.QUEUED else signals.execution_finished
        signals.send(
            signal,
            TaskExecution,
            execution_id=pk,
            task_id=task_id,
            job_id=job_id,
            kind=Kind.SCHEDULE.value,
            status=status,
            reason=reason,
        )
