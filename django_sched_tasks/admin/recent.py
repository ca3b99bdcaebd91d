"""The latest outcomes of many tasks at once, at a cost that does not grow with their history."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from statistics import median

from django.db.models import OuterRef, Q, Subquery

from django_sched_tasks.models import ExecutionStatus, SchedulerTask, TaskExecution
from django_sched_tasks.models.execution import FAILURE_STATUSES

LATEST = 20
# Backwards through the unique index, so that a long history costs nothing.
BACKWARDS = ("-fire_at", "-kind", "-request", "-attempt")
_COLUMNS = ("task", "task_name", "status", "duration", "fire_at", "finished_at")


@dataclass(slots=True)
class Recent:
    """What the latest ended executions of a task came to, oldest first."""

    executions: list[TaskExecution] = field(default_factory=list)

    @property
    def last(self) -> TaskExecution | None:
        return self.executions[-1] if self.executions else None

    @property
    def success_rate(self) -> float | None:
        """The share of runs that went well, of those that ran to an end; 0 to 1."""
        succeeded = sum(row.status == ExecutionStatus.SUCCEEDED for row in self.executions)
        failed = sum(row.status in FAILURE_STATUSES for row in self.executions)
        return succeeded / (succeeded + failed) if succeeded + failed else None

    @property
    def typical_duration(self) -> float | None:
        """Seconds that half of the successful runs stay below."""
        durations = [row.duration for row in self.executions if row.status == ExecutionStatus.SUCCEEDED]
        known = [duration for duration in durations if duration is not None]
        return median(known) if known else None


def recent(task_ids: Collection[int], most: int = LATEST) -> dict[int, Recent]:
    """The latest ended executions of each task, at most ``most``: two queries, each a short walk of an index."""
    found = {pk: Recent() for pk in task_ids}
    ended = TaskExecution.objects.filter(task=OuterRef("pk"), finished_at__isnull=False).order_by(*BACKWARDS)
    nth = Subquery(ended.values("fire_at")[most - 1 : most])
    bounds = SchedulerTask.objects.filter(pk__in=found).order_by().annotate(since=nth).values_list("pk", "since")
    wanted = Q()
    for pk, since in bounds:
        wanted |= Q(task_id=pk) if since is None else Q(task_id=pk, fire_at__gte=since)
    if not wanted:
        return found
    rows = TaskExecution.objects.filter(wanted, finished_at__isnull=False).only(*_COLUMNS)
    for row in sorted(rows, key=lambda row: (row.fire_at, row.pk)):
        if row.task_id is not None:
            found[row.task_id].executions.append(row)
    for one in found.values():
        del one.executions[:-most]
    return found
