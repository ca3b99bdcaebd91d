"""Which queues nobody serves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django_sched_tasks import conf, database
from django_sched_tasks.models import ExecutionStatus, SchedulerNode, SchedulerTask, TaskExecution, TaskStatus


def unserved_queues(now: datetime | None = None) -> list[str]:
    """The queues of active tasks and of waiting executions that no live node serves, in the order of their names.

    Empty while no node is alive at all: then it is not the queues that are the matter.
    """
    using = database.alias()
    alive = SchedulerNode.objects.using(using).live()
    alive = alive.filter(heartbeat_at__gte=(now or database.now(using)) - timedelta(seconds=conf.node_timeout()))
    return unserved_by(list(alive), using)


def unserved_by(nodes: Sequence[SchedulerNode], using: str) -> list[str]:
    """The same, where the live nodes are known."""
    of_nodes = [node.queues for node in nodes]
    if not of_nodes or None in of_nodes:
        return []
    served = {queue for queues in of_nodes for queue in queues or ()}
    tasks = SchedulerTask.objects.using(using).filter(status=TaskStatus.ACTIVE)
    waiting = TaskExecution.objects.using(using).open().filter(status=ExecutionStatus.QUEUED)
    return sorted({*_queues(tasks), *_queues(waiting)} - served)


def _queues(rows: Any) -> list[str]:
    return list(rows.order_by().values_list("queue", flat=True).distinct())
