"""What becomes of old history."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db.models import F, Sum

from django_sched_tasks import database
from django_sched_tasks.models import NodeState, SchedulerNode, SchedulerTask, TaskExecution
from django_sched_tasks.operations.commit import task_rows, transact

PRUNE_BATCH = 1000


def prune(days: float, *, now: datetime | None = None, until: Callable[[], bool] = lambda: False) -> int:
    """Delete executions that ended more than ``days`` ago, and the rows of nodes gone as long; answers how many runs.

    It goes in small batches, each a transaction of its own. What is deleted stays counted: a task's ``purged_covers``
    grows by the fire times that its rows stood for. It stops between two batches once ``until`` answers true.
    """
    using = database.alias()
    cutoff = (now or database.now(using)) - timedelta(days=days)
    old = TaskExecution.objects.using(using).filter(finished_at__lt=cutoff).order_by("pk").values_list("pk", flat=True)
    deleted = 0
    while not until() and (ids := list(old[:PRUNE_BATCH])):
        deleted += transact(lambda ids=ids: _prune_batch(ids, using), using)  # type: ignore[misc]
    gone = SchedulerNode.objects.using(using).filter(state__in=(NodeState.STOPPED, NodeState.DEAD))
    gone.filter(heartbeat_at__lt=cutoff).delete()
    return deleted


def _prune_batch(ids: Collection[int], using: str) -> int:
    rows = TaskExecution.objects.using(using).filter(pk__in=ids)
    tasks = SchedulerTask.objects.using(using).filter(pk__in=rows.order_by().values("task_id"))
    list(tasks.order_by("pk").select_for_update().values_list("pk"))  # no planner adds to a row we have counted
    purged = rows.accounted().order_by().values_list("task_id").annotate(Sum("covers"))
    for task_id, covers in sorted((task_id, covers) for task_id, covers in purged if task_id is not None):
        task_rows(task_id, using).update(purged_covers=F("purged_covers") + covers)
    count, _by_model = rows.delete()
    return count
