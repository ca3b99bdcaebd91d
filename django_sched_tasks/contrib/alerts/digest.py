"""One e-mail about all that has gathered for a channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_sched_tasks.contrib.alerts.links import address_of
from django_sched_tasks.contrib.alerts.models import Alert, AlertChannel, AlertDelivery, Event

MOST_LISTED = 100


def send(channel: AlertChannel, deliveries: Sequence[AlertDelivery]) -> None:
    """Raises what the site's e-mail backend raises."""
    message = EmailMessage(subject(deliveries), body(deliveries), to=channel.recipients)
    mailer: Any = {"using": "default"} if getattr(settings, "MAILERS", None) else {}  # from Django 6.1 on
    message.send(**mailer)


def subject(deliveries: Sequence[AlertDelivery]) -> str:
    opened, resolved = _sorted_out(deliveries)
    if len(opened) + len(resolved) == 1:
        text = opened[0].title if opened else _("Resolved: %s") % resolved[0].title
    elif opened or resolved:
        parts = []
        if opened:
            parts.append(ngettext("%d alert", "%d alerts", len(opened)) % len(opened))
        if resolved:
            parts.append(ngettext("%d resolved", "%d resolved", len(resolved)) % len(resolved))
        text = ", ".join(parts)
    else:
        text = _("A test of the alerts")
    return f"{settings.EMAIL_SUBJECT_PREFIX}{' '.join(text.split())}"


def body(deliveries: Sequence[AlertDelivery]) -> str:
    opened, resolved = _sorted_out(deliveries)
    parts = []
    if any(delivery.event == Event.TEST for delivery in deliveries):
        parts.append(_("This is a test: alerts of scheduled tasks arrive here."))
    if opened:
        parts += [_("Open:"), *_listed(opened)]
    if resolved:
        parts += [_("Resolved:"), *_listed(resolved)]
    return "\n\n".join(parts) + "\n"


def _sorted_out(deliveries: Sequence[AlertDelivery]) -> tuple[list[Alert], list[Alert]]:
    """What is open, and what is over, each once: what came and went before anybody was told is only told as over."""
    resolved = {item.alert_id: item.alert for item in deliveries if item.alert and item.event == Event.RESOLVED}
    opened = [item.alert for item in deliveries if item.alert and item.event == Event.OPENED]
    return [alert for alert in opened if alert.pk not in resolved], list(resolved.values())


def _listed(alerts: Sequence[Alert]) -> list[str]:
    shown = [_told(alert) for alert in alerts[:MOST_LISTED]]
    if more := len(alerts) - len(shown):
        shown.append(ngettext("and %d more.", "and %d more.", more) % more)
    return shown


def _told(alert: Alert) -> str:
    begun = _("since %s") % _moment(alert.opened_at)
    ended = "" if alert.resolved_at is None else ", " + _("until %s") % _moment(alert.resolved_at)
    lines = [f"* {alert.title}", f"  {alert.get_condition_display()}, {begun}{ended}"]
    lines += [f"  {line}" for line in alert.detail.splitlines()[:5]]
    if address := address_of(alert):
        lines.append(f"  {address}")
    return "\n".join(lines)


def _moment(instant: object) -> str:
    return f"{timezone.localtime(instant):%Y-%m-%d %H:%M:%S %Z}"  # type: ignore[arg-type]
