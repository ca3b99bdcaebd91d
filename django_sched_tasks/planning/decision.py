"""What a task's due fire times become: a pure decision, no query, no clock."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings

from django_sched_tasks import triggers
from django_sched_tasks.exceptions import InvalidDefinition, InvalidTrigger
from django_sched_tasks.exclusions import Exclusions
from django_sched_tasks.exclusions import build as build_exclusions
from django_sched_tasks.models.execution import ExecutionStatus, Reason
from django_sched_tasks.models.task import Overlap, TaskStatus
from django_sched_tasks.triggers.zones import zone_named

# How many fire times of one task a pass settles one by one; the next pass goes on where it stopped.
SETTLE_LIMIT = 10_000
# How often, in one pass, it goes from an excluded stretch to a free one or back.
STRETCHES = 1_000
NO_EXCLUSIONS = "[]"
MICROSECOND = timedelta(microseconds=1)
CENTURY = timedelta(days=36_500)


class When(NamedTuple):
    """The part of a task that says when; ``args`` is the JSON text as the database gave it."""

    trigger: str
    args: str
    timezone: str
    status: int


@dataclass(slots=True)
class TaskRow:
    """A task as the planner reads it."""

    id: int
    version: int
    when: When
    planned: When | None
    next_run: datetime | None
    planned_through: datetime | None
    anchor: datetime | None
    misfire_grace_time: int | None
    coalesce: bool
    max_catch_up: int
    max_instances: int | None
    overlap: str
    concurrency_key: str
    max_runs: int | None = None
    planned_runs: int = 0
    exclusions: str = NO_EXCLUSIONS  # JSON text

    @property
    def runs_left(self) -> int | None:
        """How many more runs of its schedule may be planned; None: any number."""
        return None if self.max_runs is None else max(self.max_runs - self.planned_runs, 0)


@dataclass(frozen=True, slots=True)
class Active:
    """The open executions that count against the task's limit."""

    open: int = 0
    queued: int = 0


@dataclass(frozen=True, slots=True)
class LastRow:
    """The task's latest row of kind ``schedule``: what follows it without a break may be added to it."""

    id: int
    status: str
    reason: str

    @property
    def is_coalescing(self) -> bool:
        return self.status == ExecutionStatus.QUEUED and self.reason == Reason.COALESCING


@dataclass(slots=True)
class Segment:
    """Fire times that one execution row stands for; ``admitted``: it may be claimed at once."""

    status: ExecutionStatus
    reason: Reason
    fire_at: datetime
    run_at: datetime
    covers: int
    admitted: bool = False

    def may_grow(self, last: LastRow) -> bool:
        """Whether it is more of the same: skipped or missed for the same reason."""
        return self.status != ExecutionStatus.QUEUED and (self.status, self.reason) == (last.status, last.reason)


class Merge(NamedTuple):
    """A segment that the task's latest row takes in, instead of a row of its own."""

    row: int
    part: int


@dataclass(slots=True)
class Decision:
    """What to write for one task."""

    when: When
    next_run: datetime | None
    planned_through: datetime | None
    anchor: datetime
    segments: list[Segment] = field(default_factory=list)
    merge: Merge | None = None
    lets_go: int | None = None  # the row that gathered fire times and takes no more of them
    schedule_error: str = ""
    replaces_waiting: bool = False
    follows: str = ""
    new_runs: int = 0  # how many runs it adds to those that were planned

    def covered(self, *statuses: ExecutionStatus) -> int:
        return sum(part.covers for part in self.segments if not statuses or part.status in statuses)


def decide(
    task: TaskRow, now: datetime, active: Active, last: LastRow | None, site_exclusions: str = NO_EXCLUSIONS
) -> Decision:
    """Settle what is due under the definition that was planned by, then go on with the present one."""
    anchor = task.anchor or now.astimezone(UTC).replace(microsecond=0)
    before = Decision(
        when=task.planned or task.when, next_run=task.next_run, planned_through=task.planned_through, anchor=anchor
    )
    settled = _settle(task, before, now, active, last, site_exclusions=site_exclusions) if task.planned else before
    if settled.next_run is not None and settled.next_run <= now:
        return settled  # more is due than one pass settles
    if task.planned != task.when:
        return _adopt(task, settled, now)
    return settled


def broken(task: TaskRow, now: datetime, error: str) -> Decision:
    """The decision for a task that cannot be decided: it stands still, visibly, until it is edited."""
    return Decision(
        when=task.when,
        next_run=None,
        planned_through=task.planned_through,
        anchor=task.anchor or now.replace(microsecond=0),
        schedule_error=error,
    )


def _adopt(task: TaskRow, settled: Decision, now: datetime) -> Decision:
    """Go on by the definition that is new since the last pass, dated to this one."""
    through = max(now, settled.planned_through or now)
    changed = replace(settled, when=task.when, planned_through=through, next_run=None, schedule_error="")
    if task.when.status == TaskStatus.PAUSED:
        return changed
    if task.when.status == TaskStatus.FINISHED and (task.planned is None or _same_trigger(task.planned, task.when)):
        return changed
    if task.runs_left is not None and task.runs_left <= settled.new_runs:
        return replace(changed, when=task.when._replace(status=TaskStatus.FINISHED))
    try:
        trigger = _trigger(task.when, settled.anchor)
        if trigger.follows:
            active = task.when._replace(status=TaskStatus.ACTIVE)
            return replace(changed, follows=trigger.follows, when=active)
        next_run = trigger.next_after(through)
        if next_run is None and task.when.trigger == "date":
            # One that came by SQL a moment ahead may be past by now: it has not been planned, so it still fires.
            next_run = trigger.next_after(settled.planned_through or through - CENTURY)
    except InvalidTrigger as error:
        return replace(changed, schedule_error=str(error))
    return replace(
        changed,
        next_run=next_run,
        planned_through=settled.planned_through if task.when.trigger == "date" else through,
        when=task.when._replace(status=TaskStatus.FINISHED if next_run is None else TaskStatus.ACTIVE),
    )


def _same_trigger(one: When, other: When) -> bool:
    return one[:3] == other[:3]


def _settle(
    task: TaskRow, before: Decision, now: datetime, active: Active, last: LastRow | None, *, site_exclusions: str
) -> Decision:
    """Turn the fire times up to ``now`` into segments, under the definition that was planned by."""
    first = before.next_run
    if before.when.status != TaskStatus.ACTIVE or first is None or first > now:
        return before
    gathering = last.id if last is not None and last.is_coalescing else None
    if task.runs_left == 0 and not gathering:  # the limit was lowered by other hands
        return replace(before, next_run=None, when=before.when._replace(status=TaskStatus.FINISHED))
    try:
        trigger = _trigger(before.when, before.anchor)
        exclusions = _exclusions(task.exclusions, site_exclusions, trigger, before.when.timezone)
    except InvalidDefinition as error:
        return replace(before, next_run=None, schedule_error=str(error), lets_go=gathering)
    if gathering:  # that row is ours to go on with, so it does not stand in our way
        active = Active(active.open - 1, active.queued - 1)
    plan = _Settling(task, trigger, now, active, exclusions)
    plan.run(first)
    if task.runs_left is not None:
        plan.end_after(task.runs_left + bool(gathering))  # whose run was counted when it began to gather
    merge = None if last is None else _merge(plan.segments, last)
    finished = plan.following is None
    return replace(
        before,
        segments=plan.segments,
        merge=merge,
        lets_go=gathering if merge is None else None,
        next_run=plan.following,
        planned_through=plan.through,
        replaces_waiting=plan.replaces_waiting,
        new_runs=plan.runs - (merge is not None and plan.segments[merge.part].status == ExecutionStatus.QUEUED),
        when=before.when._replace(status=TaskStatus.FINISHED) if finished else before.when,
    )


def _merge(segments: list[Segment], last: LastRow) -> Merge | None:
    """A run that is still gathering takes the next run in; else what follows the row without a break may be added."""
    if last.is_coalescing:
        runs = (index for index, part in enumerate(segments) if part.status == ExecutionStatus.QUEUED)
        index = next(runs, None)
        return None if index is None else Merge(last.id, index)
    return Merge(last.id, 0) if segments and segments[0].may_grow(last) else None


class _Settling:
    """The walk over the due fire times of one task."""

    def __init__(
        self, task: TaskRow, trigger: triggers.Trigger, now: datetime, active: Active, exclusions: Exclusions | None
    ) -> None:
        self.task = task
        self.trigger = trigger
        self.now = now
        self.active = active
        self.exclusions = exclusions
        self.excluded: list[triggers.Scan] = []  # the fire times that are, in stretches without a free one in between
        self.was_excluded = False  # the latest one
        self.segments: list[Segment] = []
        self.following: datetime | None = None
        self.through: datetime | None = None
        self.replaces_waiting = False

    @property
    def room(self) -> int | None:
        """How many more executions may be open; None: any number."""
        limit = self.task.max_instances
        return None if limit is None else max(limit - self.active.open, 0)

    def run(self, first: datetime) -> None:
        start = self._miss_too_old(first)
        if start is not None and start <= self.now and start >= self._oldest_in_grace(start):
            self._take(start)
        if self.excluded:
            self.segments += [
                Segment(ExecutionStatus.SKIPPED, Reason.EXCLUDED, scan.first, scan.first, scan.count)
                for scan in self.excluded
            ]
            self.segments.sort(key=lambda part: part.fire_at)

    @property
    def runs(self) -> int:
        return sum(part.status == ExecutionStatus.QUEUED for part in self.segments)

    def end_after(self, most: int) -> None:
        """The last run that the limit allows ends the schedule: what was due after it is not due any more."""
        queued = [index for index, part in enumerate(self.segments) if part.status == ExecutionStatus.QUEUED]
        if len(queued) < most or not queued or self.segments[queued[most - 1]].reason == Reason.COALESCING:
            return
        last = queued[most - 1]
        self.segments = self.segments[: last + 1]
        self.through, self.following = self.segments[last].fire_at, None

    def _oldest_in_grace(self, fallback: datetime) -> datetime:
        grace = self.task.misfire_grace_time
        return fallback if grace is None else self.now - timedelta(seconds=grace)

    def _miss_too_old(self, first: datetime) -> datetime | None:
        cutoff = self._oldest_in_grace(first)
        if first >= cutoff:
            return first
        scan = self._walk(first, cutoff - MICROSECOND)
        if scan is not None:
            self._add(ExecutionStatus.MISSED, Reason.GRACE, scan.first, scan.count)
        return self.following

    def _take(self, first: datetime) -> None:
        keep = 1 if self.task.coalesce else self.task.max_catch_up
        scan = self._walk(first, self.now, keep=keep)
        if scan is None:
            return
        if self.was_excluded and not self._is_complete():
            self._go_back_to(scan.last)
        overlapped = self.room == 0
        if self.task.coalesce:
            take = self._overlap_one if overlapped else self._queue_one
        else:
            take = self._overlap_many if overlapped else self._queue_many
        take(scan)

    def _walk(self, first: datetime, until: datetime, *, keep: int = 0) -> triggers.Scan | None:
        """The fire times from ``first`` to ``until`` that may run, as one scan; the excluded ones are put aside."""
        if self.exclusions is None:
            scan = self.trigger.scan(first, until, limit=SETTLE_LIMIT, keep=keep)
            self._reached(scan)
            return scan
        free: triggers.Scan | None = None
        at, left = first, SETTLE_LIMIT
        for _stretch in range(STRETCHES):
            is_excluded, change = self.exclusions.at(at)
            stop = until if change is None else min(until, change - MICROSECOND)
            scan = self.trigger.scan(at, stop, limit=left, keep=0 if is_excluded else keep)
            self._reached(scan)
            if is_excluded:
                self._put_aside(scan)
            else:
                free = scan if free is None else free.with_later(scan, keep=keep)
            self.was_excluded = is_excluded
            left -= scan.count if self.trigger.walks else 1
            if scan.following is None or scan.following > until or left <= 0:
                break
            at = scan.following
        return free

    def _put_aside(self, scan: triggers.Scan) -> None:
        if self.was_excluded and self.excluded:
            self.excluded[-1] = self.excluded[-1].with_later(scan, keep=0)
        else:
            self.excluded.append(scan)

    def _go_back_to(self, last: datetime) -> None:
        """End the pass with a fire time that may run: one that gathers more must stay the task's latest row."""
        self.through, self.following = last, self.excluded.pop().first
        self.was_excluded = False

    def _reached(self, scan: triggers.Scan) -> None:
        self.through = scan.last
        self.following = scan.following

    def _is_complete(self) -> bool:
        return self.following is None or self.following > self.now

    # One execution for all that is due.

    def _queue_one(self, scan: triggers.Scan) -> None:
        if self._is_complete():
            self._queue(scan.last, scan.count, self.following, admitted=self.room != 0)
        else:
            self._queue(scan.last, scan.count, self.following, admitted=False, reason=Reason.COALESCING)

    def _overlap_one(self, scan: triggers.Scan) -> None:
        if self.task.overlap == Overlap.SKIP:
            self._add(ExecutionStatus.SKIPPED, Reason.OVERLAP, scan.first, scan.count)
        elif self.task.overlap == Overlap.QUEUE and self.active.queued >= self.task.max_catch_up:
            self._add(ExecutionStatus.SKIPPED, Reason.QUEUE_FULL, scan.first, scan.count)
        else:
            self.replaces_waiting = self.task.overlap == Overlap.REPLACE
            self._queue_one(scan)

    # An execution for each fire time, one after another.

    def _queue_many(self, scan: triggers.Scan) -> None:
        tail = self._drop_all_but_tail(scan)
        room = self.room
        for index, fire_at in enumerate(tail):
            following = tail[index + 1] if index + 1 < len(tail) else self.following
            self._queue(fire_at, 1, following, admitted=room is None or index < room)

    def _overlap_many(self, scan: triggers.Scan) -> None:
        tail = self._drop_all_but_tail(scan)
        if not tail:
            return
        if self.task.overlap == Overlap.SKIP:
            self._add(ExecutionStatus.SKIPPED, Reason.OVERLAP, tail[0], len(tail))
            return
        if self.task.overlap == Overlap.REPLACE:
            self.replaces_waiting = True
            if len(tail) > 1:
                self._add(ExecutionStatus.SKIPPED, Reason.REPLACED, tail[0], len(tail) - 1)
            self._queue(tail[-1], 1, self.following, admitted=False)
            return
        fits = max(self.task.max_catch_up - self.active.queued, 0)
        for index, fire_at in enumerate(tail[:fits]):
            following = tail[index + 1] if index + 1 < len(tail) else self.following
            self._queue(fire_at, 1, following, admitted=False)
        if tail[fits:]:
            self._add(ExecutionStatus.SKIPPED, Reason.QUEUE_FULL, tail[fits], len(tail) - fits)

    def _drop_all_but_tail(self, scan: triggers.Scan) -> list[datetime]:
        """Miss what is more than may be caught up; while more is to come, that is all of it."""
        tail = list(scan.tail) if self._is_complete() else []
        if scan.count > len(tail):
            self._add(ExecutionStatus.MISSED, Reason.CATCH_UP, scan.first, scan.count - len(tail))
        return tail

    def _queue(
        self,
        fire_at: datetime,
        covers: int,
        following: datetime | None,
        *,
        admitted: bool,
        reason: Reason = Reason.NONE,
    ) -> None:
        run_at = fire_at + self.trigger.offset(self.task.id, fire_at, following)
        may_go = admitted and not self.task.concurrency_key  # a shared limit is granted under its own lock
        self.segments.append(Segment(ExecutionStatus.QUEUED, reason, fire_at, run_at, covers, may_go))

    def _add(self, status: ExecutionStatus, reason: Reason, fire_at: datetime, covers: int) -> None:
        self.segments.append(Segment(status, reason, fire_at, fire_at, covers))


def _trigger(when: When, anchor: datetime) -> triggers.Trigger:
    return _build(when.trigger, when.args, when.timezone or settings.TIME_ZONE, anchor)


def _exclusions(own: str, of_site: str, trigger: triggers.Trigger, timezone: str) -> Exclusions | None:
    """What the lists of the task and of the site cover on the clocks of its trigger; None where that is nothing."""
    if own == of_site == NO_EXCLUSIONS:
        return None
    return _build_exclusions(own, of_site, trigger.read_in(zone_named(timezone, field="timezone")))


@lru_cache(maxsize=1024)
def _build_exclusions(own: str, of_site: str, zone: ZoneInfo) -> Exclusions | None:
    try:
        lists = [json.loads(text) for text in (own, of_site)]
    except ValueError as error:
        raise InvalidDefinition({"exclusions": f"not JSON: {error}"}) from error
    return build_exclusions(*lists, zone=zone) or None


@lru_cache(maxsize=4096)
def _build(trigger: str, args: str, timezone: str, anchor: datetime) -> triggers.Trigger:
    """Triggers are immutable, and parsing one costs more than asking it: keep those of the busy tasks."""
    try:
        parsed = json.loads(args)
    except ValueError as error:
        raise InvalidTrigger({"trigger_args": f"not JSON: {error}"}) from error
    return triggers.build(trigger, parsed, timezone=timezone, anchor=anchor)
