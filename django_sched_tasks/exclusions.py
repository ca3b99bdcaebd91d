"""Dates and windows in which fire times are skipped: from JSON to the spans of time that they cover.

A list of objects, each of one of three kinds, all read on the clocks of a zone and all with an optional ``note``:

    {"date": "2026-12-25"}                                  that day
    {"from": "2026-12-24", "until": "2027-01-01"}           both days included; a time ``until`` is free again
    {"weekdays": ["sat", "sun"]}                            those days, every week
    {"from_time": "22:00", "until_time": "06:00"}           every day; with ``weekdays`` that of the beginning counts

Pure: no database, and the time is passed in. The question is answered together with the instant up to which the answer
holds, so that a year of skipped seconds costs no more than one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.payload import problem
from django_sched_tasks.triggers.errors import as_json, nearest, shown
from django_sched_tasks.triggers.wallclock import next_change, resolve

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST = 200
LONGEST_NOTE = 200
EXAMPLE: tuple[dict[str, Any], ...] = (
    {"date": "2026-12-25", "note": "Christmas"},
    {"from": "2026-12-24", "until": "2027-01-01"},
    {"weekdays": ["sat", "sun"]},
    {"from_time": "22:00", "until_time": "06:00", "weekdays": ["fri"]},
)

_KINDS = (("date",), ("from", "until"), ("weekdays",), ("from_time", "until_time"))
_KEYS = ("date", "from", "until", "weekdays", "from_time", "until_time", "note")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(rf"{DATE.pattern}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})?")
TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_FIRST_YEAR, _LAST_YEAR = 1971, 9799  # as fire times have it
_DAY = 86_400
_WEEK = 7 * _DAY

D = TypeVar("D", date, datetime)
Span = tuple[datetime, datetime]
WeekSpan = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One object of the list, read: a span of the calendar, or seconds of every week."""

    begin: date | datetime | None
    end: date | datetime | None
    week: tuple[WeekSpan, ...]
    note: str

    def span(self, zone: ZoneInfo) -> Span | None:
        if self.begin is None or self.end is None:
            return None
        return _instant(self.begin, zone), _instant(self.end, zone)


class Exclusions:
    """What a list covers on the clocks of a zone; false where it covers nothing."""

    def __init__(self, items: Iterable[Exclusion], zone: ZoneInfo) -> None:
        self._items = tuple(items)
        self._zone = zone
        spans = _merged(span for item in self._items if (span := item.span(zone)) is not None)
        self._begins, self._ends = [begin for begin, _end in spans], [end for _begin, end in spans]
        week = _merged(span for item in self._items for span in item.week)
        self._week_begins, self._week_ends = [begin for begin, _end in week], [end for _begin, end in week]

    def __bool__(self) -> bool:
        return bool(self._items)

    def at(self, instant: datetime) -> tuple[bool, datetime | None]:
        """Whether it is excluded, and up to which later instant that surely stays so; None: for ever."""
        index = bisect_right(self._begins, instant) - 1
        if index >= 0 and instant < self._ends[index]:
            return True, self._ends[index]
        ahead = self._begins[index + 1] if index + 1 < len(self._begins) else None
        if not self._week_begins:
            return False, ahead
        is_excluded, change = self._in_week(instant)
        if is_excluded or ahead is None:
            return is_excluded, change
        return False, ahead if change is None else min(ahead, change)

    def note(self, instant: datetime) -> str | None:
        """The note of what excludes this instant, "" where there is none; None where nothing does."""
        if not self.at(instant)[0]:
            return None
        return next(item.note for item, alone in self._each if alone.at(instant)[0])

    @cached_property
    def _each(self) -> list[tuple[Exclusion, Exclusions]]:
        return [(item, Exclusions([item], self._zone)) for item in self._items]

    def _in_week(self, instant: datetime) -> tuple[bool, datetime | None]:
        here = instant.astimezone(self._zone)
        wall = here.replace(tzinfo=None, fold=0)
        second = wall.weekday() * _DAY + wall.hour * 3600 + wall.minute * 60 + wall.second
        index = bisect_right(self._week_begins, second) - 1
        is_excluded = index >= 0 and second < self._week_ends[index]
        if is_excluded:
            edge = self._week_ends[index]
            if edge - self._week_begins[index] == _WEEK:
                return True, None
        else:
            edge = self._week_begins[index + 1] if index + 1 < len(self._week_begins) else _WEEK + self._week_begins[0]
        at_edge = wall.replace(microsecond=0) + timedelta(seconds=edge - second)
        change = resolve(at_edge, self._zone)
        if change <= instant:  # the clock shows that time twice, and this is the second pass
            change = at_edge.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        # Set back in between, the clock may leave the window that it is in, or come to one once more.
        return is_excluded, next_change(instant, change, self._zone) or change


def read(value: object, *, field: str = "exclusions") -> list[Exclusion]:
    """The list as JSON has it; raises InvalidDefinition, at ``field``, with a sentence for each wrong item."""
    if not isinstance(value, list | tuple):
        text = _("It must be a list such as %(example)s, not %(given)s.")
        raise InvalidDefinition({field: text % {"example": as_json(EXAMPLE[:2]), "given": shown(value)}})
    if len(value) > MOST:
        text = _("It has %(count)d items; at most %(most)d are possible. Put days that follow each other into one.")
        raise InvalidDefinition({field: text % {"count": len(value), "most": MOST}})
    items: list[Exclusion] = []
    errors: list[str] = []
    for index, item in enumerate(value):
        try:
            items.append(_read_one(item))
        except ValueError as error:
            errors.append(f"[{index}]: {error}")
    if errors:
        raise InvalidDefinition({field: errors[:10]})
    return items


def build(*values: object, zone: ZoneInfo) -> Exclusions:
    """What several lists cover together; InvalidDefinition where one cannot be read."""
    return Exclusions([item for value in values for item in read(value)], zone)


def describe(value: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each item in words for people, in the active language; what cannot be read is shown as it is."""
    return [_describe_one(item) for item in value]


def _read_one(item: object) -> Exclusion:
    if not isinstance(item, Mapping):
        raise ValueError(_("%(given)s is not an object such as %(example)s.") % _given(item, EXAMPLE[0]))
    for name in item:
        if name not in _KEYS:
            near = nearest(name, _KEYS)
            hint = _("Did you mean '%(name)s'?") % {"name": near[0]} if near else ""
            text = _("%(name)s is not a key of an exclusion. Known are %(names)s. %(hint)s")
            raise ValueError(text % {"name": shown(name), "names": ", ".join(_KEYS), "hint": hint})
    note = item.get("note", "")
    if not isinstance(note, str) or len(note) > LONGEST_NOTE or problem(note):
        raise ValueError(_("note must be text of at most %(most)d characters.") % {"most": LONGEST_NOTE})
    given = {name for name in item if name != "note"}
    if given == {"date"}:
        day = _day(item["date"], "date")
        return Exclusion(day, day + timedelta(days=1), (), note)
    if given == {"from", "until"}:
        return _calendar_span(item["from"], item["until"], note)
    if given in ({"weekdays"}, {"from_time", "until_time"}, {"from_time", "until_time", "weekdays"}):
        return Exclusion(None, None, tuple(_week_spans(item)), note)
    text = _("Give one of: %(kinds)s (which may have weekdays too). Given: %(given)s.")
    kinds = "; ".join(" + ".join(names) for names in _KINDS)
    raise ValueError(text % {"kinds": kinds, "given": ", ".join(sorted(given)) or _("nothing")})


def _calendar_span(first: object, last: object, note: str) -> Exclusion:
    begin, end = _day_or_moment(first, "from"), _day_or_moment(last, "until")
    if not isinstance(end, datetime):
        end += timedelta(days=1)  # a day is meant as a whole
    if _instant(end, ZoneInfo("UTC")) <= _instant(begin, ZoneInfo("UTC")):
        text = _("until %(until)s is not after from %(from)s.")
        raise ValueError(text % {"until": shown(last), "from": shown(first)})
    return Exclusion(begin, end, (), note)


def _week_spans(item: Mapping[str, Any]) -> Iterator[WeekSpan]:
    days = _weekdays(item["weekdays"]) if "weekdays" in item else list(range(7))
    begin, end = 0, _DAY
    if "from_time" in item:
        begin, end = _time_of_day(item["from_time"], "from_time"), _time_of_day(item["until_time"], "until_time")
        if begin == end:
            text = _("from_time and until_time are the same. For whole days give weekdays alone.")
            raise ValueError(text)
        if end < begin:
            end += _DAY
    for day in days:
        first, last = day * _DAY + begin, day * _DAY + end
        yield first, min(last, _WEEK)
        if last > _WEEK:
            yield 0, last - _WEEK


def _weekdays(value: object) -> list[int]:
    if isinstance(value, list | tuple) and value:
        names = [name.lower() if isinstance(name, str) else name for name in value]
        if all(isinstance(name, str) and name in DAYS for name in names):
            return [DAYS.index(name) for name in names]
    text = _("weekdays must be a list of names such as %(example)s; known are %(names)s. Given: %(given)s.")
    raw = as_json(value)[:60] if isinstance(value, list | tuple) else shown(value)
    raise ValueError(text % {"example": as_json(["sat", "sun"]), "names": ", ".join(DAYS), "given": raw})


def _time_of_day(value: object, name: str) -> int:
    if isinstance(value, str) and TIME.fullmatch(value):
        try:
            at = time.fromisoformat(value)
        except ValueError:  # 25:00
            pass
        else:
            return at.hour * 3600 + at.minute * 60 + at.second
    text = _("%(name)s must be a time such as '22:00', from 00:00 to 23:59:59, not %(given)s.")
    raise ValueError(text % {"name": name, "given": shown(value)})


def _day(value: object, name: str) -> date:
    found = _day_or_moment(value, name) if isinstance(value, str) and DATE.fullmatch(value) else None
    if found is None:
        text = _("%(name)s must be a date such as '2026-12-25', not %(given)s.")
        raise ValueError(text % {"name": name, "given": shown(value)})
    return found


def _day_or_moment(value: object, name: str) -> date | datetime:
    try:
        if isinstance(value, str) and DATE.fullmatch(value):
            return _in_reach(date.fromisoformat(value))
        if isinstance(value, str) and MOMENT.fullmatch(value):
            return _in_reach(datetime.fromisoformat(value))
    except ValueError:  # 30 February
        pass
    text = _("%(name)s must be a date or a datetime such as '2026-12-24' or '2026-12-24 18:00', not %(given)s.")
    raise ValueError(text % {"name": name, "given": shown(value)})


def _in_reach(day: D) -> D:
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError
    return day


def _given(value: object, example: object) -> dict[str, str]:
    return {"given": shown(value), "example": as_json(example)}


def _instant(moment: date | datetime, zone: ZoneInfo) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min)
    return resolve(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC)


def _merged(spans: Iterable[Any]) -> list[Any]:
    """In order, those that touch each other as one."""
    merged: list[Any] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def _describe_one(item: Mapping[str, Any]) -> str:
    try:
        _read_one(item)
    except ValueError:
        return as_json(item)
    note = f" ({item['note']})" if item.get("note") else ""
    if "date" in item:
        return f"{item['date']}{note}"
    if "from" in item:
        return _("from %(from)s until %(until)s") % {"from": item["from"], "until": item["until"]} + note
    between = pgettext("between the items of a list", ", ")
    days = between.join(str(WEEKDAYS[DAYS.index(name.lower())]) for name in item.get("weekdays", ()))
    if "from_time" not in item:
        return _("every %(days)s") % {"days": days} + note
    values = {"from": item["from_time"], "until": item["until_time"], "days": days}
    text = _("%(days)s from %(from)s until %(until)s") if days else _("every day from %(from)s until %(until)s")
    return text % values + note
