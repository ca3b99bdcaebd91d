"""The whole scheduler at a glance: what the overview page tells, and all the queries for it.

Their number is constant and so is their cost: what is open is found by its index, and of the history only the newest
rows are read, as far as a day back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from itertools import takewhile
from math import ceil
from typing import Any

from django.db.models import Count, Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from django_sched_tasks import database, operations, triggers
from django_sched_tasks.admin.waiting import TOLERANCE, live_nodes, why_waiting
from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.models import ExecutionStatus, SchedulerNode, SchedulerTask, TaskExecution, TaskStatus
from django_sched_tasks.models.execution import FAILURE_STATUSES, STARTED_STATUSES

HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
MOST_ROWS = 20_000  # of the history
MOST_SHOWN = 20
MOST_AHEAD = 100  # tasks whose fire times are looked up
OFTEN = 48  # a task that fires more often than this in a day is no row of the timeline
AGAIN_AND_AGAIN = 3

_OUTCOMES = {
    ExecutionStatus.SUCCEEDED: "good",
    **dict.fromkeys(FAILURE_STATUSES, "bad"),
    **dict.fromkeys((ExecutionStatus.SKIPPED, ExecutionStatus.MISSED), "warn"),
    ExecutionStatus.CANCELLED: "quiet",
}


@dataclass(slots=True)
class Health:
    nodes: int
    slots: int
    slots_in_use: int
    loop_lag: float | None  # seconds since the slowest live node's last pass
    problems: list[str]
    oldest_waiting: float | None  # seconds
    open: dict[str, int]
    tasks: dict[int, int]


@dataclass(slots=True)
class Ahead:
    """The next day: tasks with their fire times, those that fire all the time, and how many were not looked at.

    ``excluded`` are, by task, the fire times that will be skipped, with their notes.
    """

    tasks: list[tuple[SchedulerTask, list[datetime]]] = field(default_factory=list)
    often: list[SchedulerTask] = field(default_factory=list)
    excluded: dict[int, dict[datetime, str]] = field(default_factory=dict)
    more: int = 0


@dataclass(slots=True)
class Failing:
    task_id: int
    name: str
    streak: int
    last_id: int
    error: str
    finished_at: datetime | None


@dataclass(slots=True)
class Late:
    """What should have happened by now: an execution that waits, or a task that nobody plans; and why."""

    since: datetime
    why: str
    execution: TaskExecution | None = None
    task: SchedulerTask | None = None


@dataclass(slots=True)
class Hours:
    """The last day, hour by hour, oldest first; percentiles are None for an hour without a run."""

    starts: list[datetime]
    outcomes: dict[str, list[int]]
    lateness: dict[str, list[float | None]]
    durations: dict[str, list[float | None]]
    is_cut: bool


@dataclass(slots=True)
class Overview:
    now: datetime
    health: Health
    ahead: Ahead
    held: str = ""  # why nothing is planned or started, though schedulers run
    hours: Hours | None = None
    running: list[TaskExecution] = field(default_factory=list)
    failing: list[Failing] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)


def read(now: datetime, *, sees_nodes: bool, sees_executions: bool) -> Overview:
    """What a reader with these rights may see."""
    nodes = live_nodes(now)
    held = operations.why_held(now)
    overview = Overview(now, _health(nodes, now, sees_nodes), _ahead(now), held, late=_unplanned(nodes, now, held))
    if sees_executions:
        rows, is_cut = _newest(now - DAY)
        overview.hours = _by_hours(rows, is_cut, now)
        overview.failing = _failing(rows)
        overview.running = _running()
        overview.late += _waiting(nodes, now, held)
    return overview


def _health(nodes: Sequence[SchedulerNode], now: datetime, sees_nodes: bool) -> Health:
    unfinished = TaskExecution.objects.open().order_by()
    counts = dict(unfinished.values_list("status").annotate(Count("pk")))
    due = unfinished.filter(status=ExecutionStatus.QUEUED, run_at__lte=now)
    oldest = due.aggregate(oldest=Min("run_at"))["oldest"]
    passes = [node.loop_at or node.started_at for node in nodes]
    return Health(
        nodes=len(nodes),
        slots=sum(node.slots for node in nodes),
        slots_in_use=sum(node.slots_in_use for node in nodes),
        loop_lag=max(0.0, (now - min(passes)).total_seconds()) if passes else None,
        problems=[f"{node}: {node.problem}" for node in nodes if node.problem] if sees_nodes else [],
        oldest_waiting=(now - oldest).total_seconds() if oldest else None,
        open=counts,
        tasks=dict(SchedulerTask.objects.order_by().values_list("status").annotate(Count("pk"))),
    )


def _ahead(now: datetime) -> Ahead:
    active = SchedulerTask.objects.filter(status=TaskStatus.ACTIVE, next_run__lt=now + DAY).order_by("next_run", "pk")
    columns = ("name", "trigger", "trigger_args", "timezone", "anchor", "next_run", "exclusions")
    found = list(active.only(*columns)[: MOST_AHEAD + 1])
    ahead = Ahead(more=max(0, len(found) - MOST_AHEAD))
    site = operations.site_exclusions(using=database.alias())
    for task in found[:MOST_AHEAD]:
        times = _fire_times(task, now)
        if len(times) > OFTEN:
            ahead.often.append(task)
        elif times:
            excluded = operations.exclusions_for(
                task.trigger, task.trigger_args, timezone=task.timezone, own=task.exclusions, site=site
            )
            ahead.tasks.append((task, times))
            ahead.excluded[task.pk] = operations.notes_of(excluded, times)
    ahead.more += max(0, len(ahead.tasks) - MOST_SHOWN)
    del ahead.tasks[MOST_SHOWN:]
    return ahead


def _fire_times(task: SchedulerTask, now: datetime) -> list[datetime]:
    """Its fire times of the next day, or one more than OFTEN."""
    try:
        times = triggers.preview(
            task.trigger, task.trigger_args, timezone=task.timezone, after=now, count=OFTEN + 1, anchor=task.anchor
        )
    except InvalidTrigger:
        return []
    return list(takewhile(lambda time: time < now + DAY, times))


_Row = tuple[Any, ...]
_COLUMNS = ("id", "task_id", "task_name", "status", "queued_at", "run_at", "started_at", "finished_at", "duration")


def _newest(since: datetime) -> tuple[list[_Row], bool]:
    """The newest executions, latest first, as far back as the instant; and whether there are more than are read.

    Ids grow with time, and their index is the one that every database has; a row more or less at the far end does not
    matter.
    """
    rows = TaskExecution.objects.order_by("-id").values_list(*_COLUMNS)[: MOST_ROWS + 1]
    newest = list(takewhile(lambda row: row[4] >= since, rows.iterator(chunk_size=500)))
    return newest[:MOST_ROWS], len(newest) > MOST_ROWS


def _by_hours(rows: Iterable[_Row], is_cut: bool, now: datetime) -> Hours:
    zone = timezone.get_current_timezone()
    last = _hour_of(now, zone)
    starts = [last - HOUR * number for number in range(23, -1, -1)]
    outcomes: dict[str, Counter[datetime]] = {tone: Counter() for tone in ("good", "bad", "warn", "quiet")}
    lateness: dict[datetime, list[float]] = defaultdict(list)
    durations: dict[datetime, list[float]] = defaultdict(list)
    for row in rows:
        status, (run_at, started_at, finished_at, duration) = row[3], row[5:]
        if finished_at is not None:
            outcomes[_OUTCOMES[status]][_hour_of(finished_at, zone)] += 1
        if started_at is not None:
            lateness[_hour_of(started_at, zone)].append(max(0.0, (started_at - run_at).total_seconds()))
        if duration is not None and finished_at is not None:
            durations[_hour_of(finished_at, zone)].append(duration)
    return Hours(
        starts,
        {tone: [counts[start] for start in starts] for tone, counts in outcomes.items()},
        _percentiles(lateness, starts),
        _percentiles(durations, starts),
        is_cut,
    )


def _hour_of(moment: datetime, zone: tzinfo) -> datetime:
    """The beginning of its hour on the reader's clocks: zones may differ by half hours."""
    local = moment.astimezone(zone)
    into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return moment - into


def _percentiles(values: dict[datetime, list[float]], starts: Sequence[datetime]) -> dict[str, list[float | None]]:
    ordered = {start: sorted(values[start]) for start in starts if start in values}
    return {
        name: [_percentile(ordered.get(start, []), share) for start in starts]
        for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
    }


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """The value that this share of all does not exceed."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _failing(rows: Iterable[_Row]) -> list[Failing]:
    """Tasks whose latest runs failed, several in a row."""
    streaks: dict[int, list[_Row]] = defaultdict(list)
    broken: set[int] = set()
    for row in rows:
        task_id, status = row[1], row[3]
        if task_id is None or task_id in broken:
            continue
        if status in FAILURE_STATUSES:
            streaks[task_id].append(row)
        elif status == ExecutionStatus.SUCCEEDED:
            broken.add(task_id)
    often = sorted((found for found in streaks.values() if len(found) >= AGAIN_AND_AGAIN), key=len, reverse=True)
    often = often[:MOST_SHOWN]
    errors = dict(TaskExecution.objects.filter(pk__in=[found[0][0] for found in often]).values_list("pk", "error"))
    return [
        Failing(found[0][1], found[0][2], len(found), found[0][0], errors.get(found[0][0], ""), found[0][7])
        for found in often
    ]


def _running() -> list[TaskExecution]:
    rows = TaskExecution.objects.open().filter(status__in=STARTED_STATUSES).order_by("started_at", "pk")
    columns = ("task", "task_name", "status", "started_at", "progress", "node", "cancel_requested_at", "requested_by")
    return list(rows.only(*columns)[:MOST_SHOWN])


def _unplanned(nodes: Sequence[SchedulerNode], now: datetime, held: str) -> list[Late]:
    active = SchedulerTask.objects.filter(status=TaskStatus.ACTIVE)
    wanted = Q(next_run__lt=now - TOLERANCE) | ~Q(schedule_error="")
    found = active.filter(wanted).order_by("next_run", "pk").only("name", "next_run", "schedule_error")[:MOST_SHOWN]
    why = held or (_("The schedulers are behind.") if nodes else _("No scheduler is running."))
    return [Late(task.next_run or now, task.schedule_error or why, task=task) for task in found]


def _waiting(nodes: Sequence[SchedulerNode], now: datetime, held: str) -> list[Late]:
    rows = TaskExecution.objects.open().filter(started_at__isnull=True, run_at__lt=now - TOLERANCE)
    columns = (
        *("task", "task_name", "status", "run_at", "queue", "executor", "claim_rank", "handed_back_at"),
        *("priority", "kind"),
    )
    found = rows.order_by("run_at", "pk").only(*columns)[:MOST_SHOWN]
    return [Late(row.run_at, why_waiting(row, nodes, now, held), execution=row) for row in found]


def series(hours: Hours) -> Iterator[tuple[str, list[Any]]]:
    """All that the charts draw, by name."""
    yield "hours", [start.timestamp() for start in hours.starts]
    for tone, counts in hours.outcomes.items():
        yield tone, list(counts)
    for name, values in hours.lateness.items():
        yield f"lateness_{name}", list(values)
    for name, values in hours.durations.items():
        yield f"duration_{name}", list(values)
