"""Whether schedules are being kept, as the database tells it: the same answer on every host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_sched_tasks import conf, database, exclusions
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import (
    ExecutionStatus,
    NodeState,
    SchedulerNode,
    SchedulerState,
    SchedulerTask,
    TaskExecution,
)
from django_sched_tasks.operations.queues import unserved_by
from django_sched_tasks.operations.state import Environment, maintenance_in_words

LATE_AFTER = timedelta(seconds=30)  # beside the poll interval, for planning
WAITING_AFTER = timedelta(seconds=60)
STALLED_AFTER = timedelta(seconds=20)  # beside the intervals of the loop and of the signs of life


@dataclass(frozen=True, slots=True)
class Health:
    """What :func:`health` has found.

    ``problems`` are what keeps schedules from being kept, ``warnings`` what somebody should look at; both are
    sentences. ``oldest_waiting`` is in seconds: how long the first execution in the queue has been due.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    nodes: int = 0
    oldest_waiting: float | None = None

    @property
    def is_healthy(self) -> bool:
        return not self.problems


def health(now: datetime | None = None) -> Health:
    """Look at nodes, planning and the queue; a database that cannot be asked is a problem and not an exception."""
    using = database.alias()
    try:
        return _look(now or database.now(using), using)
    except DatabaseError as error:
        return Health([database.trouble(error)])


def _look(now: datetime, using: str) -> Health:
    nodes = list(SchedulerNode.objects.using(using).live().filter(heartbeat_at__gte=_alive_since(now)))
    state = SchedulerState.objects.using(using).first() or SchedulerState()
    of_environment = Environment(state.environment, conf.environment() or "").problem
    maintenance = maintenance_in_words(state, now)
    # What waits while nodes hold is no news, nor is it in the first moments afterwards.
    is_held = bool(of_environment) or state.is_in_maintenance(now - LATE_AFTER)
    oldest = None if is_held else _oldest_waiting(now, using)
    broken, idle = _broken(nodes, now), _standing_aside(nodes)
    works = len(nodes) > len(broken) + len(idle)
    return Health(
        problems=[
            *([of_environment] if of_environment else []),
            *(*_of_all(nodes), *broken, *([] if works else idle)),
            *(*([] if is_held else _of_planning(now, using)), *_of_unserved_queues(nodes, using)),
        ],
        warnings=[
            *(idle if works else []),
            *([maintenance] if maintenance else []),
            *_of_exclusions(state),
            *_of_queue(oldest),
            *_of_tasks(using),
        ],
        nodes=len(nodes),
        oldest_waiting=None if oldest is None else round(oldest.total_seconds(), 3),
    )


def _alive_since(now: datetime) -> datetime:
    return now - timedelta(seconds=conf.node_timeout())


def _of_all(nodes: Sequence[SchedulerNode]) -> list[str]:
    if any(node.state == NodeState.ALIVE for node in nodes):
        return []
    return [_("No scheduler is running: start one with 'manage.py runscheduler', or let the web server host one.")]


def _broken(nodes: Sequence[SchedulerNode], now: datetime) -> list[str]:
    """Nodes that give signs of life and do nothing else: somebody must look, even while others work."""
    return [text for node in nodes if (text := _stalled(node, now) or _stuck(node))]


def _stalled(node: SchedulerNode, now: datetime) -> str:
    patience = STALLED_AFTER + timedelta(seconds=2 * conf.poll_interval() + conf.heartbeat_interval())
    if node.loop_at is None or now - node.loop_at <= patience:
        return ""
    text = _("Node %(node)s does not work: its loop has had no complete pass for %(seconds)d s.")
    return text % {"node": node, "seconds": (now - node.loop_at).total_seconds()}


def _stuck(node: SchedulerNode) -> str:
    if not node.slots or node.stuck_slots < node.slots:
        return ""
    return _("Node %(node)s does not work: all its slots are held by runs that could not be ended.") % {"node": node}


def _standing_aside(nodes: Sequence[SchedulerNode]) -> list[str]:
    """Nodes that say themselves why they do nothing, as one of the last release does beside one of the next."""
    text = _("Node %(node)s does not work: %(problem)s")
    return [text % {"node": node, "problem": node.problem} for node in nodes if node.problem]


def _of_exclusions(state: SchedulerState) -> list[str]:
    try:
        exclusions.read(state.exclusions)
    except InvalidDefinition as error:
        return [_("The exclusions of all tasks cannot be read, so nothing is excluded by them: %s") % error]
    return []


def _of_planning(now: datetime, using: str) -> list[str]:
    late = now - LATE_AFTER - timedelta(seconds=conf.poll_interval())
    tasks = SchedulerTask.objects.using(using).filter(next_run__lt=late, plan_at__lt=late, status=1)
    first = tasks.order_by("plan_at", "id").values_list("name", "next_run").first()
    if first is None or first[1] is None:
        return []
    values = {"name": first[0], "seconds": (now - first[1]).total_seconds()}
    return [_("Task '%(name)s' has been due for %(seconds)d s, and nobody has planned it.") % values]


def _of_unserved_queues(nodes: Sequence[SchedulerNode], using: str) -> list[str]:
    queued = TaskExecution.objects.using(using).open().filter(status=ExecutionStatus.QUEUED)
    text = _("Queue '%(queue)s' is served by no live node; executions that wait in it: %(count)d.")
    return [text % {"queue": queue, "count": queued.filter(queue=queue).count()} for queue in unserved_by(nodes, using)]


def _oldest_waiting(now: datetime, using: str) -> timedelta | None:
    rows = TaskExecution.objects.using(using).claimable().filter(status=ExecutionStatus.QUEUED, run_at__lte=now)
    first = rows.order_by("run_at").values_list("run_at", flat=True).first()
    return None if first is None else now - first


def _of_queue(oldest: timedelta | None) -> list[str]:
    if oldest is None or oldest < WAITING_AFTER:
        return []
    text = _("An execution has waited %d s for a free slot: the nodes have too few, or none serves its queue.")
    return [text % oldest.total_seconds()]


def _of_tasks(using: str) -> list[str]:
    broken = SchedulerTask.objects.using(using).exclude(schedule_error="").count()
    if not broken:
        return []
    text = ngettext(
        "%d task has a trigger that cannot be planned.", "%d tasks have a trigger that cannot be planned.", broken
    )
    return [text % broken]
