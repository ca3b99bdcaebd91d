"""Kind ``calendarinterval``: every so many years, months, weeks and days, at a fixed time of day.

As in APScheduler, months are added until the day exists in the month (the 31st skips short months), then days. Unlike
there, a time that a clock change skips is not lost but fires at the first valid instant, as everything fixed does.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from . import words
from .arguments import Arguments, local_date
from .base import HORIZON_YEARS, LATEST, Trigger
from .errors import as_json, refused
from .kind import TriggerKind
from .wallclock import next_fixed, shown_pass

_UNITS = {
    "years": HORIZON_YEARS,
    "months": 12 * HORIZON_YEARS,
    "weeks": 53 * HORIZON_YEARS,
    "days": 366 * HORIZON_YEARS,
}


class CalendarIntervalTrigger(Trigger):
    def __init__(
        self,
        months: int,
        days: int,
        at: time,
        first: date,
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        jitter: int = 0,
    ) -> None:
        super().__init__(start=start, end=end, jitter=jitter)
        self.months, self.days = months, days
        self.at = at
        self.first = first
        self.zone = zone
        # A date of the sequence reached earlier, so that the next walk need not begin at the first.
        self._reached = first

    def _following(self, after: datetime) -> datetime | None:
        return next_fixed(after, self.zone, self._next_wall)

    def _next_wall(self, wall: datetime) -> datetime | None:
        wanted = wall.date() if wall.time() < self.at else wall.date() + timedelta(days=1)
        day = self._first_from(wanted)
        return None if day is None else datetime.combine(day, self.at)

    def _first_from(self, wanted: date) -> date | None:
        day: date | None = self._reached if self._reached <= wanted else self.first
        if not self.months and day is not None and day < wanted:
            return day + -((day - wanted).days // self.days) * timedelta(days=self.days)
        while day is not None and day < wanted:
            self._reached = day
            day = self._step(day)
        return day

    def _step(self, day: date) -> date | None:
        months = day.year * 12 + day.month - 1
        while (months := months + self.months) < LATEST.year * 12:
            try:
                return date(months // 12, months % 12 + 1, day.day) + timedelta(days=self.days)
            except ValueError:  # this month has no such day
                continue
        return None

    def clock_note(self, fire_at: datetime) -> str:
        if fire_at.astimezone(self.zone).time() != self.at:
            return words.skipped_by_the_clocks()
        which = shown_pass(fire_at, self.zone)
        return words.shown_twice(which, runs_twice=False) if which else ""

    def words(self) -> str:
        units = {"years": self.months // 12, "months": self.months % 12, "weeks": self.days // 7, "days": self.days % 7}
        text = _("%(period)s at %(time)s") % {"period": words.every(units), "time": words.clock(self.at)}
        return words.zoned(words.bounded(text, self.zone, self.start, self.end), self.zone)


def _build(args: Arguments) -> Trigger:
    count = {name: args.whole(name, 0, most) for name, most in _UNITS.items()}
    if not any(count.values()):
        text = _("Give at least one of %(names)s, at least 1 day in all; for example %(example)s.")
        raise refused(text % {"names": ", ".join(_UNITS), "example": as_json(KIND.example)})
    at = time(args.whole("hour", 0, 23), args.whole("minute", 0, 59), args.whole("second", 0, 59))
    zone = args.zone()
    start, end = args.bounds(zone, bare_end=time.max)  # here, as in APScheduler, a bare end_date includes its day
    first = local_date(start or args.context.anchor, zone)
    months, days = count["years"] * 12 + count["months"], count["weeks"] * 7 + count["days"]
    return CalendarIntervalTrigger(months, days, at, first, zone, start=start, end=end, jitter=args.jitter())


KIND = TriggerKind(
    name="calendarinterval",
    label=gettext_lazy("Calendar interval"),
    arguments=(*_UNITS, "hour", "minute", "second", "start_date", "end_date", "timezone", "jitter"),
    example={"months": 1, "hour": 9, "start_date": "2027-01-31"},
    build=_build,
)
