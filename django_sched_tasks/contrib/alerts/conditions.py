"""What is the matter, as the database tells it now.

Each condition answers findings, at most :data:`MOST` of them, by few statements that need no look at the history: what
is open has an index, what has just ended is among the newest rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_sched_tasks import conf, operations
from django_sched_tasks.contrib.alerts.models import Alert, AlertWatch, Condition
from django_sched_tasks.contrib.alerts.rules import Rules
from django_sched_tasks.models import (
    ExecutionStatus,
    Kind,
    NodeState,
    SchedulerNode,
    SchedulerTask,
    TaskExecution,
    TaskStatus,
)
from django_sched_tasks.models.execution import FAILURE_STATUSES, NEVER_RAN
from django_sched_tasks.models.state import SchedulerState

MOST = 1_000
RECENT = 20_000  # rows of history, the newest, among which what has ended since the last look is looked for
OVERLAP = timedelta(seconds=60)  # by which one look reaches back behind the one before
NODE_GONE_FOR = timedelta(hours=1)  # for which a dead node that nobody has replaced is told

SCHEDULER = "scheduler"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is the matter. ``subject`` names what it concerns, the same at every look."""

    condition: Condition
    subject: str
    title: str
    detail: str = ""
    task_id: int | None = None
    execution_id: int | None = None


@dataclass(slots=True)
class Look:
    """One look at everything; what must be handed on to the next one is written into ``watch``.

    ``still`` are the open alerts, by condition and subject, that go on without being found anew. ``lasting`` says since
    when what must last for a while has been so.
    """

    now: datetime
    using: str
    rules: Rules
    watch: AlertWatch
    still: set[tuple[str, str]] = field(default_factory=set)
    lasting: dict[str, str] = field(default_factory=dict)
    is_suspended: bool = False

    def ago(self, seconds: float) -> datetime:
        return self.now - timedelta(seconds=seconds)


def find(look: Look) -> list[Finding]:
    """All findings, those that no rule wants left out."""
    state = SchedulerState.objects.using(look.using).first()
    until = None if state is None else state.maintenance_until
    look.is_suspended = until is not None and until > look.now
    found = [finding for finder in _FINDERS for finding in finder(look)]
    look.watch.pending = look.lasting
    return found


def _of_failures(look: Look) -> Iterator[Finding]:
    """Failed in a row, and lost: what stands open is over with the next run that goes well."""
    seen = _newly_failed(look)
    opened = _open_subjects(look, Condition.FAILED, Condition.LOST)
    went_well = _whose_latest_went_well(look, set(opened))
    for task_id, alerts in opened.items():
        if task_id not in went_well:
            wanted = (alert for alert in alerts if look.rules.of(alert.condition, task_id).is_enabled)
            look.still |= {(alert.condition, alert.subject) for alert in wanted}
    tasks = SchedulerTask.objects.using(look.using).in_bulk([pk for pk in seen if pk not in went_well])
    for task_id, failed in seen.items():
        if task_id in tasks:
            yield from _judge_failures(look, tasks[task_id], failed)


@dataclass(slots=True)
class _Failed:
    execution_id: int
    was_lost: bool = False
    error: str = ""


def _judge_failures(look: Look, task: SchedulerTask, failed: _Failed) -> Iterator[Finding]:
    wanted = look.rules.of(Condition.FAILED, task.pk)
    errors = operations.latest_failures(task.pk, wanted.threshold)
    subject = f"task:{task.pk}"
    if wanted.is_enabled and len(errors) >= wanted.threshold:
        text = ngettext("%(task)s failed", "%(task)s failed %(count)d times in a row", len(errors))
        title = text % {"task": task.name, "count": len(errors)}
        yield Finding(Condition.FAILED, subject, title, errors[0], task.pk, failed.execution_id)
    if failed.was_lost and errors and look.rules.of(Condition.LOST, task.pk).is_enabled:
        title = _("A run of %s was lost") % task.name
        yield Finding(Condition.LOST, subject, title, failed.error, task.pk, failed.execution_id)


def _newly_failed(look: Look) -> dict[int, _Failed]:
    """The tasks of which a run has failed since the last look.

    Those are among the newest rows, or were running at that look: no index tells what ended when.
    """
    watch, rows = look.watch, TaskExecution.objects.using(look.using)
    newest = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    since = (watch.looked_at or look.now) - OVERLAP
    oldest = min(watch.last_execution, newest - RECENT) if watch.last_execution else newest - RECENT
    recent = Q(pk__gt=max(oldest, newest - 5 * RECENT)) | Q(pk__in=watch.running)
    failures = rows.filter(recent, status__in=FAILURE_STATUSES, finished_at__gte=since, task__isnull=False)
    found: dict[int, _Failed] = {}
    for pk, task_id, status, error in failures.order_by("pk").values_list("pk", "task_id", "status", "error")[:MOST]:
        one = found.setdefault(task_id or 0, _Failed(pk))
        one.execution_id = pk
        if status == ExecutionStatus.LOST:
            one.was_lost, one.error = True, error
    running = rows.open().filter(started_at__isnull=False)
    watch.running = list(running.order_by("pk").values_list("pk", flat=True)[:MOST])
    watch.last_execution = newest
    return found


def _open_subjects(look: Look, *conditions: Condition) -> dict[int, list[Alert]]:
    found: dict[int, list[Alert]] = {}
    rows = Alert.objects.using(look.using).filter(open_key__isnull=False, condition__in=conditions)
    for alert in rows.filter(task__isnull=False):
        found.setdefault(alert.task_id or 0, []).append(alert)
    return found


def _whose_latest_went_well(look: Look, task_ids: set[int]) -> set[int]:
    latest = TaskExecution.objects.filter(task=OuterRef("pk"), finished_at__isnull=False).exclude(status__in=NEVER_RAN)
    status = Subquery(latest.order_by("-fire_at", "-attempt").values("status")[:1])
    rows = SchedulerTask.objects.using(look.using).filter(pk__in=sorted(task_ids)).annotate(latest=status)
    return {pk for pk, status in rows.values_list("pk", "latest") if status not in FAILURE_STATUSES}


def _overdue(look: Look) -> Iterator[Finding]:
    """Due, and neither planned nor started; what waits behind a limit of its task is not meant, nor a backfill."""
    least = look.rules.least(Condition.OVERDUE)
    if least is None or look.is_suspended:
        return
    unplanned = SchedulerTask.objects.using(look.using).filter(
        status=TaskStatus.ACTIVE, next_run__lt=look.ago(least), plan_at__lt=look.ago(least)
    )
    for pk, name, since in unplanned.order_by("plan_at").values_list("pk", "name", "next_run")[:MOST]:
        if since is not None:
            yield from _late(look, _Subject(pk, name), since, _("Nobody has planned it."))
    waiting = TaskExecution.objects.using(look.using).claimable().filter(run_at__lt=look.ago(least))
    waiting = waiting.filter(status=ExecutionStatus.QUEUED).exclude(kind=Kind.BACKFILL).order_by("run_at")
    for pk, task_id, name, func, since, queue in waiting.values_list(
        "pk", "task_id", "task_name", "func", "run_at", "queue"
    )[:MOST]:
        text = _("Execution %(id)d waits in the queue '%(queue)s' for a free slot.") % {"id": pk, "queue": queue}
        yield from _late(look, _Subject(task_id, name, func, pk), since, text)


@dataclass(frozen=True, slots=True)
class _Subject:
    task_id: int | None
    name: str
    func: str = ""
    execution_id: int | None = None

    @property
    def key(self) -> str:
        return f"func:{self.func}" if self.task_id is None else f"task:{self.task_id}"


def _late(look: Look, subject: _Subject, since: datetime, detail: str) -> Iterator[Finding]:
    rule = look.rules.of(Condition.OVERDUE, subject.task_id)
    seconds = (look.now - since).total_seconds()
    if rule.is_enabled and seconds >= rule.threshold:
        title = _("%(task)s is overdue by %(seconds)d s") % {"task": subject.name, "seconds": seconds}
        yield Finding(Condition.OVERDUE, subject.key, title, detail, subject.task_id, subject.execution_id)


def _running_long(look: Look) -> Iterator[Finding]:
    least = look.rules.least(Condition.RUNNING_LONG)
    if least is None:
        return
    running = TaskExecution.objects.using(look.using).open()
    running = running.filter(status=ExecutionStatus.RUNNING, started_at__lt=look.ago(least)).order_by("started_at")
    for pk, task_id, name, func, since in running.values_list("pk", "task_id", "task_name", "func", "started_at")[
        :MOST
    ]:
        subject, rule = _Subject(task_id, name, func, pk), look.rules.of(Condition.RUNNING_LONG, task_id)
        seconds = (look.now - since).total_seconds() if since is not None else 0.0
        if rule.is_enabled and seconds >= rule.threshold:
            title = _("%(task)s has been running for %(seconds)d s") % {"task": name, "seconds": seconds}
            detail = _("Execution %d.") % pk
            yield Finding(Condition.RUNNING_LONG, subject.key, title, detail, task_id, pk)


def _schedule_errors(look: Look) -> Iterator[Finding]:
    broken = SchedulerTask.objects.using(look.using).exclude(schedule_error="").order_by("pk")
    for pk, name, error in broken.values_list("pk", "name", "schedule_error")[:MOST]:
        if look.rules.of(Condition.SCHEDULE_ERROR, pk).is_enabled:
            title = _("The trigger of %s cannot be planned") % name
            yield Finding(Condition.SCHEDULE_ERROR, f"task:{pk}", title, error, pk)


def _of_nodes(look: Look) -> Iterator[Finding]:
    silent = look.ago(conf.node_timeout())
    wanted = Q(state__in=(NodeState.ALIVE, NodeState.STOPPING)) | Q(
        state=NodeState.DEAD, stopped_at__gte=look.now - NODE_GONE_FOR
    )
    nodes = list(SchedulerNode.objects.using(look.using).filter(wanted).order_by("started_at"))
    live = [node for node in nodes if node.state != NodeState.DEAD and node.heartbeat_at >= silent]
    yield from _gone(look, [node for node in nodes if node not in live], live)
    if not live:
        yield from _no_node(look)
    yield from _unserved(look)


def _gone(look: Look, gone: list[SchedulerNode], live: list[SchedulerNode]) -> Iterator[Finding]:
    """Dead, and not replaced by one that was started on the same host since."""
    if not look.rules.of(Condition.NODE_GONE).is_enabled:
        return
    for node in gone[:MOST]:
        if any(other.host == node.host and other.started_at > node.heartbeat_at for other in live):
            continue
        title = _("Scheduler node %s is gone") % node
        text = _("It was started by %(by)s at %(at)s and gave its last sign of life at %(last)s.")
        detail = text % {
            "by": node.started_by,
            "at": f"{node.started_at:%Y-%m-%d %H:%M:%S} UTC",
            "last": f"{node.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC",
        }
        yield Finding(Condition.NODE_GONE, f"node:{node.pk}", title, detail)


def _no_node(look: Look) -> Iterator[Finding]:
    rule = look.rules.of(Condition.NO_NODE)
    if rule.is_enabled and _has_lasted(look, Condition.NO_NODE, SCHEDULER, rule.threshold):
        detail = _("Start one with 'manage.py runscheduler', or let the web server host one.")
        yield Finding(Condition.NO_NODE, SCHEDULER, _("No scheduler is running"), detail)


def _unserved(look: Look) -> Iterator[Finding]:
    rule = look.rules.of(Condition.QUEUE_UNSERVED)
    if not rule.is_enabled or look.is_suspended:
        return
    for queue in operations.unserved_queues(look.now)[:MOST]:
        if _has_lasted(look, Condition.QUEUE_UNSERVED, f"queue:{queue}", rule.threshold):
            title = _("Queue '%s' is served by no node") % queue
            detail = _("Tasks name it, or executions wait in it. Start a node that serves it, or correct its name.")
            yield Finding(Condition.QUEUE_UNSERVED, f"queue:{queue}", title, detail)


def _has_lasted(look: Look, condition: Condition, subject: str, seconds: float) -> bool:
    """Whether it was so at every look for so long; the first one begins to count."""
    key = f"{condition}:{subject}"
    first = look.lasting[key] = look.watch.pending.get(key) or look.now.isoformat()
    return (look.now - datetime.fromisoformat(first)).total_seconds() >= seconds


_FINDERS: tuple[Callable[[Look], Iterator[Finding]], ...] = (
    _of_failures,
    _overdue,
    _running_long,
    _schedule_errors,
    _of_nodes,
)
