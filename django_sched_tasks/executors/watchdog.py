"""Ending a run in a thread, as far as Python lets anybody do that: one that takes too long, or that is to end."""

from __future__ import annotations

import ctypes
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django_sched_tasks.exceptions import RunCancelled, RunTimedOut

logger = logging.getLogger(__name__)

AGAIN = 1.0  # seconds after which a run that has swallowed the exception gets another


OnStuck = Callable[[], None]


@dataclass(slots=True)
class _Run:
    """What is to be raised in a thread, and when (of ``time.monotonic``)."""

    deadline: float
    cancel_at: float = math.inf
    gives_up_at: float = math.inf
    is_overdue: bool = False
    on_stuck: OnStuck | None = None

    @property
    def next_at(self) -> float:
        return min(self.deadline, self.cancel_at, self.gives_up_at)


class Watchdog:
    """Raises :class:`RunTimedOut` in threads whose run is over its time, :class:`RunCancelled` where one is to end.

    The exception arrives between two instructions of Python. A thread that is inside C code (a long ``sleep``, a
    query, a socket) gets it when that code returns.
    """

    def __init__(self) -> None:
        # A plain lock and no RLock: an exception that arrives around a `with` of it leaves it free.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._runs: dict[int, _Run] = {}
        self._thread: threading.Thread | None = None
        self._stop = False

    @contextmanager
    def limit(self, seconds: float | None, on_stuck: OnStuck | None = None) -> Iterator[None]:
        """The calling thread has so many seconds for what is inside.

        Where that has not ended ``AGAIN`` seconds after its time, ``on_stuck`` is called, once, by the watchdog's
        thread, which may happen at the very moment at which it ends.
        """
        with self._lock:
            self._runs[threading.get_ident()] = run = _Run(math.inf, on_stuck=on_stuck)
            if seconds is not None:
                run.deadline = time.monotonic() + seconds
                self._wake()
        try:
            yield
        finally:
            self.release()

    def cancel(self, ident: int, after: float = 0.0) -> None:
        """Raise RunCancelled in what a thread runs within :meth:`limit`, so many seconds from now."""
        with self._lock:
            run = self._runs.get(ident)
            if run is not None:
                run.cancel_at = min(run.cancel_at, time.monotonic() + after)
                self._wake()

    def release(self) -> None:
        """The calling thread is left alone from now on; an exception that has not arrived yet is taken back."""
        ident = threading.get_ident()
        while True:
            try:
                with self._lock:
                    self._runs.pop(ident, None)
                    _set_async_exception(ident, None)
                return
            except (RunTimedOut, RunCancelled):  # it arrived just now, and the run has ended by itself
                continue

    def stop(self) -> None:
        with self._lock:
            self._stop = True
            self._changed.notify()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="sched-tasks-watchdog", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._lock:
                if self._stop:
                    return
                self._changed.wait(self._until_next())
                stuck = self._raise_due(time.monotonic())
            for on_stuck in stuck:
                try:
                    on_stuck()
                except Exception:
                    logger.exception("A run that does not end could not be told.")

    def _until_next(self) -> float | None:
        next_at = min((run.next_at for run in self._runs.values()), default=math.inf)
        return None if next_at == math.inf else max(next_at - time.monotonic(), 0.0)

    def _raise_due(self, moment: float) -> list[OnStuck]:
        """Raise what is due; answers whom to tell of threads that have been given up."""
        stuck: list[OnStuck] = []
        for ident, run in self._runs.items():
            if run.gives_up_at <= moment:
                run.gives_up_at = math.inf
                if run.on_stuck is not None:
                    stuck.append(run.on_stuck)
            if run.deadline <= moment:
                _set_async_exception(ident, RunTimedOut)
                run.deadline = moment + AGAIN
                if not run.is_overdue:
                    run.is_overdue, run.gives_up_at = True, moment + AGAIN
            elif run.cancel_at <= moment:
                _set_async_exception(ident, RunCancelled)
                run.cancel_at = moment + AGAIN
        return stuck


def _set_async_exception(ident: int, exception: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(ident), None if exception is None else ctypes.py_object(exception)
    )
