"""What holds for all nodes together, read from the database at each scrape: the same answer from every process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError
from django.db.models import Count, Min, Q
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from django_sched_tasks import conf, database
from django_sched_tasks.models import (
    ExecutionStatus,
    NodeState,
    SchedulerNode,
    SchedulerTask,
    TaskExecution,
    TaskStatus,
)
from django_sched_tasks.models.execution import OPEN_STATUSES
from django_sched_tasks.operations.monitoring import LATE_AFTER

SILENT = "silent"

# The metrics without a label for each task, and what labels they have.
GAUGES = {
    "sched_tasks_database_up": ("Whether the scheduler's database could be asked.", ()),
    "sched_tasks_nodes": ("Scheduler processes that run, or say so.", ("state",)),
    "sched_tasks_slots": ("How many executions the live nodes may run at once.", ()),
    "sched_tasks_slots_in_use": ("How many of these slots are taken.", ()),
    "sched_tasks_slots_stuck": ("How many of these are held by runs that could not be ended.", ()),
    "sched_tasks_tasks": ("Scheduled tasks.", ("status",)),
    "sched_tasks_tasks_overdue": ("Active tasks that have been due for a while and are not planned.", ()),
    "sched_tasks_tasks_broken": ("Tasks whose trigger cannot be planned.", ()),
    "sched_tasks_executions_open": ("Executions that have not ended.", ("queue", "status")),
    "sched_tasks_oldest_waiting_seconds": ("How long the first execution of a queue has been due.", ("queue",)),
}

# Those of each task, with its job id for a label, and the column that they show.
TASK_COUNTERS = {
    "sched_tasks_task_fire_times": ("Fire times planned.", "fire_count"),
    "sched_tasks_task_runs": ("Runs started.", "run_count"),
    "sched_tasks_task_skipped": ("Fire times skipped.", "skipped_count"),
    "sched_tasks_task_missed": ("Fire times missed.", "missed_count"),
}
TASK_GAUGES = {
    "sched_tasks_task_last_run_timestamp_seconds": ("When its latest run started.", "last_run"),
    "sched_tasks_task_next_run_timestamp_seconds": ("Its earliest fire time that is not planned yet.", "next_run"),
}


class ClusterCollector(Collector):
    """Four statements a scrape, one more with labels for each task."""

    def describe(self) -> list[Metric]:
        """The names, so that nobody needs the database to learn them."""
        gauges: list[Metric] = [GaugeMetricFamily(name, text) for name, (text, _labels) in GAUGES.items()]
        gauges += [GaugeMetricFamily(name, text) for name, (text, _column) in TASK_GAUGES.items()]
        return [*gauges, *(CounterMetricFamily(name, text) for name, (text, _column) in TASK_COUNTERS.items())]

    def collect(self) -> Iterator[Metric]:
        metrics = {name: GaugeMetricFamily(name, text, labels=labels) for name, (text, labels) in GAUGES.items()}
        up = metrics.pop("sched_tasks_database_up")
        try:
            found = [*_read(metrics), *_of_tasks()]
        except DatabaseError:  # the metrics of the process, and the news that the database is away, still arrive
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield from (up, *found)


def _read(metrics: dict[str, GaugeMetricFamily]) -> list[Metric]:
    using = database.alias()
    now = database.now(using)
    _nodes(metrics, now, using)
    _tasks(metrics, now, using)
    _executions(metrics, now, using)
    return list(metrics.values())


def _nodes(metrics: dict[str, GaugeMetricFamily], now: datetime, using: str) -> None:
    silent = now - timedelta(seconds=conf.node_timeout())
    counts: dict[str, int] = {NodeState.ALIVE.value: 0, NodeState.STOPPING.value: 0, SILENT: 0}
    slots = in_use = stuck = 0
    for node in SchedulerNode.objects.using(using).live():
        is_silent = node.heartbeat_at < silent
        counts[SILENT if is_silent else node.state] += 1
        if not is_silent:
            slots, in_use, stuck = slots + node.slots, in_use + node.slots_in_use, stuck + node.stuck_slots
    for state, count in counts.items():
        metrics["sched_tasks_nodes"].add_metric([state], count)
    metrics["sched_tasks_slots"].add_metric([], slots)
    metrics["sched_tasks_slots_in_use"].add_metric([], in_use)
    metrics["sched_tasks_slots_stuck"].add_metric([], stuck)


def _tasks(metrics: dict[str, GaugeMetricFamily], now: datetime, using: str) -> None:
    late = now - LATE_AFTER - timedelta(seconds=conf.poll_interval())
    overdue = Count("pk", filter=Q(status=TaskStatus.ACTIVE, next_run__lt=late, plan_at__lt=late))
    rows = SchedulerTask.objects.using(using).order_by().values("status")
    counted = rows.annotate(count=Count("pk"), overdue=overdue, broken=Count("pk", filter=~Q(schedule_error="")))
    by_status = {row["status"]: row for row in counted}
    for status in TaskStatus:
        count = by_status[status]["count"] if status in by_status else 0
        metrics["sched_tasks_tasks"].add_metric([status.name.lower()], count)
    for name in ("overdue", "broken"):
        metrics[f"sched_tasks_tasks_{name}"].add_metric([], sum(row[name] for row in by_status.values()))


def _executions(metrics: dict[str, GaugeMetricFamily], now: datetime, using: str) -> None:
    due = Q(status=ExecutionStatus.QUEUED, claim_rank__isnull=False, run_at__lte=now)
    rows = TaskExecution.objects.using(using).open().order_by().values("queue", "status")
    counted = list(rows.annotate(count=Count("pk"), oldest=Min("run_at", filter=due)))
    counts = {(row["queue"], row["status"]): row["count"] for row in counted}
    oldest = {row["queue"]: row["oldest"] for row in counted if row["status"] == ExecutionStatus.QUEUED}
    for queue in sorted({"default", *(queue for queue, _status in counts)}):
        for status in OPEN_STATUSES:
            metrics["sched_tasks_executions_open"].add_metric([queue, status.value], counts.get((queue, status), 0))
        since = oldest.get(queue)
        waiting = 0.0 if since is None else (now - since).total_seconds()
        metrics["sched_tasks_oldest_waiting_seconds"].add_metric([queue], waiting)


def _of_tasks() -> list[Metric]:
    if not conf.option("PROMETHEUS", "TASK_LABELS"):
        return []
    counters = {name: CounterMetricFamily(name, text, labels=["job_id"]) for name, (text, _) in TASK_COUNTERS.items()}
    gauges = {name: GaugeMetricFamily(name, text, labels=["job_id"]) for name, (text, _) in TASK_GAUGES.items()}
    columns = {name: column for name, (_text, column) in (TASK_COUNTERS | TASK_GAUGES).items()}
    most = conf.option("PROMETHEUS", "MOST_TASKS")
    for row in SchedulerTask.objects.using(database.alias()).order_by("pk").values("job_id", *columns.values())[:most]:
        for name, family in (counters | gauges).items():
            value = _number(row[columns[name]])
            if value is not None:
                family.add_metric([row["job_id"]], value)
    return [*counters.values(), *gauges.values()]


def _number(value: Any) -> float | None:
    return value.timestamp() if isinstance(value, datetime) else value
