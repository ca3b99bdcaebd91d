"""Kind ``cron``: APScheduler's cron fields."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from . import words
from .arguments import Arguments
from .base import Trigger
from .cron_words import cron_words
from .errors import as_json, refused
from .fields import FIELDS, Values, parse, text_of
from .kind import TriggerKind
from .timetable import Days, Timetable, TimetableTrigger

# What a field finer than the finest one given is set to; the others are "*".
_DEFAULTS = {"month": "1", "day": "1", "hour": "0", "minute": "0", "second": "0"}


@dataclass(frozen=True, slots=True)
class _DayRule:
    """Day of the month, week and weekday, all of which must match."""

    day: Values
    weeks: frozenset[int] | None
    weekdays: frozenset[int]

    def matches(self, day: date) -> bool:
        return (
            (day.day in self.day.numbers or any(rule.matches(day) for rule in self.day.rules))
            and day.weekday() in self.weekdays
            and (self.weeks is None or day.isocalendar()[1] in self.weeks)
        )


class CronTrigger(TimetableTrigger):
    def __init__(
        self,
        fields: dict[str, str],
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        jitter: int = 0,
    ) -> None:
        self.fields = fields
        super().__init__(
            _timetable(fields),
            zone,
            wildcard=fields["minute"].startswith("*") or fields["hour"].startswith("*"),
            start=start,
            end=end,
            jitter=jitter,
        )

    def words(self) -> str:
        return words.zoned(words.bounded(cron_words(self.fields), self.zone, self.start, self.end), self.zone)


def _timetable(fields: dict[str, str]) -> Timetable:
    values = {name: parse(FIELDS[name], text) for name, text in fields.items()}
    # Any week is the usual case, and the ISO week of a day is what costs most to know.
    weeks = None if fields["week"] == "*" else values["week"].numbers
    rule = _DayRule(values["day"], weeks, values["day_of_week"].numbers)
    days = Days(values["year"].numbers, values["month"].numbers, rule.matches)
    return Timetable(days, values["hour"].numbers, values["minute"].numbers, values["second"].numbers)


def _complete(given: dict[str, str]) -> dict[str, str]:
    """All fields, with APScheduler's defaults for those not given."""
    names = list(FIELDS)
    finest = max(names.index(name) for name in given)
    return {
        name: given.get(name, "*" if index < finest else _DEFAULTS.get(name, "*")) for index, name in enumerate(names)
    }


def _build(args: Arguments) -> Trigger:
    given = {name: text_of(field, value) for name, field in FIELDS.items() if (value := args.given(name)) is not None}
    if not given:
        text = _("Give at least one of %(names)s; for example %(example)s.")
        raise refused(text % {"names": ", ".join(FIELDS), "example": as_json(KIND.example)})
    zone = args.zone()
    start, end = args.bounds(zone)
    return CronTrigger(_complete(given), zone, start=start, end=end, jitter=args.jitter())


KIND = TriggerKind(
    name="cron",
    label=gettext_lazy("Cron fields"),
    arguments=(*FIELDS, "start_date", "end_date", "timezone", "jitter"),
    example={"hour": 2, "minute": 0},
    build=_build,
)
