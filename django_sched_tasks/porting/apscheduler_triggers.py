"""APScheduler's triggers, as their stand-ins hold them, as triggers here; pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from django_sched_tasks.porting.records import Refused
from django_sched_tasks.porting.unpickling import StandIn
from django_sched_tasks.triggers.either import MAX_DEPTH, MAX_TRIGGERS
from django_sched_tasks.triggers.fields import MONTHS, POSITIONS, WEEKDAYS

_CALENDAR = ("years", "months", "weeks", "days")
_CLOCK = ("hour", "minute", "second")

Args = dict[str, Any]


def trigger_of(stand_in: Any, depth: int = 0) -> tuple[str, Args]:
    """The kind of trigger and its arguments; Refused for what there is none for."""
    if not isinstance(stand_in, StandIn) or stand_in.kind not in (*_READERS, "OrTrigger"):
        kind = stand_in.kind if isinstance(stand_in, StandIn) else type(stand_in).__name__
        raise Refused(_("There is no trigger here for %s.") % (kind or "-"))
    if stand_in.kind == "OrTrigger":
        return "or", _either(stand_in.state, depth)
    kind, read = _READERS[stand_in.kind]
    return kind, read(stand_in.state)


def _cron(state: Args) -> Args:
    fields = {}
    for each in state["fields"]:
        attributes = each.state
        if not attributes["is_default"]:
            fields[attributes["name"]] = ",".join(map(_expression, attributes["expressions"]))
    return {**(fields or {"second": "*"}), **_common(state)}


def _expression(stand_in: StandIn) -> str:
    held, words = stand_in.state, {"MonthRangeExpression": (MONTHS, 1), "WeekdayRangeExpression": (WEEKDAYS, 0)}
    if stand_in.kind == "LastDayOfMonthExpression":
        return "last"
    if stand_in.kind == "WeekdayPositionExpression":
        return f"{POSITIONS[held['option_num']]} {WEEKDAYS[held['weekday']]}"
    step = f"/{held['step']}" if held.get("step") else ""
    if stand_in.kind == "AllExpression":
        return f"*{step}"
    first, last = held["first"], held["last"]
    if stand_in.kind in words:
        names, low = words[stand_in.kind]
        return names[first - low] if last in (None, first) else f"{names[first - low]}-{names[last - low]}"
    return f"{first}{step}" if last is None or (last == first and not step) else f"{first}-{last}{step}"


def _interval(state: Args) -> Args:
    """Its start is when it was added, in microseconds; fire times here are easier read in whole seconds."""
    start: datetime | None = state["start_date"]
    begins = None if start is None else start.replace(microsecond=0)
    return {**_units(state["interval"]), **_common({**state, "start_date": begins})}


def _units(period: timedelta) -> Args:
    """In the largest unit that has it whole."""
    seconds = period.total_seconds()
    for name, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= size and seconds % size == 0:
            return {name: int(seconds // size)}
    return {"seconds": int(seconds) if seconds == int(seconds) else seconds}


def _date(state: Args) -> Args:
    return {"run_date": _moment(state["run_date"])}


def _calendar(state: Args) -> Args:
    period = dict(zip(_CALENDAR, state["interval"], strict=True))
    clock = dict(zip(_CLOCK, state["time"], strict=True))
    return {**{name: number for name, number in period.items() if number}, **clock, **_common(state)}


def _either(state: Args, depth: int) -> Args:
    triggers: list[Args] = []
    if depth > MAX_DEPTH or len(state["triggers"]) > MAX_TRIGGERS:
        raise Refused(_("It combines too many triggers."))
    for name, inner in state["triggers"]:  # the name of a class, which stays text, and its state
        stand_in = StandIn()
        stand_in.kind = str(name).rpartition(":")[2]
        stand_in.state = dict(inner)
        kind, args = trigger_of(stand_in, depth + 1)
        triggers.append({"trigger": kind, "trigger_args": args})
    return {"triggers": triggers, **_jitter(state)}


def _common(state: Args) -> Args:
    bounds = {name: _moment(value) for name in ("start_date", "end_date") if (value := state.get(name)) is not None}
    return {**bounds, **_zone(state.get("timezone")), **_jitter(state)}


def _moment(value: Any) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    if not isinstance(value, date):
        raise Refused(_("%r is not a date.") % value)
    return value.isoformat()


def _zone(zone: tzinfo | None) -> Args:
    if zone is None:
        return {}
    if isinstance(zone, ZoneInfo) and zone.key:
        return {"timezone": zone.key}
    offset = zone.utcoffset(None) if isinstance(zone, timezone) else None
    if offset is not None and not offset % timedelta(hours=1):
        hours = offset // timedelta(hours=1)
        return {"timezone": f"Etc/GMT{-hours:+d}" if hours else "UTC"}  # POSIX signs: west is plus
    raise Refused(_("Its time zone %s has no IANA name.") % zone)


def _jitter(state: Args) -> Args:
    return {"jitter": int(state["jitter"])} if state.get("jitter") else {}


_READERS: dict[str, tuple[str, Callable[[Args], Args]]] = {
    "CronTrigger": ("cron", _cron),
    "IntervalTrigger": ("interval", _interval),
    "DateTrigger": ("date", _date),
    "CalendarIntervalTrigger": ("calendarinterval", _calendar),
}
