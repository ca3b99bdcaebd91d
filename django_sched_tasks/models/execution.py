"""What became of a fire time, or of a request to run."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_sched_tasks.models.defaults import UtcNow
from django_sched_tasks.models.indexes import PartialIndex
from django_sched_tasks.models.node import SchedulerNode
from django_sched_tasks.models.task import OnCrash, SchedulerTask


class Kind(models.TextChoices):
    SCHEDULE = "schedule", _("Schedule")
    MANUAL = "manual", _("Manual")
    BACKFILL = "backfill", _("Backfill")
    ENQUEUED = "enqueued", _("Enqueued")  # by Django's task framework, without a scheduled task


class ExecutionStatus(models.TextChoices):
    """The states of an execution; :mod:`django_sched_tasks.models.transitions` is the only writer.

    ``queued`` → ``claimed`` → (``dispatched`` →) ``running`` → ``succeeded``, ``failed``, ``timed_out``,
    ``cancelled`` or ``lost``; or, without ever running, ``skipped``, ``missed`` or ``cancelled``.
    """

    QUEUED = "queued", _("Queued")
    CLAIMED = "claimed", _("Claimed")
    DISPATCHED = "dispatched", _("Dispatched")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    TIMED_OUT = "timed_out", _("Timed out")
    CANCELLED = "cancelled", _("Cancelled")
    LOST = "lost", _("Lost")
    SKIPPED = "skipped", _("Skipped")
    MISSED = "missed", _("Missed")


OPEN_STATUSES = (
    ExecutionStatus.QUEUED,
    ExecutionStatus.CLAIMED,
    ExecutionStatus.DISPATCHED,
    ExecutionStatus.RUNNING,
)
STARTED_STATUSES = (ExecutionStatus.DISPATCHED, ExecutionStatus.RUNNING)
NEVER_RAN = (ExecutionStatus.SKIPPED, ExecutionStatus.MISSED, ExecutionStatus.CANCELLED)
FAILURE_STATUSES = (ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT, ExecutionStatus.LOST)

# Backfills come after all else, whatever their priorities (-100 to 100) say among themselves.
BACKFILL_RANK = 1_000


class Reason(models.TextChoices):
    """Why an execution is in its state, where the state alone does not say it."""

    NONE = "", "–"
    OVERLAP = "overlap", _("The task was still running.")
    QUEUE_FULL = "queue_full", _("Too many executions were waiting.")
    GRACE = "grace", _("It was too late: older than the misfire grace time.")
    EXCLUDED = "excluded", _("It lies in a date or window that is excluded.")
    CATCH_UP = "catch_up", _("More fire times were due than may be caught up.")
    COALESCING = "coalescing", _("Fire times are still being folded into it.")
    REPLACED = "replaced", _("A newer fire time replaced it.")
    UNRESOLVED = "unresolved", _("No node could resolve the function.")
    NO_EXECUTOR = "no_executor", _("No node has its executor.")
    NODE_DIED = "node_died", _("Its node died during the run; whether it ended is not known.")
    SHUTDOWN = "shutdown", _("Its node was stopped during the run.")
    TASK_REMOVED = "task_removed", _("The task was deleted.")
    REQUESTED = "requested", _("Somebody asked for it.")
    LATE = "late", _("It ended after it had been counted as lost.")


class ExecutionQuerySet(models.QuerySet["TaskExecution"]):
    def open(self) -> ExecutionQuerySet:
        """Not yet ended: queued, claimed, dispatched or running."""
        return self.filter(finished_at__isnull=True)

    def waiting(self) -> ExecutionQuerySet:
        """Queued behind a limit: not to be claimed before another execution ends."""
        return self.open().filter(status=ExecutionStatus.QUEUED, claim_rank__isnull=True)

    def claimable(self) -> ExecutionQuerySet:
        return self.filter(claim_rank__isnull=False)

    def attempts_at(self, execution: TaskExecution) -> ExecutionQuerySet:
        """All attempts at what it stands for, itself among them."""
        same = {name: getattr(execution, name) for name in ("task_id", "kind", "fire_at", "request")}
        return self.filter(**same)

    def wanted(self) -> ExecutionQuerySet:
        """Those that may be tried again: whose task is not deleted, and those that never had one."""
        return self.filter(Q(task__isnull=False) | Q(kind=Kind.ENQUEUED))

    def accounted(self) -> ExecutionQuerySet:
        """The rows whose ``covers`` add up to the fire times that were due."""
        return self.filter(kind=Kind.SCHEDULE, attempt=1)


def count_up_to(rows: models.QuerySet[Any], most: int) -> int:
    """How many, counted so far and no further: what a count costs grows with the history.

    All of them are counted in their order, by its index. Some of them, in whatever order an index finds them: in
    theirs the whole history might be read for those of one task.
    """
    if rows.query.where:
        rows = rows.order_by()
    return rows[:most].count()


class TaskExecution(models.Model):
    """One row for each fire time, manual request or backfilled time, and one more for each retry of it.

    It carries all it needs to run, so that an edit or the deletion of its task changes nothing for it.
    """

    task = models.ForeignKey(
        SchedulerTask,
        verbose_name=_("scheduled task"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="executions",
        db_index=False,  # the unique constraint below begins with it
    )
    task_name = models.CharField(_("task name"), max_length=128)
    job_id = models.CharField(_("job id"), max_length=64)
    func = models.CharField(_("function"), max_length=255)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    fire_at = models.DateTimeField(_("fire time"))
    run_at = models.DateTimeField(_("run at"))
    request = models.CharField(_("request"), max_length=64, blank=True, default="", db_default="")
    attempt = models.PositiveIntegerField(_("attempt"), default=1, db_default=1)
    status = models.CharField(_("status"), max_length=16, choices=ExecutionStatus)
    reason = models.CharField(_("reason"), max_length=32, choices=Reason, blank=True, default="", db_default="")
    covers = models.PositiveBigIntegerField(_("covers"), default=1, db_default=1)

    args = models.JSONField(_("positional arguments"), default=list, db_default=Value([], models.JSONField()))
    kwargs = models.JSONField(_("keyword arguments"), default=dict, db_default=Value({}, models.JSONField()))
    overrides = models.JSONField(
        _("overrides"), null=True, blank=True, help_text=_("The arguments that a request gave for this once.")
    )
    queue = models.CharField(_("queue"), max_length=64, default="default", db_default="default")
    executor = models.CharField(_("executor"), max_length=64, default="default", db_default="default")
    executor_options = models.JSONField(_("executor options"), default=dict, db_default=Value({}, models.JSONField()))
    priority = models.SmallIntegerField(_("priority"), default=0, db_default=0)
    concurrency_key = models.CharField(_("concurrency key"), max_length=128, blank=True, default="", db_default="")
    misfire_grace_time = models.PositiveIntegerField(_("misfire grace time"), null=True, blank=True)
    timeout = models.PositiveIntegerField(_("timeout"), null=True, blank=True)
    max_retries = models.PositiveIntegerField(_("max retries"), default=0, db_default=0)
    retry_delay = models.PositiveIntegerField(_("retry delay"), default=60, db_default=60)
    retry_backoff = models.FloatField(_("retry backoff"), default=1.0, db_default=1.0)
    retry_jitter = models.FloatField(_("retry jitter"), default=0.0, db_default=0.0)
    retry_on = models.JSONField(_("retry on"), default=list, db_default=Value([], models.JSONField()))
    transactional = models.BooleanField(_("transactional"), default=False, db_default=False)
    on_crash = models.CharField(
        _("on crash"), max_length=16, choices=OnCrash, default=OnCrash.LOSE, db_default=OnCrash.LOSE
    )

    queued_at = models.DateTimeField(_("queued at"), default=timezone.now, db_default=UtcNow())
    dispatched_at = models.DateTimeField(_("dispatched at"), null=True, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    duration = models.FloatField(_("duration"), null=True, blank=True, help_text=_("Seconds."))
    handed_back_at = models.DateTimeField(_("handed back at"), null=True, blank=True)
    node = models.ForeignKey(
        SchedulerNode,
        verbose_name=_("node"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="executions",
        db_constraint=False,  # history outlives the node's row, and a run does not pay for the check
        db_index=False,
    )
    # What a run outside the nodes (a Celery worker, a worker of Django's tasks) tells of itself.
    message_id = models.CharField(_("message id"), max_length=128, blank=True, default="", db_default="")
    worker = models.CharField(_("worker"), max_length=255, blank=True, default="", db_default="")
    alive_at = models.DateTimeField(_("sign of life"), null=True, blank=True)
    cancel_requested_at = models.DateTimeField(_("cancel requested at"), null=True, blank=True)
    cancel_requested_by = models.CharField(
        _("cancel requested by"), max_length=255, blank=True, default="", db_default=""
    )
    # The execution whose end set this one off.
    parent = models.ForeignKey(
        "self",
        verbose_name=_("set off by"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    # The order in which nodes take it: minus its priority; null unless it may be claimed.
    claim_rank = models.SmallIntegerField(null=True, editable=False)

    result = models.JSONField(_("result"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True, default="", db_default="")
    traceback = models.TextField(_("traceback"), blank=True, default="", db_default="")
    output = models.TextField(_("output"), blank=True, default="", db_default="")
    progress = models.JSONField(_("progress"), null=True, blank=True)
    requested_by = models.CharField(_("requested by"), max_length=255, blank=True, default="", db_default="")
    headers = models.JSONField(
        _("headers"), null=True, blank=True, help_text=_("What goes along with it, such as the trace of its request.")
    )

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        db_table = "sys_scheduler_execution"
        verbose_name = _("task execution")
        verbose_name_plural = _("task executions")
        ordering = ("-id",)
        indexes = (
            PartialIndex(
                fields=("claim_rank", "run_at", "id"), where=Q(claim_rank__isnull=False), name="sched_execution_claim"
            ),
            PartialIndex(
                fields=("finished_at", "task"), where=Q(finished_at__isnull=True), name="sched_execution_open"
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("task", "fire_at", "kind", "request", "attempt"), name="sched_execution_once"
            ),
            models.CheckConstraint(condition=Q(status__in=ExecutionStatus.values), name="sched_execution_status_known"),
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="sched_execution_kind_known"),
        )

    def __str__(self) -> str:
        return f"{self.task_name} #{self.pk}"

    @property
    def is_enqueued(self) -> bool:
        """Whether Django's task framework has asked for it: then it has no task, and its function is one of its own."""
        return self.kind == Kind.ENQUEUED

    @property
    def is_wanted(self) -> bool:
        """Whether it may be tried again: not once its task is deleted."""
        return self.task_id is not None or self.is_enqueued

    @property
    def rank(self) -> int:
        """What ``claim_rank`` is while nodes may take it: lower goes first."""
        return (BACKFILL_RANK if self.kind == Kind.BACKFILL else 0) - self.priority
