"""What every trigger can do: name the next fire time, walk over many, and give a fire time its jitter."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger

HORIZON_YEARS = 100
# Fire times live between these two: room for every zone offset and for the horizon inside what datetime can hold.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9800, 1, 1, tzinfo=UTC)

_HORIZON = timedelta(days=366 * HORIZON_YEARS)
_TICK = timedelta(microseconds=1)
_BEFORE_ALL = EARLIEST - _TICK


@dataclass(frozen=True, slots=True)
class Scan:
    """A walk over fire times: how many, the first and last, the last few, and the one after the last."""

    count: int
    first: datetime
    last: datetime
    tail: tuple[datetime, ...]
    following: datetime | None

    def with_later(self, other: Scan, *, keep: int) -> Scan:
        """This walk and a later one as one."""
        tail = (self.tail + other.tail)[-keep:] if keep else ()
        return Scan(self.count + other.count, self.first, other.last, tail, other.following)


class Trigger(BaseTrigger):
    """The *when* of a task. Immutable and pure: it never reads the clock."""

    follows = ""
    """The job id of the task whose ends set this one off, of a trigger that has no fire times of its own."""

    walks = True
    """Whether a scan goes from one fire time to the next; False where it counts them by arithmetic."""

    def __init__(self, *, start: datetime | None = None, end: datetime | None = None, jitter: int = 0) -> None:
        self.start = start
        self.end = end
        self.jitter = jitter

    @abstractmethod
    def _following(self, after: datetime) -> datetime | None:
        """The first fire time strictly after ``after`` (UTC), regardless of start and end."""

    @abstractmethod
    def words(self) -> str:
        """This trigger in words for people."""

    def read_in(self, default: ZoneInfo) -> ZoneInfo:
        """The zone on whose clocks it is read; ``default`` where it has none of its own."""
        zone: ZoneInfo = getattr(self, "zone", default)
        return zone

    def clock_note(self, fire_at: datetime) -> str:
        """What a change of the clocks does to this fire time, in words; "" where it does nothing."""
        return ""

    def next_after(self, after: datetime) -> datetime | None:
        """The first fire time strictly after ``after``, in UTC; None when there is none in the next 100 years."""
        after = in_utc(after)
        if after >= LATEST:
            return None
        begin = after if self.start is None or after >= self.start else self.start - _TICK
        if self.end is not None and begin >= self.end:
            return None
        found = self._following(begin)
        if found is None or found - after > _HORIZON or (self.end is not None and found > self.end):
            return None
        return found

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """APScheduler's protocol: the first call may answer ``now`` itself."""
        return self.next_after(now - _TICK if previous_fire_time is None else previous_fire_time)

    def scan(self, first: datetime, until: datetime, *, limit: int, keep: int = 0) -> Scan:
        """Walk the fire times from ``first`` (itself one) to ``until``, at most ``limit`` of them."""
        tail: deque[datetime] = deque([first], maxlen=keep)
        count, last, following = 1, first, self.next_after(first)
        while count < limit and following is not None and following <= until:
            count, last = count + 1, following
            tail.append(last)
            following = self.next_after(last)
        return Scan(count, first, last, tuple(tail), following)

    def offset(self, key: str | int, fire_at: datetime, following: datetime | None) -> timedelta:
        """The jitter of one fire time: the same on every node, and always before the following fire time."""
        if not self.jitter:
            return timedelta(0)
        room = timedelta(seconds=self.jitter)
        if following is not None:
            room = min(room, following - fire_at)
        seed = f"{key}|{fire_at.astimezone(UTC).isoformat()}".encode(errors="surrogatepass")
        digest = blake2b(seed, digest_size=8).digest()
        # A 64-bit fraction of the room, in whole microseconds: strictly below the room by construction.
        return _TICK * (int.from_bytes(digest, "big") * (room // _TICK) >> 64)


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC, moved into the span in which fire times live."""
    if moment.tzinfo is not UTC:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:  # a zone offset away from what datetime can hold
            return LATEST if moment.year > EARLIEST.year else _BEFORE_ALL
    return min(max(moment, _BEFORE_ALL), LATEST)
