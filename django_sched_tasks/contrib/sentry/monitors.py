"""The monitor of a task's schedule, as Sentry's cron monitoring knows schedules: crontab lines and plain intervals."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from django_sched_tasks import conf, database
from django_sched_tasks.models import SchedulerTask

LONGEST_SLUG = 50
FRESH = 60.0  # seconds for which a task's monitor is not read anew
MOST_KEPT = 10_000

MINUTES = {"weeks": 10_080, "days": 1_440, "hours": 60, "minutes": 1}
UNITS = {"years": "year", "months": "month", "weeks": "week", "days": "day"}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_PLAIN = re.compile(r"(\*|\d+(-\d+)?|[a-z]{3}(-[a-z]{3})?)(/\d+)?")


@dataclass(frozen=True, slots=True)
class Monitor:
    slug: str
    config: dict[str, Any]


def of_task(task_id: int | None) -> Monitor | None:
    """None where the task is gone, or has a schedule that Sentry does not know."""
    if task_id is None:
        return None
    moment = time.monotonic()
    kept = _kept.get(task_id)
    if kept is None or kept[0] < moment:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        kept = _kept[task_id] = (moment + FRESH, _read(task_id))
    return kept[1]


_kept: dict[int, tuple[float, Monitor | None]] = {}


def _read(task_id: int) -> Monitor | None:
    task = SchedulerTask.objects.using(database.alias()).filter(pk=task_id).first()
    schedule = None if task is None else schedule_of(task.trigger, task.trigger_args)
    if task is None or schedule is None:
        return None
    longest = conf.option("SENTRY", "MAX_RUNTIME") if task.timeout is None else math.ceil(task.timeout / 60)
    config = {
        "schedule": schedule,
        "timezone": task.trigger_args.get("timezone") or task.timezone or settings.TIME_ZONE,
        "checkin_margin": conf.option("SENTRY", "CHECKIN_MARGIN"),
        "max_runtime": longest,
    }
    return Monitor(slug(task.job_id), config)


def slug(job_id: str) -> str:
    """The job id, where it is one that Sentry takes; else one as near to it, and as stable."""
    plain = slugify(job_id)
    if plain == job_id and len(plain) <= LONGEST_SLUG and not plain.isdigit():
        return plain
    mark = hashlib.sha256(job_id.encode()).hexdigest()[:8]
    return f"{plain[: LONGEST_SLUG - 9] or 'task'}-{mark}"


def schedule_of(trigger: str, args: Mapping[str, Any]) -> dict[str, Any] | None:
    """A trigger in Sentry's terms; None where it has none for it."""
    known = {"crontab": _of_crontab, "cron": _of_cron, "interval": _of_interval, "calendarinterval": _of_calendar}
    return known[trigger](args) if trigger in known else None


def _of_crontab(args: Mapping[str, Any]) -> dict[str, Any] | None:
    return {"type": "crontab", "value": str(args.get("expression", ""))}


def _of_interval(args: Mapping[str, Any]) -> dict[str, Any] | None:
    """In whole minutes: Sentry knows nothing finer."""
    seconds = float(args.get("seconds") or 0)
    minutes = seconds / 60 + sum(float(args.get(name) or 0) * size for name, size in MINUTES.items())
    if minutes < 1 or not minutes.is_integer():
        return None
    unit, size = next((name, size) for name, size in MINUTES.items() if minutes % size == 0)
    return {"type": "interval", "value": int(minutes) // size, "unit": unit.removesuffix("s")}


def _of_calendar(args: Mapping[str, Any]) -> dict[str, Any] | None:
    given = {name: int(args[name]) for name in UNITS if args.get(name)}
    if len(given) != 1:
        return None
    ((name, value),) = given.items()
    return {"type": "interval", "value": value, "unit": UNITS[name]}


def _of_cron(args: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of the five fields of a crontab line; a field that is finer than the finest one given is its least."""
    fields = {"minute": "0", "hour": "0", "day": "1", "month": "1", "day_of_week": "*"}
    given = {name: str(args[name]).lower() for name in fields if args.get(name) is not None}
    if not given or args.get("year") is not None or args.get("week") is not None or str(args.get("second", 0)) != "0":
        return None
    finest = next(name for name in ("minute", "hour", "day_of_week", "day", "month") if name in given)
    coarser = {
        "minute": ("hour", "day", "month"),
        "hour": ("day", "month"),
        "day_of_week": ("day", "month"),
        "day": ("month",),
        "month": (),
    }
    fields |= dict.fromkeys(coarser[finest], "*") | given
    if fields["day"] != "*" and fields["day_of_week"] != "*":  # both must fit for us, either for a crontab line
        return None
    fields["day_of_week"] = _weekdays(fields["day_of_week"])
    if not all(_is_plain(value) for value in fields.values()):
        return None
    return {"type": "crontab", "value": " ".join(fields.values())}


def _is_plain(value: str) -> bool:
    return all(_PLAIN.fullmatch(part) for part in value.replace(" ", "").split(","))


def _weekdays(value: str) -> str:
    """From 0 = Monday to a crontab's 0 = Sunday, day by day; "" where it cannot be read."""
    if value == "*":
        return value
    days: set[int] = set()
    for part in value.replace(" ", "").split(","):
        span, _, step = part.partition("/")
        first, _, last = ("0-6" if span == "*" else span).partition("-")
        numbers = [_weekday(name) for name in (first, last or first)]
        if None in numbers or not (step or "1").isdigit():
            return ""
        begin, end = (number or 0 for number in numbers)
        days |= set(range(begin, (6 if step and not last else end) + 1, int(step or 1)))
    return ",".join(str(day) for day in sorted((day + 1) % 7 for day in days))


def _weekday(name: str) -> int | None:
    if name in WEEKDAYS:
        return WEEKDAYS.index(name)
    return int(name) if name.isdigit() and int(name) < len(WEEKDAYS) else None
