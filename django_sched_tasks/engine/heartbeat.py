"""This node's sign of life, and its eye on the others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from django.db import connections

from django_sched_tasks import conf, database, signals
from django_sched_tasks.engine import recovery
from django_sched_tasks.engine.clock import DatabaseClock
from django_sched_tasks.engine.node import Look, Node
from django_sched_tasks.engine.session import SessionLock
from django_sched_tasks.models import SchedulerNode

logger = logging.getLogger(__name__)


class Heartbeat:
    """A thread of its own, so that neither a slow pass nor a long commit makes the node look dead."""

    def __init__(
        self,
        node: Node,
        clock: DatabaseClock,
        *,
        slots_in_use: Callable[[], int],
        stuck_slots: Callable[[], int],
        seconds_since_pass: Callable[[], float],
        problem: Callable[[], str],
        is_elsewhere: Callable[[], bool],
        on_change: Callable[[], None],
    ) -> None:
        self._node = node
        self._clock = clock
        self._slots_in_use = slots_in_use
        self._stuck_slots = stuck_slots
        self._seconds_since_pass = seconds_since_pass
        self._problem = problem
        self._is_elsewhere = is_elsewhere
        self._told_problem = ""
        self._session = SessionLock(node)
        self._on_change = on_change
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sched-tasks-heartbeat", daemon=True)
        self._trusted_from = 0.0
        self._next_sweep = 0.0
        self._last_beat = time.monotonic()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        database.adopt_own_connection()
        failures = 0
        while not self._stop.wait(_pause(failures)):
            try:
                self._beat()
                failures = 0
            except Exception as error:
                failures += 1
                connections[self._node.using].close()
                logger.log(
                    logging.DEBUG if failures > 1 and database.is_outage(error) else logging.ERROR,
                    "No sign of life could be given: %s",
                    error,
                )
        connections.close_all()

    def _beat(self) -> None:
        problem = self._problem()[:255]
        self._tell(problem)
        look = database.retrying(lambda: self._give_sign(problem))
        now = look.now
        if not look.is_alive and not self._stop.is_set():  # once we stop, our row is gone because we said so
            self._node.begin_anew(now)
        may_judge = self._may_judge()
        if self._is_elsewhere():
            return
        changed = recovery.recover(self._node, now, by_timeout=may_judge, session=self._session, others=look.others)
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + conf.node_timeout()
            changed = recovery.sweep(self._node, now, by_timeout=may_judge) or changed
        if changed:
            self._on_change()
        signals.send(signals.node_beat, SchedulerNode, node_id=self._node.id, now=now)

    def _give_sign(self, problem: str) -> Look:
        signs = {
            "loop_at": self._clock.at(time.monotonic() - self._seconds_since_pass()),
            "slots_in_use": self._slots_in_use(),
            "stuck_slots": self._stuck_slots(),
            "problem": problem,
            "has_session_lock": self._session.hold(),
            "clock_offset": round(self._clock.offset, 3),
        }
        look = self._node.beat_and_look(**signs)
        if look is not None:
            self._clock.set(look.now)
            return look
        now = self._read_clock()
        return Look(now, self._node.beat(now, **signs), self._node.others())

    def _tell(self, problem: str) -> None:
        """A loop that has stalled says nothing itself."""
        if bool(problem) != bool(self._told_problem):
            self._told_problem = problem
            if problem:
                logger.error("Node %s does not work: %s", self._node.id, problem)
            else:
                logger.info("Node %s works again.", self._node.id)

    def _read_clock(self) -> datetime:
        """The database's instant; a pass has just read it, unless the loop has stalled."""
        if self._seconds_since_pass() > 2 * conf.poll_interval():
            self._clock.set(database.now(self._node.using))
        return self._clock.now()

    def _may_judge(self) -> bool:
        """Whether we may declare others dead for their silence.

        After a gap in our own signs of life (we were stopped, or the database was away for everybody) the others get
        one whole time-out to be heard again.
        """
        moment = time.monotonic()
        if moment - self._last_beat > conf.node_timeout() / 2:
            self._trusted_from = moment + conf.node_timeout()
        self._last_beat = moment
        return moment >= self._trusted_from


def _pause(failures: int) -> float:
    """Seconds to the next sign of life; soon after a failure, and never so late that others would miss one more."""
    return min(2.0 ** min(failures, 10) / 4, conf.heartbeat_interval()) if failures else conf.heartbeat_interval()
