"""One look for alerts, from outside the nodes: so that it is told too when none of them is left."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from django_sched_tasks import database
from django_sched_tasks.contrib.alerts import watch
from django_sched_tasks.contrib.alerts.models import Alert


class Command(BaseCommand):
    help = "Look for alerts and send what is due, once. Nodes do so by themselves; this also tells that none is left."

    def handle(self, *args: Any, **options: Any) -> None:
        watch.look()
        sent = watch.send_due()
        rows = Alert.objects.using(database.alias()).filter(open_key__isnull=False).order_by("opened_at", "pk")
        for alert in rows:
            self.stdout.write(f"{alert.opened_at:%Y-%m-%d %H:%M:%S} UTC  {alert.condition:16}  {alert.title}")
        self.stdout.write(_("Open: %(open)d. Messages sent: %(sent)d.") % {"open": len(rows), "sent": sent})
