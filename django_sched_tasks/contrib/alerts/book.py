"""The alerts that are open: one for each condition and subject, opened once, resolved once.

Whoever changes one does so by a guarded statement, and writes in the same transaction what is to be told of it. So two
processes that look at once tell nothing twice, and one that dies leaves nothing untold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from django_sched_tasks import conf, database
from django_sched_tasks.contrib.alerts import signals
from django_sched_tasks.contrib.alerts.conditions import Finding, Look
from django_sched_tasks.contrib.alerts.models import (
    Alert,
    AlertChannel,
    AlertDelivery,
    AlertState,
    ChannelKind,
    DeliveryState,
    Event,
)
from django_sched_tasks.signals import send

MOST_PRUNED = 500


def settle(look: Look, findings: Iterable[Finding]) -> None:
    """Open what is new, note what goes on, resolve what has not been so for a while."""
    found: dict[str, Finding] = {}
    for finding in findings:
        found.setdefault(_key(finding.condition, finding.subject), finding)
    rows = Alert.objects.using(look.using).filter(open_key__isnull=False)
    known = {alert.open_key or "": alert for alert in rows}
    still = {_key(condition, subject) for condition, subject in look.still}
    goes_on = [alert.pk for key, alert in known.items() if key in found or key in still]
    rows.filter(pk__in=goes_on).update(seen_at=look.now)
    for key, finding in found.items():
        if key not in known:
            _open(look, key, finding)
    over = look.ago(conf.option("ALERTS", "RESOLVE_AFTER"))
    for key, alert in known.items():
        if key not in found and key not in still and alert.seen_at <= over:
            _resolve(look, alert)


def acknowledge(alert_ids: Sequence[int], *, user: Any, now: datetime | None = None) -> list[int]:
    """Say that somebody knows; answers the ids of those that were still open."""
    using = database.alias()
    instant = now or database.now(using)
    name = str(getattr(user, "get_username", lambda: user)() or "")[:255]
    done = []
    for pk in alert_ids:
        rows = Alert.objects.using(using).filter(pk=pk, state=AlertState.OPEN)
        values = {"state": AlertState.ACKNOWLEDGED, "acknowledged_at": instant, "acknowledged_by": name}
        if rows.update(**values):
            done.append(pk)
    for alert in Alert.objects.using(using).filter(pk__in=done):
        send(signals.alert_acknowledged, Alert, alert=alert, user=name)
    return done


def prune(now: datetime, using: str) -> None:
    """Delete what was resolved long ago, with its deliveries, a bounded number at a time; and give up what waits for a
    channel that is switched off.
    """
    old = now - timedelta(days=conf.option("ALERTS", "RETENTION_DAYS"))
    alerts, deliveries = Alert.objects.using(using), AlertDelivery.objects.using(using)
    ids = list(alerts.filter(resolved_at__lt=old).order_by("resolved_at").values_list("pk", flat=True)[:MOST_PRUNED])
    if ids:
        alerts.filter(pk__in=ids).delete()
    deliveries.filter(alert__isnull=True, state__in=(DeliveryState.SENT, DeliveryState.FAILED), due_at__lt=old).delete()
    late = now - timedelta(seconds=conf.option("ALERTS", "GIVE_UP_AFTER"))
    stale = deliveries.filter(state=DeliveryState.PENDING, due_at__lt=late, channel__is_enabled=False)
    stale.update(state=DeliveryState.FAILED, error="Its channel was switched off.")


def _key(condition: str, subject: str) -> str:
    """Of a fixed length, and told apart by case on every database."""
    return hashlib.sha256(f"{condition}:{subject}".encode()).hexdigest()


def _open(look: Look, key: str, finding: Finding) -> None:
    alert = Alert(
        condition=finding.condition,
        subject=finding.subject[:300],
        task_id=finding.task_id,
        execution_id=finding.execution_id,
        title=finding.title[:255],
        detail=finding.detail,
        open_key=key,
        opened_at=look.now,
        seen_at=look.now,
    )
    channels = look.rules.of(finding.condition, finding.task_id).channels
    try:
        with transaction.atomic(using=look.using):
            alert.save(using=look.using, force_insert=True)
            _tell(look, alert, Event.OPENED, channels)
    except IntegrityError:  # another process was faster, or the task has just been deleted
        return
    send(signals.alert_opened, Alert, alert=alert)


def _resolve(look: Look, alert: Alert) -> None:
    """Told to those who were told that it is open."""
    values = {"state": AlertState.RESOLVED, "resolved_at": look.now, "open_key": None}
    with transaction.atomic(using=look.using):
        if not Alert.objects.using(look.using).filter(pk=alert.pk, open_key__isnull=False).update(**values):
            return
        told = AlertChannel.objects.using(look.using).filter(deliveries__alert=alert, deliveries__event=Event.OPENED)
        _tell(look, alert, Event.RESOLVED, list(told.filter(is_enabled=True)))
    for name, value in values.items():
        setattr(alert, name, value)
    send(signals.alert_resolved, Alert, alert=alert)


def _tell(look: Look, alert: Alert, event: Event, channels: Iterable[AlertChannel]) -> None:
    AlertDelivery.objects.using(look.using).bulk_create(
        [new_delivery(channel, event, look.now, alert) for channel in channels]
    )


def new_delivery(channel: AlertChannel, event: Event, now: datetime, alert: Alert | None = None) -> AlertDelivery:
    """A webhook is called at once; an e-mail waits for what else may gather."""
    wait = conf.option("ALERTS", "EMAIL_WINDOW") if channel.kind == ChannelKind.EMAIL and alert is not None else 0.0
    return AlertDelivery(
        alert=alert, channel=channel, event=event, created_at=now, due_at=now + timedelta(seconds=wait)
    )
