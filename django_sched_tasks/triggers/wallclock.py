"""From wall-clock time to instants: the one place that knows about clock changes.

A schedule says which *wall-clock* times match; these functions say at which instants the clock shows them.
In a **gap** the clock jumps forward and some wall times never come; in a **fold** it is set back and some come twice.
A gap counts as a gap whatever its length: in Samoa 30 December 2011 never came, so a daily 09:00 of that day fires at
the first instant of the 31st, and again at 09:00. Losing the run of a skipped day would be the worse surprise.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

# Strictly after a naive wall-clock time, the next one that matches (whole seconds); None when there is none.
NextWall = Callable[[datetime], datetime | None]

_SECOND = timedelta(seconds=1)
_TICK = timedelta(microseconds=1)


def resolve(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a wall time: in a gap the first valid instant, in a fold the first pass."""
    before, after = _offsets(wall, zone)
    if before < after:
        return _change(wall, before, after, zone)
    return (wall - before).replace(tzinfo=UTC)


def shown_pass(moment: datetime, zone: ZoneInfo) -> int:
    """1 or 2 for the pass of a fold in which this instant lies; 0 where the clock shows its time once."""
    here = moment.astimezone(zone)
    before, behind = _offsets(here.replace(tzinfo=None), zone)
    return 1 + here.fold if before > behind else 0


def next_fixed(after: datetime, zone: ZoneInfo, next_wall: NextWall) -> datetime | None:
    """The next fire time of a schedule of fixed times: each match once, those in one gap together once."""
    here = after.astimezone(zone)
    wall = here.replace(tzinfo=None)
    if here.fold:  # second pass: whatever matches in the fold has had its turn in the first
        before, behind = _offsets(wall, zone)
        wall = (_change(wall, before, behind, zone) + before).replace(tzinfo=None) - _SECOND
    match = next_wall(wall)
    return None if match is None else resolve(match, zone)


def next_rhythm(after: datetime, zone: ZoneInfo, next_wall: NextWall) -> datetime | None:
    """The next fire time of a wildcard schedule: whenever the clock shows a match, in both passes of a fold."""
    here = after.astimezone(zone)
    wall = here.replace(tzinfo=None)
    found = _first_shown(wall, after, zone, next_wall)
    before, behind = _offsets(wall, zone)
    if before > behind and not here.fold:  # first pass: the clock will be set back to times up to this one
        change = _change(wall, before, behind, zone)
        if found is None or found >= change:
            again = (change + behind).replace(tzinfo=None)
            return _first_shown(again - _SECOND, change - _TICK, zone, next_wall)
    return found


def _first_shown(wall: datetime, after: datetime, zone: ZoneInfo, next_wall: NextWall) -> datetime | None:
    """The first instant after ``after`` at which the clock shows a match that is later than ``wall``."""
    match = next_wall(wall)
    while match is not None:
        before, behind = _offsets(match, zone)
        if before < behind:  # in a gap: never shown; go on from where the clock goes on
            beyond = (_change(match, before, behind, zone) + behind).replace(tzinfo=None)
            match = next_wall(beyond - _SECOND)
            continue
        instant = (match - before).replace(tzinfo=UTC)
        return instant if instant > after else (match - behind).replace(tzinfo=UTC)
    return None


def _offsets(wall: datetime, zone: ZoneInfo) -> tuple[timedelta, timedelta]:
    """The offsets before and after a clock change that concerns this wall time; equal when none does (PEP 495)."""
    before = wall.replace(tzinfo=zone, fold=0).utcoffset()
    behind = wall.replace(tzinfo=zone, fold=1).utcoffset()
    if TYPE_CHECKING:  # a ZoneInfo always knows
        assert before is not None
        assert behind is not None
    return before, behind


def _change(wall: datetime, before: timedelta, behind: timedelta, zone: ZoneInfo) -> datetime:
    """The instant of the clock change, which lies between the two readings of this wall time.

    ``zoneinfo`` does not tell its transitions, so halve the span between them; they happen on whole seconds.
    """
    readings = sorted(((wall - before).replace(tzinfo=UTC), (wall - behind).replace(tzinfo=UTC)))
    start = readings[0].replace(microsecond=0)
    low, high = 0, (readings[1] - start) // _SECOND + 1
    while low < high:
        middle = (low + high) // 2
        if (start + middle * _SECOND).astimezone(zone).utcoffset() == before:
            low = middle + 1
        else:
            high = middle
    return start + low * _SECOND


def next_change(after: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant between these two at which the clocks change; None where they go through.

    The two are some days apart at most, so that a change there and back between them does not go unseen.
    """
    offset = after.astimezone(zone).utcoffset()
    if until.astimezone(zone).utcoffset() == offset:
        return None
    start = after.astimezone(UTC).replace(microsecond=0)
    low, high = 0, (until - start) // _SECOND + 1
    while low < high:
        middle = (low + high) // 2
        if (start + middle * _SECOND).astimezone(zone).utcoffset() == offset:
            low = middle + 1
        else:
            high = middle
    return min(start + low * _SECOND, until)
