"""One look at a time: whichever process comes first when it is due, and then what is due to be told."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from django.core.signals import request_finished
from django.db import connections, transaction

from django_sched_tasks import conf, database, operations
from django_sched_tasks.contrib.alerts import book, conditions, delivery
from django_sched_tasks.contrib.alerts.models import THE_ROW, AlertWatch
from django_sched_tasks.contrib.alerts.rules import Rules
from django_sched_tasks.signals import node_beat

logger = logging.getLogger(__name__)


def look(now: datetime | None = None) -> bool:
    """Look at everything if it is time to; answers whether it was."""
    using = database.alias()
    instant = now or database.now(using)
    watch = _claim(instant, using)
    if watch is None:
        return False
    this = conditions.Look(instant, using, Rules(using), watch)
    book.settle(this, conditions.find(this))
    watch.looked_at = instant
    watch.save(using=using, update_fields=["looked_at", "last_execution", "running", "pending"])
    book.prune(instant, using)
    return True


def send_due(now: datetime | None = None) -> int:
    """Send what is due to be told; answers how many messages went out."""
    using = database.alias()
    return delivery.send_due(lambda: now or database.now(using), using)


def _claim(now: datetime, using: str) -> AlertWatch | None:
    rows = AlertWatch.objects.using(using).filter(pk=THE_ROW)
    next_one = now + timedelta(seconds=conf.option("ALERTS", "INTERVAL"))
    with transaction.atomic(using=using):
        if rows.filter(due_at__lte=now).update(due_at=next_one):
            return rows.first()
        if not rows.exists():
            _row, is_mine = AlertWatch.objects.using(using).get_or_create(pk=THE_ROW, defaults={"due_at": next_one})
            return rows.first() if is_mine else None
    return None


class Watchman:
    """Called by every sign of life of a node; looks in a thread of its own, so that none waits for it."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._next = 0.0

    def on_request(self, **_payload: Any) -> None:
        """Of a web process, where the site wants that: it still looks when no node is left to do so."""
        if conf.option("ALERTS", "FROM_REQUESTS"):
            self.on_beat()

    def on_beat(self, **_payload: Any) -> None:
        if time.monotonic() < self._next or not self._busy.acquire(blocking=False):
            return
        self._next = time.monotonic() + conf.option("ALERTS", "INTERVAL") / 2
        try:
            threading.Thread(target=self._work, name="sched-tasks-alerts", daemon=True).start()
        except RuntimeError:  # the process has no room for it, or ends
            self._busy.release()

    def _work(self) -> None:
        try:
            database.adopt_own_connection()
            if operations.environment().fits:  # a copy of production must not tell what it finds there
                database.retrying(look)
                send_due()
        except Exception as error:
            level = logging.WARNING if database.is_outage(error) or database.is_unmigrated(error) else logging.ERROR
            logger.log(level, "The look for alerts failed, the next one tries again: %s", error, exc_info=True)
        finally:
            connections.close_all()
            self._busy.release()


_watchman = Watchman()


def connect() -> None:
    node_beat.connect(_watchman.on_beat, dispatch_uid=__name__)
    request_finished.connect(_watchman.on_request, dispatch_uid=__name__)
