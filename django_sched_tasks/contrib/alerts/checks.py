"""What ``manage.py check`` says about the alerts.

==================================  ========================================================
``sched_tasks_alerts.W001``         a mail server that does not answer is waited for for ever
==================================  ========================================================
"""

from __future__ import annotations

import warnings
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@register("sched_tasks")
def check_email_timeout(**options: Any) -> list[CheckMessage]:
    backend, timeout = _mailer()
    if backend != SMTP or timeout is not None:
        return []
    return [
        Warning(
            "A mail server that does not answer would hold up the alerts of a node for ever.",
            hint="Set EMAIL_TIMEOUT to 10, or where MAILERS is set 'timeout' in the OPTIONS of its default.",
            id="sched_tasks_alerts.W001",
        )
    ]


def _mailer() -> tuple[Any, Any]:
    """The backend that sends, and its time-out."""
    mailers = getattr(settings, "MAILERS", None)
    if mailers:  # of Django 6.1
        default = mailers.get("default", {})
        return default.get("BACKEND", SMTP), default.get("OPTIONS", {}).get("timeout")
    with warnings.catch_warnings(action="ignore"):  # there the older settings are on their way out
        return getattr(settings, "EMAIL_BACKEND", ""), getattr(settings, "EMAIL_TIMEOUT", None)
