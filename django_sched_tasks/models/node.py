"""The scheduler processes that run, or ran, on this database."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Value
from django.utils.translation import gettext_lazy as _


class NodeState(models.TextChoices):
    """``alive`` plans, claims and runs; ``stopping`` only ends its runs; the others are history."""

    ALIVE = "alive", _("Alive")
    STOPPING = "stopping", _("Stopping")
    STOPPED = "stopped", _("Stopped")
    DEAD = "dead", _("Dead")


LIVE_STATES = (NodeState.ALIVE, NodeState.STOPPING)


class NodeQuerySet(models.QuerySet["SchedulerNode"]):
    def live(self) -> NodeQuerySet:
        return self.filter(state__in=LIVE_STATES)

    def silent_since(self, instant: datetime) -> NodeQuerySet:
        return self.live().filter(heartbeat_at__lt=instant)


class SchedulerNode(models.Model):
    """One running scheduler process.

    Its identity is random: host names and pids repeat, in containers most of all.
    """

    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(_("host"), max_length=255)
    machine = models.CharField(_("machine"), max_length=128, default="", db_default="", blank=True)
    pid = models.BigIntegerField(_("process id"))
    pid_started = models.CharField(_("process start"), max_length=64, default="", db_default="", blank=True)
    started_by = models.CharField(_("started by"), max_length=64)
    queues = models.JSONField(_("queues"), null=True, blank=True)
    queue_slots = models.JSONField(
        _("slots per queue"), null=True, blank=True, help_text=_("Of the queues that may not take all slots.")
    )
    executors = models.JSONField(_("executors"), default=list, db_default=Value([], models.JSONField()))
    slots = models.PositiveIntegerField(_("slots"), default=0, db_default=0)
    slots_in_use = models.PositiveIntegerField(_("slots in use"), default=0, db_default=0)
    stuck_slots = models.PositiveIntegerField(
        _("stuck slots"), default=0, db_default=0, help_text=_("Held by runs that could not be ended.")
    )
    problem = models.CharField(
        _("problem"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text=_("What keeps the node from its work."),
    )
    has_session_lock = models.BooleanField(_("holds a session lock"), default=False, db_default=False)
    state = models.CharField(
        _("state"), max_length=16, choices=NodeState, default=NodeState.ALIVE, db_default=NodeState.ALIVE
    )
    started_at = models.DateTimeField(_("started at"))
    heartbeat_at = models.DateTimeField(_("sign of life"))
    loop_at = models.DateTimeField(_("last pass"), null=True, blank=True)
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True)
    clock_offset = models.FloatField(
        _("clock offset"),
        default=0.0,
        db_default=0.0,
        help_text=_("Seconds the host's clock is ahead of the database's."),
    )
    versions = models.JSONField(_("versions"), default=dict, db_default=Value({}, models.JSONField()))

    objects = NodeQuerySet.as_manager()

    class Meta:
        db_table = "sys_scheduler_node"
        verbose_name = _("scheduler node")
        verbose_name_plural = _("scheduler nodes")
        ordering = ("-started_at",)
        indexes = (models.Index(fields=("state", "heartbeat_at"), name="sched_node_state"),)
        constraints = (
            models.CheckConstraint(condition=models.Q(state__in=NodeState.values), name="sched_node_state_known"),
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"
