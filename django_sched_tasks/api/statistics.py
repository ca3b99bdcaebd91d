"""The whole scheduler in a few figures."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Sum
from django.db.models.functions import Coalesce

from django_sched_tasks import conf, database
from django_sched_tasks.api.rows import utc_text
from django_sched_tasks.models import ExecutionStatus, SchedulerNode, SchedulerTask, TaskExecution, TaskStatus
from django_sched_tasks.models.execution import OPEN_STATUSES

PERIOD = timedelta(hours=24)


def figures(now: datetime) -> dict[str, Any]:
    """Tasks and what is open as they stand, executions by their fire times of the last day, live nodes."""
    using = database.alias()
    since = now - PERIOD
    by_status = _counted(SchedulerTask.objects.using(using), "status")
    return {
        "tasks": {status.name.lower(): by_status.get(status.value, 0) for status in TaskStatus},
        "since": utc_text(since),
        "executions": _executions(since, now, using),
        **_open(now, using),
        "nodes": _nodes(now, using),
    }


def _counted(rows: Any, field: str) -> dict[Any, int]:
    return dict(rows.order_by().values_list(field).annotate(Count("pk")))


def _executions(since: datetime, now: datetime, using: str) -> dict[str, int]:
    # In two, so that each is a range of the index that begins with the task and the fire time.
    rows = TaskExecution.objects.using(using).filter(fire_at__gte=since, fire_at__lte=now)
    of_tasks = _counted(rows.filter(task__in=SchedulerTask.objects.using(using).values("pk")), "status")
    of_deleted_ones = _counted(rows.filter(task__isnull=True), "status")
    return {status: of_tasks.get(status, 0) + of_deleted_ones.get(status, 0) for status in ExecutionStatus.values}


def _open(now: datetime, using: str) -> dict[str, Any]:
    rows = TaskExecution.objects.using(using).open()
    counts = _counted(rows, "status")
    due = rows.filter(status=ExecutionStatus.QUEUED, run_at__lte=now)
    oldest = due.aggregate(oldest=Min("run_at"))["oldest"]
    return {
        "open": {status.value: counts.get(status, 0) for status in OPEN_STATUSES},
        "oldest_waiting": None if oldest is None else round((now - oldest).total_seconds(), 3),
    }


def _nodes(now: datetime, using: str) -> dict[str, int]:
    alive = SchedulerNode.objects.using(using).live()
    alive = alive.filter(heartbeat_at__gte=now - timedelta(seconds=conf.node_timeout()))
    return alive.aggregate(
        alive=Count("pk"), slots=Coalesce(Sum("slots"), 0), slots_in_use=Coalesce(Sum("slots_in_use"), 0)
    )
