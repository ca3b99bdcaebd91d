"""On PostgreSQL: a lock that lives and dies with a node's session, by which others see early that the node is gone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection
from typing import Any

from django.db import connections

from django_sched_tasks.engine.node import Node

LOCK_CLASS = 0x5C4ED  # the first half of the lock's key: names this app among all users of advisory locks


class SessionLock:
    """Belongs to the thread, and the connection, that gives the signs of life."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._held: tuple[Any, uuid.UUID] | None = None
        self._since: float | None = None

    def hold(self) -> bool:
        """Take the lock, unless this session has it; False where there is none to be had."""
        wrapper = connections[self._node.using]
        if wrapper.vendor != "postgresql":
            return False
        wrapper.ensure_connection()
        if self._held is None or self._held[0] is not wrapper.connection:
            self._since = time.monotonic()
        if self._held != (wrapper.connection, self._node.id):
            with wrapper.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, _key(self._node.id)])
                if not cursor.fetchone()[0]:
                    return False
            self._held = (wrapper.connection, self._node.id)
        return True

    @property
    def unbroken_for(self) -> float:
        """Seconds for which this session stands.

        After the database's restart every node's lock is gone, and nobody may conclude anything from that: whoever
        judges must have had a session all the time in which the others would have come back.
        """
        return 0.0 if self._since is None or self._held is None else time.monotonic() - self._since

    def gone(self, nodes: Collection[uuid.UUID]) -> set[uuid.UUID]:
        """Of these nodes, which took their locks, those that hold them no longer."""
        with connections[self._node.using].cursor() as cursor:
            cursor.execute(
                "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s "
                "AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                [LOCK_CLASS],
            )
            held = {key for (key,) in cursor.fetchall()}
        return {pk for pk in nodes if _key(pk) % (1 << 32) not in held}


def _key(pk: uuid.UUID) -> int:
    """Half a key is a signed integer of 32 bits."""
    return int.from_bytes(pk.bytes[:4], signed=True)
