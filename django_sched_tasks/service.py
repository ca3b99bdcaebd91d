"""Starting and stopping a scheduler: for ``wsgi.py``, scripts, and the ``runscheduler`` command."""

from __future__ import annotations

import atexit
import enum
import logging
import signal
import threading
from collections.abc import Collection, Mapping
from types import FrameType
from typing import TYPE_CHECKING

import django
from django.apps import apps
from django.db import DatabaseError, connections

from django_sched_tasks import autostart, conf, database

if TYPE_CHECKING:
    from django_sched_tasks.engine import Scheduler

__all__ = ["ExitCode", "run_scheduler", "shutdown_scheduler", "start_scheduler"]

logger = logging.getLogger(__name__)

START_POLL = 2.0
STOP_MARGIN = 15.0  # seconds beyond the grace for which a database that does not answer may keep us


class ExitCode(enum.IntEnum):
    """How a scheduler in the foreground ended."""

    DRAINED = 0
    FAILED = 1
    RUNS_LOST = 3


def start_scheduler(block: bool = False) -> None:
    """Start a scheduler in this process.

    In the background (the default) it is idempotent and under the same guards as the start by itself: in a server
    process, once for each host; a no-op in ``migrate``, ``shell``, tests and the like, unless
    ``SCHED_TASKS_AUTO_START=1`` is in the environment. It may be called before Django's apps are ready, from
    ``wsgi.py`` or a module that the project package imports: the scheduler waits for them.

    With ``block=True`` it runs in the foreground until SIGTERM or SIGINT, whatever runs beside it.
    """
    if block:
        run_scheduler(started_by="start_scheduler")
    else:
        autostart.host_here()


def shutdown_scheduler() -> None:
    """Stop the scheduler in the background of this process, if there is one; its runs get ``SHUTDOWN_GRACE`` to end."""
    autostart.stop_hosting()


def run_scheduler(
    *,
    started_by: str = "runscheduler",
    queues: Mapping[str, int | None] | Collection[str] | None = None,
    grace: float | None = None,
    once: bool = False,
) -> ExitCode:
    """Run a scheduler in the foreground.

    The first SIGTERM or SIGINT drains it: nothing more is claimed, running functions get ``grace`` seconds to end
    (``SHUTDOWN_GRACE`` unless given). A second one forces the end. With ``once``, it runs all that is due now and
    ends by itself. ``queues`` are those that it serves, as names or as names and slots; ``QUEUES`` unless given.
    """
    if not apps.ready:
        django.setup()
    stop, force, ended = threading.Event(), threading.Event(), threading.Event()
    _handle_signals(stop, force)
    atexit.register(_end, stop, ended, conf.shutdown_grace() if grace is None else grace)
    try:
        scheduler = _start_when_ready(started_by, queues, stop, once=once)
        if scheduler is None:
            return ExitCode.DRAINED
        try:
            if once:
                scheduler.run_all_due(stop)
            else:
                while not stop.wait(3600):
                    pass
        finally:
            drained = scheduler.shutdown(grace, force)
        return ExitCode.DRAINED if drained else ExitCode.RUNS_LOST
    finally:
        ended.set()


def _end(stop: threading.Event, ended: threading.Event, grace: float) -> None:
    """At the end of the process. Under a reloader the scheduler is another thread's, and may be just starting."""
    stop.set()
    ended.wait(grace + STOP_MARGIN)


def _start_when_ready(
    started_by: str,
    queues: Mapping[str, int | None] | Collection[str] | None,
    stop: threading.Event,
    *,
    once: bool,
) -> Scheduler | None:
    """Start on a database that can be reached and has our tables, waiting for both; with ``once`` it does not wait."""
    from django_sched_tasks.engine import Scheduler  # noqa: PLC0415 - it loads models, which must wait for the apps

    said = ""
    while not stop.is_set():
        scheduler = Scheduler(started_by=started_by, queues=queues)
        try:
            scheduler.start(passes=not once)
        except DatabaseError as error:
            if once:  # whoever asks for one round wants an answer now
                raise
            text = database.trouble(error)
            if text != said:
                logger.warning("Waiting for the database. %s", text)
                said = text
            connections.close_all()
            stop.wait(START_POLL)
        else:
            return scheduler
    return None


def _handle_signals(stop: threading.Event, force: threading.Event) -> None:
    """The first signal stops, the next one forces; outside the main thread (under a reloader) signals are not ours."""
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            logger.warning("Second signal: ending without waiting for what is running.")
            force.set()
        else:
            logger.info("%s: draining.", signal.Signals(number).name)
            stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
