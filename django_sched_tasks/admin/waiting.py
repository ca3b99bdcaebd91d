"""Why an execution has not started: what stands in its way, as a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from django_sched_tasks import conf
from django_sched_tasks.models import ExecutionStatus, NodeState, SchedulerNode, TaskExecution

# So long after its time a fire time or an execution counts as late.
TOLERANCE = timedelta(seconds=30)


def live_nodes(now: datetime) -> list[SchedulerNode]:
    """The nodes that give a sign of life and take work."""
    since = now - timedelta(seconds=conf.node_timeout())
    return list(SchedulerNode.objects.filter(state=NodeState.ALIVE, heartbeat_at__gte=since).order_by("started_at"))


def why_waiting(execution: TaskExecution, nodes: Sequence[SchedulerNode], now: datetime, held: str) -> str:
    """What an execution that is queued or claimed waits for; "" for any other.

    ``held`` says why nothing starts at all, if that is so.
    """
    if execution.status == ExecutionStatus.CLAIMED:
        return _("A scheduler has taken it and is about to start it.")
    if execution.status != ExecutionStatus.QUEUED:
        return ""
    if execution.run_at > now:
        return _("Its time has not come.")
    if held:
        return held
    return _no_node_for(execution, nodes) or _held_up(execution, nodes)


def _no_node_for(execution: TaskExecution, nodes: Sequence[SchedulerNode]) -> str:
    if not nodes:
        return _("No scheduler is running.")
    serving = [node for node in nodes if _serves(node, execution)]
    if not serving:
        return _("No running scheduler serves the queue “%s”.") % execution.queue
    if not any(execution.executor in node.executors for node in serving):
        return _("No running scheduler has the executor “%s”.") % execution.executor
    return ""


def _serves(node: SchedulerNode, execution: TaskExecution) -> bool:
    return node.queues is None or execution.queue in node.queues


def _held_up(execution: TaskExecution, nodes: Sequence[SchedulerNode]) -> str:
    if execution.claim_rank is None:
        return _("Its task may not have more executions at the same time: it waits for one to end.")
    if execution.handed_back_at is not None:
        return _("No scheduler could resolve its function so far.")
    serving = [node for node in nodes if _serves(node, execution)]
    if all(node.slots_in_use >= node.slots for node in serving):
        return _("All slots are in use: it waits for a run to end.")
    return _("A scheduler takes it next.")
