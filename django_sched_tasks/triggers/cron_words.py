"""Cron fields in words. What has no good sentence is listed as it was written: true rather than pretty.

English tells the finer first and leaves "each month" to the context. Other languages may not, so the order and what is
left out are messages too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import time
from functools import reduce
from itertools import product

from cronsim import CronSim
from django.utils.dates import MONTHS as MONTH_NAMES
from django.utils.dates import WEEKDAYS as WEEKDAY_NAMES
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from django_sched_tasks.exceptions import InvalidTrigger

from .fields import FIELDS, LAST, DayInMonth, Values, parse
from .words import clock, every, listed

_MOST_TIMES = 6
_LIST = re.compile(r"[0-9]+( *, *[0-9]+)*")
_STEP = re.compile(r"\*(?:/([0-9]+))?")


def cron_words(fields: Mapping[str, str]) -> str:
    """All fields of ``cron``; they must all match."""
    weekdays = _when(fields["day_of_week"], lambda text: _weekdays(parse(FIELDS["day_of_week"], text).numbers))
    days = _when(fields["day"], lambda text: _days(text, parse(FIELDS["day"], text)))
    weeks = _when(fields["week"], lambda text: _("ISO week %(weeks)s") % {"weeks": text})
    months = _when(fields["month"], _months)
    years = _when(fields["year"], lambda text: _("year %(years)s") % {"years": text})
    if not days and not weeks:
        weekdays = [*map(_each_week, weekdays)]
    if not weeks and not months:
        days = [*map(_each_month, days)]
    text = _dated(_both([*weekdays, *days]), [*weeks, *months, *years])
    return _sentence(fields["second"], fields["minute"], fields["hour"], text)


def crontab_words(fields: Mapping[str, str], parsed: CronSim) -> str:
    """The five fields of ``crontab``: of day and weekday either suffices, unless one begins with ``*``."""
    days = _when(fields["day"], lambda text: _crontab_days(text, parsed))
    months = _when(fields["month"], _months)
    if not months:
        days = [*map(_each_month, days)]
    weekdays = _when(fields["day_of_week"], lambda text: _crontab_weekdays(parsed, alone=not days and not months))
    together = _both([*days, *weekdays]) if parsed.day_and else _(" or ").join([*days, *weekdays])
    return _sentence("0", fields["minute"], fields["hour"], _dated(together, months))


def _when(text: str, say: Callable[[str], str]) -> list[str]:
    return [] if text == "*" else [say(text)]


def _each_week(days: str) -> str:
    return pgettext("in each week", "%(days)s") % {"days": days}


def _each_month(days: str) -> str:
    return pgettext("in each month", "%(days)s") % {"days": days}


def _both(days: Iterable[str]) -> str:
    return pgettext("between days that must both match", ", ").join(days)


def _dated(days: str, spans: list[str]) -> str:
    """Days, and the weeks, months and years that they must be in."""
    if not days and spans:
        return pgettext("on each day of", "%(span)s") % {"span": _within(spans)}
    return _within([days, *spans])


def _within(texts: Iterable[str]) -> str:
    """What is told from the narrowest to the widest."""
    return reduce(lambda narrow, wide: _("%(narrow)s, %(wide)s") % {"narrow": narrow, "wide": wide}, texts)


def _sentence(second: str, minute: str, hour: str, days: str) -> str:
    times = _clock_times(second, minute, hour)
    if times:
        return _("%(days)s at %(times)s") % {"days": _capital(days or _("every day")), "times": listed(times)}
    rhythm = _rhythm(second, minute, hour)
    return _("%(rhythm)s, %(days)s") % {"rhythm": rhythm, "days": days} if days else rhythm


def _clock_times(second: str, minute: str, hour: str) -> list[str]:
    """The times of day where they are named one by one and few enough to be told."""
    texts = {"hour": hour, "minute": minute, "second": second}
    if not all(_LIST.fullmatch(text) for text in texts.values()):
        return []
    hours, minutes, seconds = (sorted(parse(FIELDS[name], text).numbers) for name, text in texts.items())
    if len(hours) * len(minutes) * len(seconds) > _MOST_TIMES:
        return []
    return [clock(time(h, m, s)) for h, m, s in product(hours, minutes, seconds)]


def _rhythm(second: str, minute: str, hour: str) -> str:
    """The finest field that repeats evenly, then what the others restrict."""
    seconds = _("second %(text)s") % {"text": second}
    minutes = _("minute %(text)s") % {"text": minute}
    hours = _("hours %(text)s") % {"text": hour}
    finer = [seconds] if second != "0" else []
    wider = [hours] if hour != "*" else []
    if _even(second, 60):
        return _throughout(_step("seconds", second), [*([minutes] if minute != "*" else []), *wider])
    if _even(minute, 60):
        return _throughout(_told([_step("minutes", minute), *finer]), wider)
    if _even(hour, 24):
        return _told([_step("hours", hour), minutes, *finer])
    return _capital(_told([hours, minutes, *finer]))


def _throughout(rhythm: str, spans: list[str]) -> str:
    return _("%(rhythm)s, %(span)s") % {"rhythm": rhythm, "span": _within(spans)} if spans else rhythm


def _even(text: str, size: int) -> bool:
    match = _STEP.fullmatch(text)
    return match is not None and size % int(match[1] or 1) == 0


def _step(unit: str, text: str) -> str:
    return every({unit: int(text.partition("/")[2] or 1)})


def _told(texts: Iterable[str]) -> str:
    """What is told one after the other, in this order."""
    return pgettext("between a time and its finer part", ", ").join(texts)


def _weekdays(given: Iterable[int]) -> str:
    numbers = sorted(given)
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return _("%(first)s to %(last)s") % {"first": WEEKDAY_NAMES[numbers[0]], "last": WEEKDAY_NAMES[numbers[-1]]}
    return listed(str(WEEKDAY_NAMES[number]) for number in numbers)


def _crontab_weekdays(parsed: CronSim, *, alone: bool) -> str:
    # cronsim holds plain weekdays as 0 or 7 = Sunday … 6, and pairs for "5L" and "5#2".
    numbers = {(item - 1) % 7 for item in parsed.weekdays if isinstance(item, int)}
    pairs = sorted(item for item in parsed.weekdays if not isinstance(item, int))
    rules = [DayInMonth(nth - 1 if nth > 0 else LAST, (weekday - 1) % 7) for weekday, nth in pairs]
    weekly, monthly = [_weekdays(numbers)] if numbers else [], [_rule(rule) for rule in rules]
    if alone:
        weekly, monthly = [*map(_each_week, weekly)], [*map(_each_month, monthly)]
    return listed([*weekly, *monthly])


def _months(text: str) -> str:
    # A step on names is known to crontab only; its month numbers are the same.
    try:
        numbers = sorted(parse(FIELDS["month"], text).numbers)
    except InvalidTrigger:
        return _("months %(text)s") % {"text": text}
    return _("in %(months)s") % {"months": listed(str(MONTH_NAMES[number]) for number in numbers)}


def _days(text: str, values: Values) -> str:
    if values.rules and not values.numbers:
        return listed(_rule(rule) for rule in values.rules)
    return _("day %(days)s of the month") % {"days": text}


def _crontab_days(text: str, parsed: CronSim) -> str:
    return _rule(DayInMonth()) if text == "l" else _days(text.upper(), Values(frozenset(parsed.days)))


def _rule(rule: DayInMonth) -> str:
    if rule.weekday < 0:
        return _("the last day of the month")
    texts = (
        _("the first %(weekday)s of the month"),
        _("the second %(weekday)s of the month"),
        _("the third %(weekday)s of the month"),
        _("the fourth %(weekday)s of the month"),
        _("the fifth %(weekday)s of the month"),
        _("the last %(weekday)s of the month"),
    )
    return texts[rule.position] % {"weekday": WEEKDAY_NAMES[rule.weekday]}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
