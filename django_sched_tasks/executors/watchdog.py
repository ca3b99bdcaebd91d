"""Ending a run in a thread that takes too long, as far as Python lets anybody do that."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django_sched_tasks.exceptions import RunTimedOut

AGAIN = 1.0  # seconds after which a run that has swallowed the exception gets another


class Watchdog:
    """Raises :class:`RunTimedOut` in threads whose run is over its time.

    The exception arrives between two instructions of Python. A thread that is inside C code (a long ``sleep``, a
    query, a socket) gets it when that code returns, so such a run ends late, and is told as timed out with its true
    duration.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._deadlines: dict[int, float] = {}
        self._thread: threading.Thread | None = None
        self._stop = False

    @contextmanager
    def limit(self, seconds: float | None) -> Iterator[None]:
        """The calling thread has so many seconds for what is inside."""
        if seconds is None:
            yield
            return
        ident = threading.get_ident()
        self._watch(ident, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._release(ident)

    def stop(self) -> None:
        with self._condition:
            self._stop = True
            self._condition.notify()

    def _watch(self, ident: int, deadline: float) -> None:
        with self._condition:
            self._deadlines[ident] = deadline
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sched-tasks-watchdog", daemon=True)
                self._thread.start()
            self._condition.notify()

    def _release(self, ident: int) -> None:
        """After this no exception is sent, and one that is on its way and has not arrived is taken back."""
        with self._condition:
            self._deadlines.pop(ident, None)
            _set_async_exception(ident, None)

    def _run(self) -> None:
        with self._condition:
            while not self._stop:
                self._condition.wait(self._until_next())
                for ident in self._overdue():
                    _set_async_exception(ident, RunTimedOut)
                    self._deadlines[ident] = time.monotonic() + AGAIN

    def _until_next(self) -> float | None:
        if not self._deadlines:
            return None
        return max(min(self._deadlines.values()) - time.monotonic(), 0.0)

    def _overdue(self) -> list[int]:
        moment = time.monotonic()
        return [ident for ident, deadline in self._deadlines.items() if deadline <= moment]


def _set_async_exception(ident: int, exception: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(ident), None if exception is None else ctypes.py_object(exception)
    )
