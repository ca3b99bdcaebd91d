"""What a worker can do to end a run, by the thread in which it runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from django_sched_tasks import alarms, runner
from django_sched_tasks.executors.watchdog import Watchdog

_watchdog: tuple[int, Watchdog] | None = None
_guard = threading.Lock()


class Means(NamedTuple):
    """To end a run that takes too long, and one that is to end; for :func:`django_sched_tasks.runner.run`."""

    limit: runner.Limit
    interrupt: Callable[[float], None]


def here() -> Means:
    """In the main thread a signal, which also wakes a sleeping call; else an exception between two instructions."""
    if alarms.are_possible():
        own = alarms.Alarms()
        return Means(own.limit, own.interrupt)
    watchdog = _of_this_process()
    return Means(watchdog.limit, partial(watchdog.cancel, threading.get_ident()))


def _of_this_process() -> Watchdog:
    global _watchdog
    with _guard:
        if _watchdog is None or _watchdog[0] != os.getpid():  # its thread has not survived a fork
            _watchdog = (os.getpid(), Watchdog())
        return _watchdog[1]
