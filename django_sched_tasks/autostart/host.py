"""A scheduler in the background of this process: it waits for its turn and for the database, and ends with us."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import logging
import multiprocessing
import os
import threading
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

from django.apps import apps
from django.db import DatabaseError, connections

from django_sched_tasks import conf
from django_sched_tasks.autostart.farewell import Farewell
from django_sched_tasks.autostart.lock import HostLock, lock_path

if TYPE_CHECKING:
    from django_sched_tasks.engine import Scheduler

logger = logging.getLogger(__name__)

READY_POLL = 0.2
STANDBY_POLL = 1.0  # seconds after which a dead host's lock is found free
START_POLL = 2.0  # seconds between two tries to start on a database that is not ready
STOP_MARGIN = 15.0  # seconds beyond SHUTDOWN_GRACE for which a database that does not answer may keep us


class Host:
    """At most one for each process; see :func:`django_sched_tasks.autostart.host_here`."""

    def __init__(self, started_by: str) -> None:
        self.started_by = started_by
        self.pid = os.getpid()
        self.scheduler: Scheduler | None = None
        self._lock: HostLock | None = None
        self._stop = threading.Event()
        self._stopping = False
        self._ended = threading.Event()
        self._said = ""
        self._farewell = Farewell(self._begin_to_stop)
        self._thread = threading.Thread(target=self._run, name="sched-tasks-standby", daemon=True)

    def start(self) -> None:
        self._thread.start()
        atexit.register(self.stop)
        if multiprocessing.parent_process() is not None:
            # A forked child of multiprocessing, such as a worker of granian, ends without atexit.
            Finalize(None, self.stop, exitpriority=0)
        self._farewell.prepare(self.started_by)

    def stop(self) -> None:
        """Drain and end, within ``SHUTDOWN_GRACE``; called at the end of the process at the latest."""
        if os.getpid() != self.pid:
            return
        self._farewell.hold(self.started_by)
        self._begin_to_stop()
        # Before the apps are ready nothing runs, and the settings may be what is broken.
        grace = conf.shutdown_grace() if apps.ready else 0.0
        self._ended.wait(grace + STOP_MARGIN)
        self._farewell.withdraw()

    def before_fork(self) -> None:
        self._farewell.before_fork()

    def after_fork(self) -> None:
        """In both processes. In the child, neither the lock nor the threads nor the signal are ours."""
        if os.getpid() != self.pid and self._lock is not None:
            self._lock.forget()
        self._farewell.after_fork()

    def _begin_to_stop(self) -> None:
        if not self._stopping:  # a signal's handler must not meet itself in the event's own lock
            self._stopping = True
            self._stop.set()

    def _run(self) -> None:
        try:
            if not self._wait_for_apps():
                return
            # Loaded while we stand by: taking over is quick then, and needs no import in a process that is ending.
            engine = importlib.import_module("django_sched_tasks.engine")
            self._wait_for_turn()
            self._start_when_ready(engine.Scheduler)
            self._stop.wait()
            self._bound_the_stop()
            if self.scheduler is not None:
                self.scheduler.shutdown()
        except Exception:
            logger.exception("The scheduler in this process has ended; another process takes over.")
        finally:
            if self._lock is not None:
                self._lock.release()
            if apps.ready:
                connections.close_all()
            self._ended.set()
            self._farewell.end()

    def _wait_for_apps(self) -> bool:
        """AppConfig.ready() of other apps may still be at work; False if it fails, and the process ends."""
        while not apps.ready_event.wait(READY_POLL):
            if self._stop.is_set():
                return False
        return True

    def _wait_for_turn(self) -> None:
        path = lock_path()
        self._lock = HostLock(path)
        while not self._stop.is_set():
            try:
                if self._lock.acquire():
                    break
            except OSError as error:
                logger.warning(
                    "The lock file %s cannot be used (%s), so every process of this host runs a scheduler. "
                    "That is safe but wasteful: set SCHED_TASKS['LOCK_FILE'] to a file that this user may write.",
                    path,
                    error,
                )
                break
            self._say("Standing by: another process of this host runs the scheduler.", logging.INFO)
            self._stop.wait(STANDBY_POLL)
        self._thread.name = "sched-tasks-host"

    def _start_when_ready(self, make: type[Scheduler]) -> None:
        """Start as soon as the database can be reached and has our tables; until then say once what is missing."""
        while not self._stop.is_set():
            scheduler = make(started_by=self.started_by, queues=conf.web_queues())
            try:
                scheduler.start()
            except Exception as error:
                self._say_why_not(error)
                connections.close_all()
                self._stop.wait(START_POLL)
            else:
                self.scheduler = scheduler
                return

    def _say_why_not(self, error: Exception) -> None:
        if isinstance(error, DatabaseError):
            text = f"The scheduler waits for the database: {error}. If tables are missing, run 'manage.py migrate'."
            self._say(text, logging.WARNING)
        else:
            self._say(f"The scheduler cannot start, and tries again: {error!r}", logging.ERROR, exc_info=error)

    def _bound_the_stop(self) -> None:
        """See to it that a signal ends this process even if the drain does not end."""
        if self._farewell.is_awaited:
            timer = threading.Timer(conf.shutdown_grace() + STOP_MARGIN, self._farewell.end)
            timer.daemon = True
            with contextlib.suppress(RuntimeError):  # the interpreter is ending, and stop() waits no longer than that
                timer.start()

    def _say(self, text: str, level: int, exc_info: Exception | None = None) -> None:
        if text != self._said:
            self._said = text
            logger.log(level, text, exc_info=exc_info)
