"""On PostgreSQL: hears what the database tells of changes, so that nobody waits for the next poll.

Triggers of the database send the notifications (see migration 0003), for whatever hand made a change. A node's own
sign of life is notified too: while a node hears it, notifications get through, and an idle loop may sleep longer. A
pooler that shares sessions swallows them; then the loop polls as it does on other databases.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from django.db import connections

from django_sched_tasks import conf, database
from django_sched_tasks.engine.node import Node

CHANNEL = "sys_scheduler"
LONGEST_PAUSE = 10.0
SLACK = 2.0  # seconds that a sign of life may be late

logger = logging.getLogger(__name__)


class Listener:
    """A thread with a session of its own that waits for notifications.

    Args:
        on_change: called when something has changed that a pass may have to act on.
        own_sessions: the sessions of this node's own loop, whose changes it knows already.
    """

    def __init__(self, node: Node, on_change: Callable[[], None], own_sessions: Callable[[], Collection[int]]) -> None:
        self._node = node
        self._on_change = on_change
        self._own_sessions = own_sessions
        self._stop = threading.Event()
        self._heard_at: float | None = None
        self._said_deaf = False
        self._thread = threading.Thread(target=self._run, name="sched-tasks-listener", daemon=True)

    def start(self) -> None:
        if connections[self._node.using].vendor == "postgresql" and _driver_can_wait():
            self._waker, self._woken = socket.socketpair()
            self._thread.start()

    def stop(self, timeout: float) -> None:
        if self._thread.is_alive():
            # A word, and not the end of the line: a child that a function has forked holds a copy of it open. The
            # thread closes it once it is to stop, so it comes first.
            self._waker.send(b"\0")
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    @property
    def hears(self) -> bool:
        """Whether notifications get through: it has heard this node's own signs of life, up to the latest."""
        heard_at = self._heard_at
        return heard_at is not None and time.monotonic() - heard_at < _patience()

    def _run(self) -> None:
        with self._waker, self._woken:
            self._keep_hearing()

    def _keep_hearing(self) -> None:
        failures = 0
        while not self._stop.wait(min(failures, LONGEST_PAUSE)):
            try:
                session = self._listen()
                failures = 0
                self._hear(session)
            except Exception as error:
                failures += 1
                logger.log(
                    logging.WARNING if failures == 1 else logging.DEBUG,
                    "Notifications of changes cannot be heard, polling every %g s until they can: %s",
                    conf.poll_interval(),
                    error,
                )
            finally:
                self._heard_at = None
                connections.close_all()

    def _listen(self) -> Any:
        wrapper = database.adopt_own_connection()
        with wrapper.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        self._on_change()  # what was changed before we listened
        return wrapper.connection

    def _hear(self, session: Any) -> None:
        """The driver's own wait looks ten times a second for a signal of the process; this one sleeps."""
        began = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(session, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stop.is_set():
                for notification in session.notifies(timeout=0):
                    self._heed(notification)
                self._say_if_deaf(began)
                selector.select(_patience())

    def _heed(self, notification: Any) -> None:
        if notification.payload == f"node {self._node.id}":  # which changes when others have declared us dead
            self._heard_at = time.monotonic()
        elif not notification.payload.startswith("node ") and notification.pid not in self._own_sessions():
            self._on_change()

    def _say_if_deaf(self, began: float) -> None:
        if not self._said_deaf and not self.hears and time.monotonic() - began >= _patience():
            self._said_deaf = True
            logger.warning(
                "Notifications do not get through, as behind a pooler that shares sessions: polling every %g s.",
                conf.poll_interval(),
            )


def _patience() -> float:
    """Seconds without a sign of life of its own after which a node counts as deaf."""
    return 2 * conf.heartbeat_interval() + SLACK


def _driver_can_wait() -> bool:
    """Psycopg 3 waits for notifications; with psycopg2 the loop polls."""
    from django.db.backends.postgresql.psycopg_any import is_psycopg3  # noqa: PLC0415 - needs a driver for PostgreSQL

    return bool(is_psycopg3)
