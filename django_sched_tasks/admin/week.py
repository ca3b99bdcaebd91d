"""A week of a task: what ran and what will run when, day by day on the clocks of its zone, collisions marked.

A collision is a time at which the task would run twice: a fire time that comes while a run before it goes on, or went
on; runs of tasks that share its concurrency key count as its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from django.conf import settings
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_sched_tasks import database, operations, triggers
from django_sched_tasks.admin import drawing, show
from django_sched_tasks.admin.base import Links
from django_sched_tasks.admin.drawing import Mark
from django_sched_tasks.admin.panel import in_words
from django_sched_tasks.admin.recent import recent
from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.models import Reason, SchedulerTask, TaskExecution, TaskStatus
from django_sched_tasks.triggers.zones import zone_named

DAYS = 7
MOST_RUNS = 1000
MOST_FIRE_TIMES = 2100  # every five minutes of a week
MOST_SHARING = 10
COLLIDED = (Reason.OVERLAP, Reason.QUEUE_FULL, Reason.REPLACED)


@dataclass(frozen=True, slots=True)
class Day:
    label: str
    lane: Any
    summary: str
    is_today: bool


@dataclass(frozen=True, slots=True)
class Week:
    zone: str
    days: list[Day]
    collisions: int
    is_cut: bool  # there is more than is drawn
    problem: str


def read(task: SchedulerTask, offset: int, links: Links, *, now: datetime) -> Week:
    """The week around now, or ``offset`` weeks later: three queries and those of the latest outcomes."""
    zone, problem = _zone_of(task)
    first = now.astimezone(zone).date() + timedelta(days=DAYS * offset - DAYS // 2)
    begin, end = _midnight(first, zone), _midnight(first + timedelta(days=DAYS), zone)
    ran, cut_before = _ran(task, begin, end, links, now)
    ahead, cut_after, trouble = _ahead(task, begin, end, now)
    marks, collisions = _with_collisions([*ran, *ahead])
    days = [_day(first + timedelta(days=number), zone, marks, now) for number in range(DAYS)]
    return Week(str(zone), days, collisions, cut_before or cut_after, problem or trouble)


def _zone_of(task: SchedulerTask) -> tuple[tzinfo, str]:
    try:
        return zone_named(task.timezone, field="timezone"), ""
    except InvalidTrigger as error:
        return zone_named(settings.TIME_ZONE, field="timezone"), str(error)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def _sharing(task: SchedulerTask) -> list[SchedulerTask]:
    """The task, and those that share its limit."""
    if not task.concurrency_key:
        return [task]
    others = SchedulerTask.objects.filter(concurrency_key=task.concurrency_key, status=TaskStatus.ACTIVE)
    return [task, *others.exclude(pk=task.pk).order_by("pk")[:MOST_SHARING]]


def _ran(task: SchedulerTask, begin: datetime, end: datetime, links: Links, now: datetime) -> tuple[list[Mark], bool]:
    if begin > now:
        return [], False
    rows = TaskExecution.objects.filter(task=task, fire_at__gte=begin, fire_at__lt=end).order_by("-fire_at")
    columns = ("task_name", "status", "reason", "fire_at", "started_at", "finished_at", "duration")
    found = list(rows.only(*columns)[: MOST_RUNS + 1])
    return [_run_mark(row, links, now) for row in found[:MOST_RUNS]], len(found) > MOST_RUNS


def _run_mark(row: TaskExecution, links: Links, now: datetime) -> Mark:
    start = row.started_at or row.fire_at
    end = (row.finished_at or now) if row.started_at else start
    took = f", {show.duration(row.duration)}" if row.duration is not None else ""
    why = f": {row.get_reason_display()}" if row.reason else ""
    title = f"#{row.pk} {show.moment_text(start)} {row.get_status_display()}{took}{why}"
    tone = "clash" if row.reason in COLLIDED else show.TONES.get(row.status, "quiet")
    return Mark(start, max(start, end), tone, title, links.to(TaskExecution, row.pk))


def _ahead(task: SchedulerTask, begin: datetime, end: datetime, now: datetime) -> tuple[list[Mark], bool, str]:
    """Where it will fire, each as long as it typically takes."""
    after = max(begin, now)
    if after >= end or task.status == TaskStatus.FINISHED:
        return [], False, ""
    sharing = _sharing(task)
    typical = recent([one.pk for one in sharing])
    marks: list[Mark] = []
    is_cut = False
    for one in sharing:
        try:
            times = _fire_times(one, after)
        except InvalidTrigger as error:
            return marks, is_cut, str(error)
        notes = operations.notes_of(operations.exclusions_of(one, using=database.alias()), times)
        long = timedelta(seconds=typical[one.pk].typical_duration or 0)
        for fire_at in (moment for moment in times if moment < end):
            name = "" if one is task else f"{show.printable(one.name)}, "
            title = name + _("to come: %s") % show.moment_text(fire_at, zone_named(task.timezone, field="timezone"))
            if fire_at in notes:
                marks.append(Mark(fire_at, fire_at, "quiet", f"{title}: {show.excluded(notes[fire_at])}"))
                continue
            marks.append(Mark(fire_at, fire_at + long, "ahead" if one is task else "other", title))
        if len(times) == MOST_FIRE_TIMES and times[-1] < end:
            is_cut = True
            marks.append(Mark(times[-1], end, "ahead" if one is task else "other", in_words(one)))
    return marks, is_cut, ""


def _fire_times(task: SchedulerTask, after: datetime) -> list[datetime]:
    return triggers.preview(
        task.trigger, task.trigger_args, timezone=task.timezone, after=after, count=MOST_FIRE_TIMES, anchor=task.anchor
    )


def _with_collisions(marks: Iterable[Mark]) -> tuple[list[Mark], int]:
    """In the order of their starts, those that begin before another has ended marked so."""
    told: list[Mark] = []
    busy_until: datetime | None = None
    collisions = 0
    for mark in sorted(marks, key=lambda mark: (mark.start, mark.end)):
        collides = mark.tone == "clash" or (busy_until is not None and mark.start < busy_until)
        collisions += collides
        title = _("%s – it collides") % mark.title if collides else mark.title
        told.append(replace(mark, tone="clash", title=title) if collides else mark)
        busy_until = mark.end if busy_until is None else max(busy_until, mark.end)
    return told, collisions


def _day(day: date, zone: tzinfo, marks: Sequence[Mark], now: datetime) -> Day:
    begin, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    mine = [mark for mark in marks if begin <= mark.start < end]
    summary = ", ".join(_in_figures(mine, now)) or _("nothing")
    label = f"{WEEKDAYS_ABBR[day.weekday()]} {day:%m-%d}"
    # What began the day before and goes on is drawn too.
    drawn = drawing.lane(
        [mark for mark in marks if mark.end >= begin and mark.start < end], begin, end, f"{label}: {summary}", now=now
    )
    return Day(label, drawn, summary, begin <= now < end)


def _in_figures(marks: Sequence[Mark], now: datetime) -> Iterator[str]:
    past = sum(mark.start <= now for mark in marks)
    ahead = len(marks) - past
    clashes = sum(mark.tone == "clash" for mark in marks)
    if past:
        yield ngettext("%d before now", "%d before now", past) % past
    if ahead:
        yield ngettext("%d to come", "%d to come", ahead) % ahead
    if clashes:
        yield ngettext("%d collision", "%d collisions", clashes) % clashes
