"""The database's clock, read once a pass and carried on between readings."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.utils import timezone


class DatabaseClock:
    """Nodes on hosts whose clocks differ agree on what is due by the one clock they share.

    Between two readings it goes on by this process's monotonic clock, which no correction of the host's time moves.
    """

    def __init__(self, now: datetime) -> None:
        self.offset = 0.0
        self.set(now)

    def set(self, now: datetime) -> None:
        """Take over a reading; ``offset`` is how many seconds this host's clock is ahead of it."""
        self._reading = (now, time.monotonic())
        self.offset = (timezone.now() - now).total_seconds()

    def now(self) -> datetime:
        return self.at(time.monotonic())

    def at(self, monotonic: float) -> datetime:
        """The database's instant at a moment of this process's monotonic clock."""
        reading, at = self._reading
        return reading + timedelta(seconds=monotonic - at)
