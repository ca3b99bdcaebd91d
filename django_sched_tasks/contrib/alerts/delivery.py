"""Sending what is due: whoever claims it, by a guarded statement, sends it, and nobody else meanwhile.

A claim ends by itself, so what a killed process had claimed is sent by another. It is then sent again, should the
first have come so far: at least once, with the same number.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from django_sched_tasks import conf
from django_sched_tasks.contrib.alerts import digest, webhook
from django_sched_tasks.contrib.alerts.models import AlertChannel, AlertDelivery, ChannelKind, DeliveryState

logger = logging.getLogger(__name__)

CLAIM = timedelta(seconds=120)  # longer than one sending takes
MOST = 20  # webhooks, and channels of e-mail, in one go
MOST_IN_A_MAIL = 1_000
LONGEST_DELAY = 3_600.0


def send_due(now: Callable[[], datetime], using: str) -> int:
    """Send what is due; answers how many messages went out."""
    return _send_webhooks(now, using) + _send_emails(now, using)


def _send_webhooks(now: Callable[[], datetime], using: str) -> int:
    instant = now()
    due = _due(instant, using).filter(channel__kind=ChannelKind.WEBHOOK, channel__is_enabled=True)
    ids = list(due.filter(_free(instant)).order_by("due_at", "pk").values_list("pk", flat=True)[:MOST])
    return sum(_send_webhook(pk, now, using) for pk in ids)


def _send_webhook(pk: int, now: Callable[[], datetime], using: str) -> int:
    instant, claim = now(), uuid.uuid4().hex
    mine = AlertDelivery.objects.using(using).filter(pk=pk, state=DeliveryState.PENDING)
    if not mine.filter(_free(instant)).update(claimed_until=instant + CLAIM, claim=claim):
        return 0
    delivery = mine.select_related("alert__task", "channel").filter(claim=claim).first()
    if delivery is None:
        return 0
    try:
        webhook.send(delivery, instant.timestamp())
    except webhook.NotDelivered as error:
        logger.warning("Webhook %s: %s", delivery.channel, error)
        _put_off(delivery, str(error), now(), mine.filter(claim=claim))
        return 0
    mine.filter(claim=claim).update(
        state=DeliveryState.SENT, sent_at=now(), attempts=F("attempts") + 1, claimed_until=None, error=""
    )
    return 1


def _put_off(delivery: AlertDelivery, error: str, now: datetime, mine: QuerySet[AlertDelivery]) -> None:
    attempts = delivery.attempts + 1
    is_over = now - delivery.created_at >= timedelta(seconds=conf.option("ALERTS", "GIVE_UP_AFTER"))
    mine.update(
        state=DeliveryState.FAILED if is_over else DeliveryState.PENDING,
        attempts=attempts,
        error=error,
        due_at=now + _delay(attempts),
        claimed_until=None,
    )


def _delay(attempts: int) -> timedelta:
    """Twice as long after each failure."""
    first = conf.option("ALERTS", "WEBHOOK_RETRY_DELAY")
    return timedelta(seconds=min(first * 2.0 ** min(attempts - 1, 30), LONGEST_DELAY))


def _send_emails(now: Callable[[], datetime], using: str) -> int:
    """A channel gets one mail with all that waits for it, once its first piece of news has waited long enough."""
    instant = now()
    due = _due(instant, using).filter(channel=OuterRef("pk"))
    channels = AlertChannel.objects.using(using).filter(kind=ChannelKind.EMAIL, is_enabled=True)
    ready = channels.filter(_may_mail(instant)).filter(Exists(due)).order_by("pk")
    return sum(_send_email(pk, now, using) for pk in ready.values_list("pk", flat=True)[:MOST])


def _send_email(pk: int, now: Callable[[], datetime], using: str) -> int:
    instant, claim = now(), uuid.uuid4().hex
    mine = AlertChannel.objects.using(using).filter(pk=pk)
    if not mine.filter(_may_mail(instant)).update(claimed_until=instant + CLAIM, claim=claim):
        return 0
    mine = mine.filter(claim=claim)
    waiting = AlertDelivery.objects.using(using).filter(channel=pk, state=DeliveryState.PENDING)
    deliveries = list(waiting.select_related("alert").order_by("pk")[:MOST_IN_A_MAIL])
    channel = mine.first()
    if channel is None or not deliveries:
        mine.update(claimed_until=None)
        return 0
    sent = waiting.filter(pk__in=[delivery.pk for delivery in deliveries])
    try:
        digest.send(channel, deliveries)
    except Exception as error:  # whatever the site's backend raises
        logger.warning("E-mail to %s could not be sent: %s", channel, error)
        _put_mail_off(channel, f"{type(error).__name__}: {error}", now(), using)
        return 0
    sent.update(state=DeliveryState.SENT, sent_at=now(), attempts=F("attempts") + 1, error="")
    mine.update(claimed_until=None, sent_at=now(), retry_at=None, failures=0)
    return 1


def _put_mail_off(channel: AlertChannel, error: str, now: datetime, using: str) -> None:
    failures = channel.failures + 1
    waiting = AlertDelivery.objects.using(using).filter(channel=channel, state=DeliveryState.PENDING)
    waiting.update(attempts=F("attempts") + 1, error=error)
    old = now - timedelta(seconds=conf.option("ALERTS", "GIVE_UP_AFTER"))
    waiting.filter(created_at__lte=old).update(state=DeliveryState.FAILED)
    mine = AlertChannel.objects.using(using).filter(pk=channel.pk, claim=channel.claim)
    mine.update(claimed_until=None, failures=failures, retry_at=now + _delay(failures))


def _due(now: datetime, using: str) -> QuerySet[AlertDelivery]:
    return AlertDelivery.objects.using(using).filter(state=DeliveryState.PENDING, due_at__lte=now)


def _free(now: datetime) -> Q:
    return Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)


def _may_mail(now: datetime) -> Q:
    quiet = now - timedelta(seconds=conf.option("ALERTS", "EMAIL_INTERVAL"))
    is_quiet = Q(sent_at__isnull=True) | Q(sent_at__lte=quiet)
    return _free(now) & is_quiet & (Q(retry_at__isnull=True) | Q(retry_at__lte=now))
