"""Wall-clock timetables: certain times of day on certain days. Both cron kinds are one.

APScheduler's own ``CronTrigger`` and ``CronSim`` step through such a timetable field by field, the former up to the
year 9999 and wrong at clock changes. Here a day is found by its predicate and the time within it by bisection, which is
bounded, some ten times faster, and the same for both kinds. The tests compare it with both.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, timedelta
from zoneinfo import ZoneInfo

from . import words
from .base import HORIZON_YEARS, Trigger
from .wallclock import next_fixed, next_rhythm, shown_pass

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Days:
    """Days of certain years and months for which a predicate holds."""

    years: Container[int]
    months: Container[int]
    matches: Callable[[date], bool]

    def __contains__(self, day: date) -> bool:
        return day.month in self.months and day.year in self.years and self.matches(day)

    def first_from(self, day: date) -> date | None:
        """The first such day from this one on; None when there is none in the next 100 years."""
        last_year = min(day.year + HORIZON_YEARS, MAXYEAR - 1)
        while day.year <= last_year:
            if day.year not in self.years:
                day = date(day.year + 1, 1, 1)
            elif day.month not in self.months:
                day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
            elif self.matches(day):
                return day
            else:
                day += _DAY
        return None


class Timetable:
    """Every combination of these hours, minutes and seconds on these days."""

    __slots__ = ("days", "hours", "minutes", "seconds")

    def __init__(self, days: Days, hours: Iterable[int], minutes: Iterable[int], seconds: Iterable[int]) -> None:
        self.days = days
        self.hours, self.minutes, self.seconds = sorted(hours), sorted(minutes), sorted(seconds)

    def next_wall(self, wall: datetime) -> datetime | None:
        """The first match strictly after this wall time."""
        wall = wall.replace(microsecond=0, fold=0) + _SECOND
        if wall.date() in self.days:
            time = self._time_from(wall.hour, wall.minute, wall.second)
            if time is not None:
                return wall.replace(hour=time[0], minute=time[1], second=time[2])
        day = self.days.first_from(wall.date() + _DAY)
        if day is None:
            return None
        return datetime(day.year, day.month, day.day, self.hours[0], self.minutes[0], self.seconds[0])

    def _time_from(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """The first time of day that is not before this one."""
        hours, minutes, seconds = self.hours, self.minutes, self.seconds
        at = bisect_left(hours, hour)
        if at < len(hours) and hours[at] == hour:
            to = bisect_left(minutes, minute)
            if to < len(minutes) and minutes[to] == minute:
                tick = bisect_left(seconds, second)
                if tick < len(seconds):
                    return hour, minute, seconds[tick]
                to += 1
            if to < len(minutes):
                return hour, minutes[to], seconds[0]
            at += 1
        return (hours[at], minutes[0], seconds[0]) if at < len(hours) else None


class TimetableTrigger(Trigger):
    """A timetable on the clocks of a time zone."""

    def __init__(
        self,
        timetable: Timetable,
        zone: ZoneInfo,
        *,
        wildcard: bool,
        start: datetime | None,
        end: datetime | None,
        jitter: int,
    ) -> None:
        super().__init__(start=start, end=end, jitter=jitter)
        self.timetable = timetable
        self.zone = zone
        self.wildcard = wildcard
        self._next = next_rhythm if wildcard else next_fixed

    def _following(self, after: datetime) -> datetime | None:
        return self._next(after, self.zone, self.timetable.next_wall)

    def clock_note(self, fire_at: datetime) -> str:
        wall = fire_at.astimezone(self.zone).replace(tzinfo=None, fold=0)
        if self.timetable.next_wall(wall - _SECOND) != wall:
            return words.skipped_by_the_clocks()
        which = shown_pass(fire_at, self.zone)
        return words.shown_twice(which, runs_twice=self.wildcard) if which else ""
