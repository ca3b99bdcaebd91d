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
from typing import Any

import django
from django.db import transaction

from django_sched_tasks import __version__, database
from django_sched_tasks.engine import process
from django_sched_tasks.models import NodeState, SchedulerNode, transitions

logger = logging.getLogger(__name__)


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
