"""The fields of a ``cron`` trigger: APScheduler's grammar, read strictly.

APScheduler matches only the beginning of some expressions, so it takes "mon-fri/2" for "mon-fri", "MON#1" for every
Monday and "lastgarbage" for "last". Here the whole text must be understood, or it is refused.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from django_sched_tasks.exceptions import InvalidTrigger

from .errors import refused, shown

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
POSITIONS = ("1st", "2nd", "3rd", "4th", "5th", "last")
LAST = POSITIONS.index("last")

_LONGEST = 500
_SEPARATOR = re.compile(r" *, *")
_NUMERIC = re.compile(r"(?:\*|(?P<first>[0-9]{1,4})(?:-(?P<last>[0-9]{1,4}))?)(?:/(?P<step>[0-9]{1,4}))?")
_NAMED = re.compile(r"(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?")
_NTH = re.compile(rf"(?P<position>{'|'.join(POSITIONS)}) +(?P<weekday>{'|'.join(WEEKDAYS)})")


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    example: str = ""


FIELDS = {
    field.name: field
    for field in (
        Field("year", 1970, 9999, example="2027-2030"),
        Field("month", 1, 12, MONTHS, "jan-mar,10"),
        Field("day", 1, 31, example=gettext_noop("1,15 or 'last' or '2nd fri'")),
        Field("week", 1, 53, example="1-52/2"),
        Field("day_of_week", 0, 6, WEEKDAYS, gettext_noop("mon-fri or 0-4 (0 is Monday)")),
        Field("hour", 0, 23, example="9-17"),
        Field("minute", 0, 59, example="*/5"),
        Field("second", 0, 59, example="0,30"),
    )
}


@dataclass(frozen=True, slots=True)
class DayInMonth:
    """A day that depends on the month: its last one, or the first … fifth or last of a weekday."""

    position: int = -1
    weekday: int = -1

    def matches(self, day: date) -> bool:
        if self.weekday < 0:
            return day.day == monthrange(day.year, day.month)[1]
        if day.weekday() != self.weekday:
            return False
        if self.position == LAST:
            return day.day + 7 > monthrange(day.year, day.month)[1]
        return (day.day - 1) // 7 == self.position


@dataclass(frozen=True, slots=True)
class Values:
    """What a field matches."""

    numbers: frozenset[int]
    rules: tuple[DayInMonth, ...] = ()


def text_of(field: Field, value: object) -> str:
    """The expression of a field, from a string or a whole number."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= field.high:
        return str(value)
    if isinstance(value, str) and len(value) <= _LONGEST:
        return value.strip().lower()
    raise _misread(field, value)


@lru_cache(maxsize=1024)
def parse(field: Field, text: str) -> Values:
    numbers: set[int] = set()
    rules: list[DayInMonth] = []
    for element in _SEPARATOR.split(text):
        rule = _day_rule(element) if field.name == "day" else None
        if rule is not None:
            rules.append(rule)
        else:
            numbers.update(_numbers(field, element))
    return Values(frozenset(numbers), tuple(rules))


def _day_rule(element: str) -> DayInMonth | None:
    if element == "last":
        return DayInMonth()
    match = _NTH.fullmatch(element)
    if match is None:
        return None
    return DayInMonth(POSITIONS.index(match["position"]), WEEKDAYS.index(match["weekday"]))


def _numbers(field: Field, element: str) -> range:
    named = _NAMED.fullmatch(element)
    if named is not None and field.names:
        return _named(field, element, named["first"], named["last"])
    match = _NUMERIC.fullmatch(element)
    if match is None:
        raise _misread(field, element)
    step = int(match["step"] or 1)
    first = int(match["first"] or field.low)
    # "5" is one value, but "5/10" counts on to the end of the field, as APScheduler has it.
    alone = match["first"] and not match["last"] and not match["step"]
    last = first if alone else int(match["last"] or field.high)
    if not field.low <= first <= last <= field.high or step < 1 or (match["step"] and step > last - first):
        raise _misread(field, element)
    return range(first, last + 1, step)


def _named(field: Field, element: str, first: str, last: str | None) -> range:
    last = last or first
    if first not in field.names or last not in field.names or field.names.index(first) > field.names.index(last):
        raise _misread(field, element)
    # Weekdays count from 0, months from 1: the names start where the field does.
    return range(field.low + field.names.index(first), field.low + field.names.index(last) + 1)


def _misread(field: Field, given: object) -> InvalidTrigger:
    text = _(
        "%(name)s: %(given)s is not valid. Allowed are %(low)s-%(high)s, *, */n, a-b and a-b/n with a before b and the "
        "step n within the range%(names)s, or a list of these with commas; for example %(example)s."
    )
    names = _(", names without a step (%(names)s)") % {"names": ", ".join(field.names)} if field.names else ""
    values = {"name": field.name, "given": shown(given), "low": field.low, "high": field.high, "names": names}
    return refused(text % {**values, "example": _(field.example)})
