"""A webhook's message: JSON by POST, signed, with a time-out, to the address that was given and no other."""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from django_sched_tasks import __version__, conf
from django_sched_tasks.contrib.alerts.links import address_of
from django_sched_tasks.contrib.alerts.models import Alert, AlertDelivery

TIMESTAMP = "X-Sched-Tasks-Timestamp"
SIGNATURE = "X-Sched-Tasks-Signature"
DELIVERY = "X-Sched-Tasks-Delivery"


class NotDelivered(Exception):
    """Why, in words that show neither the address nor the secret."""


def send(delivery: AlertDelivery, now: float) -> None:
    """Raises NotDelivered unless the receiver answers with a status of success."""
    body = json.dumps(payload(delivery), cls=DjangoJSONEncoder).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"django-sched-tasks/{__version__}",
        DELIVERY: str(delivery.pk),
        TIMESTAMP: str(int(now)),
    }
    if delivery.channel.secret:
        headers[SIGNATURE] = signature(delivery.channel.secret, headers[TIMESTAMP], body)
    try:
        request = urllib.request.Request(delivery.channel.target.strip(), body, headers, method="POST")
        with _opener.open(request, timeout=conf.option("ALERTS", "WEBHOOK_TIMEOUT")):
            return
    except urllib.error.HTTPError as error:
        with error:
            raise NotDelivered(f"The receiver answered {error.code}.") from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NotDelivered(f"The receiver cannot be reached: {type(reason).__name__}.") from None


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the header carries: of the timestamp, a dot and the body, so that neither can be changed or sent anew."""
    mac = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={mac.hexdigest()}"


def payload(delivery: AlertDelivery) -> dict[str, Any]:
    alert = delivery.alert
    return {"event": delivery.event, "delivery": delivery.pk, "alert": None if alert is None else _told(alert)}


def _told(alert: Alert) -> dict[str, Any]:
    task = alert.task
    return {
        "id": alert.pk,
        "condition": alert.condition,
        "subject": alert.subject,
        "title": alert.title,
        "detail": alert.detail,
        "state": alert.state,
        "task": None if task is None else {"id": task.pk, "job_id": task.job_id, "name": task.name},
        "execution": alert.execution_id,
        "opened_at": alert.opened_at,
        "resolved_at": alert.resolved_at,
        "url": address_of(alert),
    }


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A receiver that moves on is an error: what is signed goes to the address that somebody has entered."""

    def redirect_request(self, *args: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)
