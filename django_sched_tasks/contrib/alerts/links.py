"""Where a message leads its reader."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse

from django_sched_tasks import conf
from django_sched_tasks.contrib.alerts.models import Alert


def address_of(alert: Alert) -> str:
    """The alert's page in the admin; "" where there is none, or nobody has said where the site is."""
    base: str = conf.option("ALERTS", "BASE_URL")
    if not base:
        return ""
    try:
        page = reverse(f"admin:{alert._meta.app_label}_{alert._meta.model_name}_change", args=[alert.pk])
    except NoReverseMatch:
        return ""
    return base.rstrip("/") + page
