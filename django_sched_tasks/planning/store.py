"""Reading due tasks and writing decisions down: the only statements of the planner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, OuterRef, Q, Subquery, TextField
from django.db.models.functions import Cast

from django_sched_tasks.models import (
    ExecutionStatus,
    Kind,
    Reason,
    SchedulerState,
    SchedulerTask,
    TaskExecution,
    TaskStatus,
    transitions,
)
from django_sched_tasks.models.bulk import Verbatim, insert_derived, update_rows
from django_sched_tasks.models.execution import STARTED_STATUSES
from django_sched_tasks.planning.decision import NO_EXCLUSIONS, Active, Decision, LastRow, Segment, TaskRow, When

# What an execution takes over from its task, as it stands when it is written: its own column, and the task's.
INHERITED = {
    "task_name": "name",
    "job_id": "job_id",
    "func": "func",
    "args": "args",
    "kwargs": "kwargs",
    "queue": "queue",
    "executor": "executor",
    "executor_options": "executor_options",
    "priority": "priority",
    "concurrency_key": "concurrency_key",
    "misfire_grace_time": "misfire_grace_time",
    "timeout": "timeout",
    "max_retries": "max_retries",
    "retry_delay": "retry_delay",
    "retry_backoff": "retry_backoff",
    "retry_jitter": "retry_jitter",
    "retry_on": "retry_on",
    "transactional": "transactional",
    "on_crash": "on_crash",
}
EXECUTION_COLUMNS = (
    "task",
    "kind",
    "status",
    "reason",
    "fire_at",
    "run_at",
    "covers",
    "queued_at",
    "finished_at",
    "claim_rank",
)
_PLANNED = ("planned_trigger", "planned_args_text", "planned_timezone", "planned_status")
_COLUMNS = (
    "id",
    "version",
    "trigger",
    "args_when_text",
    "timezone",
    "status",
    *_PLANNED,
    "next_run",
    "planned_through",
    "anchor",
    "coalesce",
    "max_catch_up",
    "max_instances",
    "overlap",
    "max_runs",
    "planned_runs",
    "exclusions_text",
    "fire_count",
    "skipped_count",
    "missed_count",
    "misfire_grace_time",
    "concurrency_key",
    "priority",
)
ADVANCE = ("version", "next_run", "planned_through", "fire_count", "skipped_count", "missed_count", "planned_runs")
REPLAN = (
    *ADVANCE,
    "status",
    "anchor",
    "schedule_error",
    "planned_trigger",
    "planned_trigger_args",
    "planned_timezone",
    "planned_status",
    "follows",
)


# Who asks a run to end for a newer fire time; no user's name.
REPLACED_BY = "overlap: replace"


@dataclass(slots=True)
class DueTask:
    """A task to plan: what the decision needs, and what only the writing needs."""

    row: TaskRow
    counts: tuple[int, int, int]
    priority: int


@dataclass(slots=True)
class Planned:
    """A decision beside the task that it is for."""

    task: DueTask
    decision: Decision

    @property
    def is_replan(self) -> bool:
        row, decision = self.task.row, self.decision
        return decision.when != row.planned or decision.when != row.when or bool(decision.schedule_error)

    @property
    def has_finished(self) -> bool:
        return self.decision.when.status == TaskStatus.FINISHED != self.task.row.when.status

    def is_unfinished(self, now: datetime) -> bool:
        """Whether more is due, under the definition that was planned by, than this decision settles."""
        decision = self.decision
        return decision.when == self.task.row.planned and decision.next_run is not None and decision.next_run <= now

    @property
    def leaves_waiting(self) -> bool:
        """Whether an execution of the task now waits for room under its limit."""
        segments = self.decision.segments
        return bool(self.decision.lets_go) or any(
            part.status == ExecutionStatus.QUEUED and not part.admitted for part in segments
        )


def read_due(
    now: datetime, *, using: str, limit: int, ids: Collection[int] | None, skip: Collection[int]
) -> list[DueTask]:
    """Tasks to plan, earliest first, without a lock. With ``ids``, those tasks, due or edited."""
    tasks = SchedulerTask.objects.using(using).filter(plan_at__lte=now)
    if ids is not None:
        tasks = tasks.filter(pk__in=ids)
    if skip:
        tasks = tasks.exclude(pk__in=skip)
    rows = (
        tasks.annotate(
            args_when_text=Cast("trigger_args", TextField()),
            planned_args_text=Cast("planned_trigger_args", TextField()),
            exclusions_text=Cast("exclusions", TextField()),
        )
        .order_by("plan_at", "id")
        .values_list(*_COLUMNS)[:limit]
    )
    return [_due_task(dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def _due_task(values: dict[str, Any]) -> DueTask:
    planned = None if values["planned_trigger"] is None else When(*(values[name] for name in _PLANNED))
    row = TaskRow(
        id=values["id"],
        version=values["version"],
        when=When(values["trigger"], values["args_when_text"], values["timezone"], values["status"]),
        planned=planned,
        next_run=values["next_run"],
        planned_through=values["planned_through"],
        anchor=values["anchor"],
        misfire_grace_time=values["misfire_grace_time"],
        coalesce=values["coalesce"],
        max_catch_up=values["max_catch_up"],
        max_instances=values["max_instances"],
        overlap=values["overlap"],
        concurrency_key=values["concurrency_key"],
        max_runs=values["max_runs"],
        planned_runs=values["planned_runs"],
        exclusions=values["exclusions_text"],
    )
    counts = (values["fire_count"], values["skipped_count"], values["missed_count"])
    return DueTask(row, counts, values["priority"])


def read_site_exclusions(*, using: str) -> str:
    """The JSON text of the exclusions of all tasks."""
    rows = SchedulerState.objects.using(using).annotate(text=Cast("exclusions", TextField()))
    return rows.values_list("text", flat=True).first() or NO_EXCLUSIONS


def read_active(tasks: Iterable[TaskRow], *, using: str) -> dict[int, Active]:
    """The open executions of each limited task; those of a shared key count for all that share it."""
    by_key: dict[str, list[int]] = defaultdict(list)
    own: list[int] = []
    for task in tasks:
        if task.max_instances is not None:
            (by_key[task.concurrency_key] if task.concurrency_key else own).append(task.id)
    active = _count_open(Q(task_id__in=own), "task_id", using) if own else {}
    if by_key:
        keyed = _count_open(Q(concurrency_key__in=list(by_key)), "concurrency_key", using)
        active |= {pk: keyed[key] for key, ids in by_key.items() if key in keyed for pk in ids}
    return active


def _count_open(condition: Q, group: str, using: str) -> dict[Any, Active]:
    rows = (
        TaskExecution.objects.using(using)
        .open()
        .filter(condition)
        .order_by()
        .values_list(group)
        .annotate(total=Count("id"), queued=Count("id", filter=Q(status=ExecutionStatus.QUEUED)))
    )
    return {key: Active(total, queued) for key, total, queued in rows}


def read_last(ids: Sequence[int], *, using: str) -> dict[int, LastRow]:
    """The latest scheduled row of each task."""
    if not ids:
        return {}
    latest = TaskExecution.objects.accounted().filter(task_id=OuterRef("pk")).order_by("-fire_at").values("pk")[:1]
    found = SchedulerTask.objects.using(using).filter(pk__in=ids).order_by().annotate(last_id=Subquery(latest))
    last_ids = [pk for pk in found.values_list("last_id", flat=True) if pk is not None]
    rows = TaskExecution.objects.using(using).filter(pk__in=last_ids).order_by()
    found_rows = rows.values_list("task_id", "id", "status", "reason")
    return {task_id: LastRow(pk, status, reason) for task_id, pk, status, reason in found_rows}


def write(planned: Sequence[Planned], now: datetime, *, using: str) -> list[Planned]:
    """Move the tasks on and write their rows, in the caller's transaction; answers those it won.

    A task that another planner has moved on, or that is locked, is left to it.
    """
    by_id = {item.task.row.id: item for item in planned}
    locked = (
        SchedulerTask.objects.using(using)
        .filter(pk__in=by_id)
        .order_by("pk")
        .select_for_update(skip_locked=True)
        .values_list("id", "version", "status")
    )
    won = [
        by_id[pk]
        for pk, version, status in locked
        if (version, status) == (by_id[pk].task.row.version, by_id[pk].task.row.when.status)
    ]
    mergeable = _read_mergeable(won, using=using)
    won = [item for item in won if not _would_be_one_run_more(item, mergeable)]
    _write_tasks(won, using=using)
    _replace_waiting(won, now, using=using)
    _write_executions(won, now, mergeable, using=using)
    return won


def _would_be_one_run_more(item: Planned, mergeable: Mapping[int, str]) -> bool:
    """Whether a run that was to go on is gone, so that one more than was counted would begin: decide again."""
    merge = item.decision.merge
    if merge is None or item.task.row.max_runs is None:
        return False
    is_run = item.decision.segments[merge.part].status == ExecutionStatus.QUEUED
    return is_run and mergeable.get(merge.row) != Reason.COALESCING


def _write_tasks(won: Sequence[Planned], *, using: str) -> None:
    replans = [item for item in won if item.is_replan]
    advances = [item for item in won if not item.is_replan]
    update_rows(SchedulerTask, ADVANCE, [(item.task.row.id, *_advance(item)) for item in advances], using=using)
    update_rows(
        SchedulerTask, REPLAN, [(item.task.row.id, *_advance(item), *_replan(item)) for item in replans], using=using
    )


def _advance(item: Planned) -> tuple[Any, ...]:
    fired, skipped, missed = item.task.counts
    decision = item.decision
    return (
        item.task.row.version + 1,
        decision.next_run,
        decision.planned_through,
        fired + decision.covered(),
        skipped + decision.covered(ExecutionStatus.SKIPPED),
        missed + decision.covered(ExecutionStatus.MISSED),
        item.task.row.planned_runs + decision.new_runs,
    )


def _replan(item: Planned) -> tuple[Any, ...]:
    """The very text that was read goes into the copy: a re-serialised one would never compare equal."""
    decision, row = item.decision, item.task.row
    # While the old definition is still being settled the row keeps the status that somebody gave it.
    is_settling = decision.when == row.planned != row.when
    status = row.when.status if is_settling else decision.when.status
    return (
        status,
        decision.anchor,
        decision.schedule_error,
        decision.when.trigger,
        Verbatim(decision.when.args),
        decision.when.timezone,
        decision.when.status,
        decision.follows,
    )


def _replace_waiting(won: Sequence[Planned], now: datetime, *, using: str) -> None:
    ids = [item.task.row.id for item in won if item.decision.replaces_waiting]
    if ids:
        rows = TaskExecution.objects.filter(task_id__in=ids, kind=Kind.SCHEDULE, claim_rank__isnull=True)
        keep = [item.decision.merge.row for item in won if item.decision.merge]
        waiting = rows.filter(status=ExecutionStatus.QUEUED).exclude(pk__in=keep)
        transitions.cancel(waiting, now, using=using, reason=Reason.REPLACED)
        transitions.request_cancel(_to_be_replaced(ids, using), now, REPLACED_BY, using=using)


def _to_be_replaced(task_ids: Collection[int], using: str) -> list[int]:
    """The oldest run of each task's schedule, unless one is asked to end already: one alone takes its place."""
    running = TaskExecution.objects.using(using).open().filter(task_id__in=task_ids, status__in=STARTED_STATUSES)
    rows = list(running.order_by("fire_at", "pk").values_list("task_id", "pk", "kind", "cancel_requested_at"))
    is_asked = {task_id for task_id, _pk, _kind, requested in rows if requested is not None}
    oldest: dict[int, int] = {}
    for task_id, pk, kind, _requested in rows:
        if kind == Kind.SCHEDULE and task_id not in is_asked:
            oldest.setdefault(task_id, pk)
    return list(oldest.values())


def _write_executions(won: Sequence[Planned], now: datetime, mergeable: Mapping[int, str], *, using: str) -> None:
    new: list[tuple[Any, ...]] = []
    grown: dict[int, list[int]] = defaultdict(list)
    for item in won:
        segments, merge = list(item.decision.segments), item.decision.merge
        if merge is not None and mergeable.get(merge.row) == _reason_to_merge(segments[merge.part]):
            part = segments.pop(merge.part)
            if part.status == ExecutionStatus.QUEUED:
                _fold(merge.row, part, item.task, using=using)
            else:
                grown[part.covers].append(merge.row)
        new.extend(_execution(item.task, segment, now) for segment in segments)
    for covers, ids in grown.items():
        TaskExecution.objects.using(using).filter(pk__in=ids).update(covers=F("covers") + covers)
    insert_derived(TaskExecution, SchedulerTask, INHERITED, EXECUTION_COLUMNS, new, using=using)
    _let_go([item.decision.lets_go for item in won if item.decision.lets_go], using=using)


def _read_mergeable(won: Sequence[Planned], *, using: str) -> dict[int, str]:
    """The rows that segments are to be added to, with their reasons: one may be cancelled or pruned by now."""
    ids = [item.decision.merge.row for item in won if item.decision.merge]
    if not ids:
        return {}
    rows = TaskExecution.objects.using(using).filter(pk__in=ids).order_by("pk").select_for_update()
    return dict(rows.values_list("pk", "reason"))


def _reason_to_merge(segment: Segment) -> str:
    return Reason.COALESCING if segment.status == ExecutionStatus.QUEUED else segment.reason


def _let_go(ids: Collection[int], *, using: str) -> None:
    if ids:
        TaskExecution.objects.using(using).filter(pk__in=ids, reason=Reason.COALESCING).update(reason=Reason.NONE)


def _fold(pk: int, segment: Segment, task: DueTask, *, using: str) -> None:
    """More fire times for a run that is still gathering them."""
    TaskExecution.objects.using(using).filter(pk=pk).update(
        covers=F("covers") + segment.covers,
        fire_at=segment.fire_at,
        run_at=segment.run_at,
        reason=segment.reason,
        claim_rank=_rank(task, segment),
    )


def _execution(task: DueTask, segment: Segment, now: datetime) -> tuple[Any, ...]:
    is_open = segment.status == ExecutionStatus.QUEUED
    return (
        task.row.id,
        Kind.SCHEDULE,
        segment.status,
        segment.reason,
        segment.fire_at,
        segment.run_at,
        segment.covers,
        now,
        None if is_open else now,
        _rank(task, segment),
    )


def _rank(task: DueTask, segment: Segment) -> int | None:
    return -task.priority if segment.admitted else None
