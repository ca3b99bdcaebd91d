"""Old history is deleted, a little at a time."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.db import connections

from django_sched_tasks import conf, database, operations

logger = logging.getLogger(__name__)

INTERVAL = 600.0  # seconds between two looks
PAUSE = 0.05  # seconds between two batches, in which others get at the tables
OVERLAP = timedelta(minutes=5)  # of two looks: a run that is being recorded is seen by the next


class Housekeeping:
    """A thread of its own: a large clean-up must not hold up the loop or the heartbeat."""

    def __init__(self, *, is_elsewhere: Callable[[], bool]) -> None:
        self._is_elsewhere = is_elsewhere
        self._stop = threading.Event()
        self._looked: datetime | None = None
        self._thread = threading.Thread(target=self._run, name="sched-tasks-housekeeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        database.adopt_own_connection()
        # Not all nodes at once, and not in the busy first moments.
        while not self._stop.wait(INTERVAL * random.uniform(0.5, 1.5)):
            try:
                self._prune()
            except Exception:
                logger.exception("Old executions could not be deleted; the next look tries again.")
            finally:
                connections.close_all()

    def _prune(self) -> None:
        """Tasks that have not run since the last look have nothing more to lose by number, so they are left out."""
        if self._is_elsewhere():
            return
        days, count, now = conf.retention_days(), conf.retention_count(), database.now()
        pause = partial(self._stop.wait, PAUSE)
        deleted = operations.prune(days, count=count, active_since=self._looked, now=now, until=pause)
        if not self._stop.is_set():
            self._looked = now - OVERLAP
        if deleted:
            logger.info("%d executions that are not to be kept any longer are deleted.", deleted)
