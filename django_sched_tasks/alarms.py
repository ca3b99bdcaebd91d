"""Ending what the main thread of a process runs, by a signal, which also wakes it from a call that waits."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from django_sched_tasks.exceptions import RunCancelled, RunTimedOut

AGAIN = 1.0  # seconds after which a run that has swallowed the exception gets another


def are_possible() -> bool:
    """Whether the calling thread can be woken by signals: the main one, where there are timers that send some."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


class Alarms:
    """Raises :class:`RunTimedOut` or :class:`RunCancelled` in the main thread, within :meth:`limit`.

    Its handler for SIGALRM stays when the run has ended, and then does nothing: a signal that comes late must not end
    the process.
    """

    def __init__(self) -> None:
        self._is_open = False
        self._is_cancelled = False
        self._deadline: float | None = None

    @contextmanager
    def limit(self, seconds: float | None) -> Iterator[None]:
        """What is inside has so many seconds."""
        self._is_cancelled = False
        self._deadline = None if seconds is None else time.monotonic() + seconds
        signal.signal(signal.SIGALRM, self._ring)
        self._is_open = True
        if seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
        try:
            yield
        finally:
            self._close()

    def interrupt(self, after: float = 0.0) -> None:
        """Raise RunCancelled in what runs within :meth:`limit`, so many seconds from now; for other threads."""
        if after > 0:
            timer = threading.Timer(after, self.interrupt)
            timer.daemon = True
            timer.start()
        elif self._is_open:
            self._is_cancelled = True
            main = threading.main_thread().ident
            if main is not None:
                signal.pthread_kill(main, signal.SIGALRM)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if not self._is_open:
            return
        if self._is_cancelled:
            raise RunCancelled
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise RunTimedOut

    def _close(self) -> None:
        while True:
            try:
                self._is_open = False
                signal.setitimer(signal.ITIMER_REAL, 0)
                return
            except (RunTimedOut, RunCancelled):  # it arrived just now, and the run has ended by itself
                continue
