"""A scheduler in the background of this process: it waits for its turn and for the database, and ends with us."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from typing import TYPE_CHECKING

from django.apps import apps
from django.db import DatabaseError, connections

from django_sched_tasks import conf
from django_sched_tasks.autostart.lock import HostLock, lock_path

if TYPE_CHECKING:
    from django_sched_tasks.engine import Scheduler

logger = logging.getLogger(__name__)

STANDBY_POLL = 1.0  # seconds after which a dead host's lock is found free
START_POLL = 2.0  # seconds between two tries to start on a database that is not ready


class Host:
    """At most one for each process; see :func:`django_sched_tasks.autostart.host_here`."""

    def __init__(self, started_by: str) -> None:
        self.started_by = started_by
        self.pid = os.getpid()
        self.scheduler: Scheduler | None = None
        self._lock: HostLock | None = None
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="sched-tasks-host", daemon=True)

    def start(self) -> None:
        self._thread.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Drain and end, within ``SHUTDOWN_GRACE``; called at the end of the process at the latest."""
        if os.getpid() != self.pid or self._stop.is_set():
            return
        self._stop.set()
        self._ended.wait(conf.shutdown_grace() + 15.0)

    def forget(self) -> None:
        """In a forked child: neither the lock nor the threads are ours."""
        if self._lock is not None:
            self._lock.forget()

    def _run(self) -> None:
        try:
            apps.ready_event.wait()  # AppConfig.ready() of other apps may still be at work
            self._wait_for_turn()
            self._start_when_ready()
            self._stop.wait()
            if self.scheduler is not None:
                self.scheduler.shutdown()
        except Exception:
            logger.exception("The scheduler in this process has ended; another process takes over.")
        finally:
            if self._lock is not None:
                self._lock.release()
            connections.close_all()
            self._ended.set()

    def _wait_for_turn(self) -> None:
        path = lock_path()
        self._lock = HostLock(path)
        while not self._stop.is_set():
            try:
                if self._lock.acquire():
                    return
            except OSError as error:
                logger.warning(
                    "The lock file %s cannot be used (%s), so every process of this host runs a scheduler. "
                    "That is safe but wasteful: set SCHED_TASKS['LOCK_FILE'] to a file that this user may write.",
                    path,
                    error,
                )
                return
            self._say("Standing by: another process of this host runs the scheduler.", logging.DEBUG)
            self._stop.wait(STANDBY_POLL)

    def _start_when_ready(self) -> None:
        """Start as soon as the database can be reached and has our tables; until then say once what is missing."""
        from django_sched_tasks.engine import Scheduler  # noqa: PLC0415 - it loads models, we exist before the apps do

        while not self._stop.is_set():
            scheduler = Scheduler(started_by=self.started_by)
            try:
                scheduler.start()
            except DatabaseError as error:
                self._say(
                    f"The scheduler waits for the database: {error}. If tables are missing, run 'manage.py migrate'.",
                    logging.WARNING,
                )
                connections.close_all()
                self._stop.wait(START_POLL)
            else:
                self.scheduler = scheduler
                return

    def _say(self, text: str, level: int) -> None:
        if text != self._said:
            self._said = text
            logger.log(level, text)
