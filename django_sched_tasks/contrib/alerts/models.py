"""What is to be told, to whom, and what has been told."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from django_sched_tasks.models import SchedulerTask

THE_ROW = 1


class Condition(models.TextChoices):
    FAILED = "failed", _("Failed in a row")
    OVERDUE = "overdue", _("Overdue")
    RUNNING_LONG = "running_long", _("Running too long")
    LOST = "lost", _("Lost")
    SCHEDULE_ERROR = "schedule_error", _("Schedule error")
    NODE_GONE = "node_gone", _("Node gone")
    QUEUE_UNSERVED = "queue_unserved", _("Queue unserved")
    NO_NODE = "no_node", _("No node")


# Those that concern one task, so that a rule may be for that task alone.
OF_TASKS = (
    Condition.FAILED,
    Condition.OVERDUE,
    Condition.RUNNING_LONG,
    Condition.LOST,
    Condition.SCHEDULE_ERROR,
)

# What a condition's number is where no rule gives another: failures for the first, seconds for the rest. A condition
# that is not here has none.
THRESHOLDS: dict[str, int] = {
    Condition.FAILED: 1,
    Condition.OVERDUE: 300,
    Condition.RUNNING_LONG: 3_600,
    Condition.QUEUE_UNSERVED: 60,
    Condition.NO_NODE: 60,
}


class ChannelKind(models.TextChoices):
    EMAIL = "email", _("E-mail")
    WEBHOOK = "webhook", _("Webhook")


class AlertChannel(models.Model):
    """Where alerts go: the recipients of an e-mail, or the address of a webhook."""

    name = models.CharField(_("name"), max_length=128, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=ChannelKind)
    target = models.TextField(
        _("target"), help_text=_("E-mail addresses, separated by commas; or the address of a webhook.")
    )
    secret = models.CharField(
        _("secret"), max_length=255, blank=True, default="", help_text=_("A webhook's messages are signed with it.")
    )
    is_default = models.BooleanField(
        _("default"), default=True, help_text=_("Whether rules use it that name no channel of their own.")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)

    # What an e-mail's throttle needs, and who is at it.
    sent_at = models.DateTimeField(_("last sent at"), null=True, blank=True, editable=False)
    retry_at = models.DateTimeField(_("next try at"), null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    claim = models.CharField(max_length=32, blank=True, default="", editable=False)

    class Meta:
        db_table = "sys_scheduler_alert_channel"
        verbose_name = _("alert channel")
        verbose_name_plural = _("alert channels")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def recipients(self) -> list[str]:
        return [address.strip() for address in self.target.replace("\n", ",").split(",") if address.strip()]

    def clean(self) -> None:
        if self.kind == ChannelKind.WEBHOOK:
            _check_address(self.target)
        elif self.kind == ChannelKind.EMAIL:
            if not self.recipients:
                raise ValidationError({"target": _("Give at least one e-mail address.")})
            for address in self.recipients:
                _check_recipient(address)


def _check_address(target: str) -> None:
    try:
        parts = urlsplit(target.strip())
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or any(character.isspace() for character in target.strip()):
        text = _("It must be an address that begins with https:// or http://, such as https://example.org/hook.")
        raise ValidationError({"target": text})


def _check_recipient(address: str) -> None:
    try:
        validate_email(address)
    except ValidationError:
        text = _("%(given)s is no e-mail address; write them as ops@example.org, dev@example.org.")
        raise ValidationError({"target": text % {"given": address}}) from None


class AlertRule(models.Model):
    """A condition's number and channels: for one task, or for all that have no rule of their own.

    Without any rule every condition is told, by its default number, over the default channels.
    """

    task = models.ForeignKey(
        SchedulerTask,
        verbose_name=_("scheduled task"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text=_("Empty: all tasks that have no rule of their own for the condition."),
    )
    condition = models.CharField(_("condition"), max_length=32, choices=Condition)
    threshold = models.PositiveIntegerField(
        _("threshold"),
        null=True,
        blank=True,
        help_text=_("Failures in a row, or seconds, as the condition counts. Empty: its default."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True, help_text=_("Off: this condition is not told."))
    channels = models.ManyToManyField(
        AlertChannel,
        verbose_name=_("channels"),
        blank=True,
        related_name="rules",
        help_text=_("None: the default channels."),
    )

    class Meta:
        db_table = "sys_scheduler_alert_rule"
        verbose_name = _("alert rule")
        verbose_name_plural = _("alert rules")
        ordering = ("condition", "pk")
        constraints = (models.UniqueConstraint(fields=("task", "condition"), name="sched_alert_rule_once"),)

    def __str__(self) -> str:
        concerned = self.task or _("all tasks")
        return f"{self.get_condition_display()}: {concerned}"

    def clean(self) -> None:
        errors: dict[str, Any] = {}
        if self.task_id is not None and self.condition and self.condition not in OF_TASKS:
            errors["task"] = _("This condition concerns no single task; leave the task empty.")
        if self.threshold is not None and self.condition and self.condition not in THRESHOLDS:
            errors["threshold"] = _("This condition has no number; leave it empty.")
        if self.threshold == 0:
            errors["threshold"] = _("0 was given; it must be 1 or more.")
        twins = type(self)._default_manager.filter(task__isnull=True, condition=self.condition).exclude(pk=self.pk)
        if self.task_id is None and twins.exists():  # which no database's unique key finds, for want of a task
            errors["condition"] = _("There is a rule for all tasks with this condition already; change that one.")
        if errors:
            raise ValidationError(errors)


class AlertState(models.TextChoices):
    OPEN = "open", _("Open")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged")
    RESOLVED = "resolved", _("Resolved")


class Alert(models.Model):
    """One thing that is, or was, the matter: open once for each condition and subject, however often it is seen."""

    condition = models.CharField(_("condition"), max_length=32, choices=Condition)
    subject = models.CharField(_("subject"), max_length=300)
    task = models.ForeignKey(
        SchedulerTask,
        verbose_name=_("scheduled task"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    execution_id = models.BigIntegerField(_("execution"), null=True, blank=True)
    title = models.CharField(_("title"), max_length=255)
    detail = models.TextField(_("detail"), blank=True, default="")
    state = models.CharField(_("state"), max_length=16, choices=AlertState, default=AlertState.OPEN)
    # Null once it is resolved: of those that are not, each subject has one.
    open_key = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001
    opened_at = models.DateTimeField(_("opened at"))
    seen_at = models.DateTimeField(_("last seen at"))
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)
    acknowledged_by = models.CharField(_("acknowledged by"), max_length=255, blank=True, default="")
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)

    class Meta:
        db_table = "sys_scheduler_alert"
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ("-opened_at", "-pk")
        indexes = (models.Index(fields=("resolved_at",), name="sched_alert_resolved"),)

    def __str__(self) -> str:
        return self.title


class Event(models.TextChoices):
    OPENED = "opened", _("Opened")
    RESOLVED = "resolved", _("Resolved")
    TEST = "test", _("Test")


class DeliveryState(models.TextChoices):
    PENDING = "pending", _("Pending")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")


class AlertDelivery(models.Model):
    """One piece of news for one channel: written with the alert, sent afterwards, at least once."""

    alert = models.ForeignKey(
        Alert, verbose_name=_("alert"), null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    channel = models.ForeignKey(
        AlertChannel, verbose_name=_("channel"), on_delete=models.CASCADE, related_name="deliveries"
    )
    event = models.CharField(_("event"), max_length=16, choices=Event)
    state = models.CharField(_("state"), max_length=16, choices=DeliveryState, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("created at"))
    due_at = models.DateTimeField(_("due at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True, default="")
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    claim = models.CharField(max_length=32, blank=True, default="", editable=False)

    class Meta:
        db_table = "sys_scheduler_alert_delivery"
        verbose_name = _("alert delivery")
        verbose_name_plural = _("alert deliveries")
        ordering = ("-pk",)
        indexes = (models.Index(fields=("state", "due_at"), name="sched_alert_due"),)
        constraints = (
            models.UniqueConstraint(fields=("alert", "channel", "event"), name="sched_alert_delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=DeliveryState.values), name="sched_alert_delivery_state_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_event_display()}: {self.alert or self.channel}"


class AlertWatch(models.Model):
    """One row: when the next look is due, and what the last one must hand on to it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=THE_ROW, editable=False)
    due_at = models.DateTimeField()
    looked_at = models.DateTimeField(null=True)
    last_execution = models.BigIntegerField(default=0)
    running = models.JSONField(default=list)
    pending = models.JSONField(default=dict)

    class Meta:
        db_table = "sys_scheduler_alert_watch"
        verbose_name = _("alert watch")
        verbose_name_plural = _("alert watch")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
