"""Sent with ``send_robust`` by the process that found out, after the commit, with ``alert`` (the instance)."""

from django.dispatch import Signal

alert_opened = Signal()
alert_resolved = Signal()
alert_acknowledged = Signal()  # with `user`, a name
