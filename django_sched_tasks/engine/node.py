"""This process's row among the nodes."""

from __future__ import annotations

import logging
import os
import platform
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import Any, NamedTuple

import django
from django.db import connections, transaction

from django_sched_tasks import __version__, database
from django_sched_tasks.engine import process
from django_sched_tasks.models import NodeState, SchedulerNode, transitions

logger = logging.getLogger(__name__)

_READ = {"id", "host", "machine", "pid", "pid_started", "heartbeat_at", "has_session_lock"}
# In the order of the model's fields, as `from_db` expects them.
SEEN = tuple(field.attname for field in SchedulerNode._meta.concrete_fields if field.attname in _READ)
BEAT = f"""
WITH sign AS (
    UPDATE sys_scheduler_node SET
        heartbeat_at = statement_timestamp(), loop_at = %(loop_at)s, slots_in_use = %(slots_in_use)s,
        stuck_slots = %(stuck_slots)s, problem = %(problem)s, has_session_lock = %(has_session_lock)s,
        clock_offset = %(clock_offset)s
    WHERE id = %(me)s AND state IN ('alive', 'stopping')
    RETURNING id
)
SELECT statement_timestamp(), EXISTS (SELECT FROM sign), {", ".join(f"other.{name}" for name in SEEN)}
FROM (SELECT) AS once
LEFT JOIN sys_scheduler_node AS other ON other.id <> %(me)s AND other.state IN ('alive', 'stopping')
"""


class Look(NamedTuple):
    """What a sign of life has come to: the database's instant, whether we count as alive, the other live nodes."""

    now: datetime
    is_alive: bool
    others: list[SchedulerNode]


@dataclass
class Node:
    """Who we are. ``id`` changes when others have declared us dead: what the old one claimed is no longer ours.

    ``queue_slots`` says of queues that may not take all slots how many they may.
    """

    started_by: str
    queues: Collection[str] | None
    executors: Collection[str]
    slots: int
    using: str
    queue_slots: Mapping[str, int] = field(default_factory=dict)
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    def register(self, now: datetime, name: uuid.UUID | None = None) -> None:
        """Write our row; nothing is claimed before."""
        pid = os.getpid()
        SchedulerNode.objects.using(self.using).create(
            id=name or self.id,
            host=process.host()[:255],
            machine=process.machine(),
            pid=pid,
            pid_started=process.started(pid),
            started_by=self.started_by[:64],
            queues=None if self.queues is None else list(self.queues),
            queue_slots=dict(self.queue_slots) or None,
            executors=list(self.executors),
            slots=self.slots,
            started_at=now,
            heartbeat_at=now,
            versions=_versions(),
        )

    def beat(self, now: datetime, **signs: Any) -> bool:
        """A sign of life; False when our row says that we are dead, or is gone."""
        rows = SchedulerNode.objects.using(self.using).live().filter(pk=self.id)
        return bool(rows.update(heartbeat_at=now, **signs))

    def others(self) -> list[SchedulerNode]:
        """The live nodes besides this one."""
        return list(SchedulerNode.objects.using(self.using).live().exclude(pk=self.id))

    def beat_and_look(self, **signs: Any) -> Look | None:
        """A sign of life and a look at the others, by the database's own clock in one statement; None where that is
        not to be had, which is anywhere but on PostgreSQL.
        """
        wrapper = connections[self.using]
        if wrapper.vendor != "postgresql":
            return None
        with wrapper.cursor() as cursor:
            cursor.execute(BEAT, {"me": self.id, **signs})
            rows = cursor.fetchall()
        now, is_alive = rows[0][:2]
        others = [SchedulerNode.from_db(self.using, SEEN, row[2:]) for row in rows if row[2] is not None]
        return Look(now, is_alive, others)

    def begin_anew(self, now: datetime) -> None:
        """Come back under a new identity after others gave us up."""
        logger.warning("Node %s was declared dead while it lived; it goes on under a new identity.", self.id)
        fresh = uuid.uuid4()
        self.register(now, fresh)
        self.id = fresh  # only now: nobody would ever clean up after a name that is in no row

    def stopping(self, now: datetime) -> None:
        self.beat(now, state=NodeState.STOPPING)

    def stopped(self, now: datetime) -> None:
        """Our last word; a claim that we still hold goes back with it, since nobody cleans up after a stopped node.

        The thread that stops us is the host's, and so is its connection. On SQLite a transaction there that begins
        with reading fails at once when another node writes, so the word comes first.
        """

        def work() -> None:
            with transaction.atomic(using=self.using):
                self.beat(now, state=NodeState.STOPPED, stopped_at=now, slots_in_use=0, stuck_slots=0)
                transitions.release([self.id], using=self.using)

        database.retrying(work, using=self.using)


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "django": django.get_version(),
        "apscheduler": version("APScheduler"),
        "django-sched-tasks": __version__,
    }
