"""Kind ``interval``: every so much real time, counted from an anchor that restarts and edits do not move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from . import words
from .arguments import Arguments
from .base import HORIZON_YEARS, Scan, Trigger
from .errors import as_json, refused
from .kind import TriggerKind

_MICROSECONDS = {
    "weeks": 604_800_000_000,
    "days": 86_400_000_000,
    "hours": 3_600_000_000,
    "minutes": 60_000_000,
    "seconds": 1_000_000,
}
_SHORTEST = _MICROSECONDS["seconds"]
_LONGEST = 366 * HORIZON_YEARS * _MICROSECONDS["days"]


class IntervalTrigger(Trigger):
    """Fire times are ``anchor + k * period`` for every whole k, within start and end; exact in microseconds."""

    walks = False

    def __init__(
        self,
        period: timedelta,
        anchor: datetime,
        zone: ZoneInfo,
        *,
        units: dict[str, Decimal],
        start: datetime | None = None,
        end: datetime | None = None,
        jitter: int = 0,
    ) -> None:
        super().__init__(start=start, end=end, jitter=jitter)
        self.period = period
        self.anchor = anchor
        self.zone = zone
        self.units = units

    def _following(self, after: datetime) -> datetime | None:
        return self._beat(self._beats(after) + 1)

    def _beats(self, moment: datetime) -> int:
        return (moment - self.anchor) // self.period

    def _beat(self, number: int) -> datetime:
        return self.anchor + number * self.period

    def scan(self, first: datetime, until: datetime, *, limit: int, keep: int = 0) -> Scan:
        """As the base class, but by arithmetic: a month of missed seconds costs no more than one."""
        first = first.astimezone(UTC)
        begin = self._beats(first)
        more = max(0, self._beats(until if self.end is None else min(until, self.end)) - begin)
        last = self._beat(begin + more) if more else first
        tail = [self._beat(begin + number) for number in range(more + 1 - min(keep, more + 1), more + 1)]
        if len(tail) > more:  # the walk begins at ``first``, even where an older definition put it off the beat
            tail[0] = first
        return Scan(more + 1, first, last, tuple(tail), self.next_after(last))

    def words(self) -> str:
        text = words.every(self.units)
        if self.start is None and self.end is None:  # no wall clock, no zone
            return text
        return words.zoned(words.bounded(text, self.zone, self.start, self.end), self.zone)


def _build(args: Arguments) -> Trigger:
    units = {name: number for name in _MICROSECONDS if (number := args.number(name))}
    period = _period(units)
    zone = args.zone()
    start, end = args.bounds(zone)
    anchor = start or args.context.anchor
    return IntervalTrigger(period, anchor, zone, units=units, start=start, end=end, jitter=args.jitter())


def _period(units: dict[str, Decimal]) -> timedelta:
    microseconds = round(sum((number * _MICROSECONDS[name] for name, number in units.items()), Decimal(0)))
    if not _SHORTEST <= microseconds <= _LONGEST:
        text = _(
            "The interval must be from 1 second to %(years)s years: give some of %(names)s; for example %(example)s."
        )
        names = ", ".join(_MICROSECONDS)
        raise refused(text % {"years": HORIZON_YEARS, "names": names, "example": as_json(KIND.example)})
    return timedelta(microseconds=microseconds)


KIND = TriggerKind(
    name="interval",
    label=gettext_lazy("Interval"),
    arguments=(*_MICROSECONDS, "start_date", "end_date", "timezone", "jitter"),
    example={"minutes": 5},
    build=_build,
)
