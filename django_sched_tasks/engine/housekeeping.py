"""Old history is deleted, a little at a time."""

from __future__ import annotations

import logging
import random
import threading

from django.db import connections

from django_sched_tasks import conf, database, operations

logger = logging.getLogger(__name__)

INTERVAL = 600.0  # seconds between two looks


class Housekeeping:
    """A thread of its own: a large clean-up must not hold up the loop or the heartbeat."""

    def __init__(self) -> None:
        self._stop = threading.Event()
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
        days = conf.retention_days()
        if days is not None:
            deleted = operations.prune(days, until=self._stop.is_set)
            if deleted:
                logger.info("%d executions that ended more than %g days ago are deleted.", deleted, days)
