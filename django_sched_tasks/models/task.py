"""What is to run, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, Value, When
from django.utils.timezone import now as host_now
from django.utils.translation import gettext_lazy as _

from django_sched_tasks.models.defaults import RandomHex, UtcNow, new_job_id
from django_sched_tasks.validators import validate_trigger_kind

DAY = 86_400
YEAR = 366 * DAY
LONG_AGO = datetime(1000, 1, 1, tzinfo=UTC)  # the earliest year that every database knows


def _between(low: float, high: float) -> list[Any]:
    return [MinValueValidator(low), MaxValueValidator(high)]


class TaskStatus(models.IntegerChoices):
    PAUSED = 0, _("Paused")
    ACTIVE = 1, _("Active")
    FINISHED = 2, _("Finished")


class Overlap(models.TextChoices):
    """What becomes of a fire time while ``max_instances`` executions of the task are open."""

    SKIP = "skip", _("Skip")
    QUEUE = "queue", _("Queue")
    REPLACE = "replace", _("Replace")


class OnCrash(models.TextChoices):
    """What becomes of a run whose node died: told as lost, or run again."""

    LOSE = "lose", _("Lose")
    RETRY = "retry", _("Retry")


class Source(models.TextChoices):
    """Where a task was made."""

    CODE = "code", _("Code")
    API = "api", _("API")
    ADMIN = "admin", _("Admin")
    IMPORT = "import", _("Import")


# The columns that say when a task fires. The planner keeps a copy of what it has planned by, see `plan_at`.
WHEN_FIELDS = ("trigger", "trigger_args", "timezone", "status")


class SchedulerTask(models.Model):
    """A function, its arguments, the trigger that says when, and the policies for what can go wrong.

    Rules live in :mod:`django_sched_tasks.operations`; a row changed by ``save()``, ``QuerySet.update()`` or SQL is
    seen and planned by the next pass of any scheduler.
    """

    # What people give. The first eight names come from the specification and stay.
    name = models.CharField(_("task name"), max_length=128)
    job_id = models.CharField(
        _("job id"),
        max_length=64,
        unique=True,
        default=new_job_id,
        db_default=RandomHex(),
        help_text=_("A stable name for programs; made up when left out."),
    )
    func = models.CharField(
        _("function"),
        max_length=255,
        help_text=_("As package.module:function; only functions that may be scheduled are accepted."),
    )
    trigger = models.CharField(_("trigger type"), max_length=32, validators=[validate_trigger_kind])
    trigger_args = models.JSONField(
        _("trigger arguments"), default=dict, db_default=Value({}, models.JSONField()), blank=True
    )
    status = models.IntegerField(
        _("status"), choices=TaskStatus, default=TaskStatus.ACTIVE, db_default=TaskStatus.ACTIVE, editable=False
    )
    last_run = models.DateTimeField(_("last run"), null=True, blank=True, editable=False)
    next_run = models.DateTimeField(_("next run"), null=True, blank=True, editable=False)

    description = models.TextField(_("description"), blank=True, default="", db_default="")
    args = models.JSONField(
        _("positional arguments"), default=list, db_default=Value([], models.JSONField()), blank=True
    )
    kwargs = models.JSONField(
        _("keyword arguments"), default=dict, db_default=Value({}, models.JSONField()), blank=True
    )
    timezone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text=_("An IANA name such as Asia/Shanghai; the site's time zone when left empty."),
    )
    queue = models.CharField(_("queue"), max_length=64, default="default", db_default="default")
    executor = models.CharField(_("executor"), max_length=64, default="default", db_default="default")
    executor_options = models.JSONField(
        _("executor options"), default=dict, db_default=Value({}, models.JSONField()), blank=True
    )

    # Policies. Null means no limit.
    misfire_grace_time = models.PositiveIntegerField(
        _("misfire grace time"),
        null=True,
        blank=True,
        default=DAY,
        db_default=DAY,
        help_text=_("Seconds; a fire time that is older than this when it could start is missed. Empty: no limit."),
        validators=_between(1, 10 * YEAR),
    )
    coalesce = models.BooleanField(
        _("coalesce"),
        default=True,
        db_default=True,
        help_text=_("Of several fire times that are due at once the latest runs and stands for the others."),
    )
    max_catch_up = models.PositiveIntegerField(
        _("max catch-up"),
        default=100,
        db_default=100,
        help_text=_("How many fire times may wait one after another; the rest is told as missed or skipped."),
        validators=_between(1, 10_000),
    )
    max_instances = models.PositiveIntegerField(
        _("max instances"),
        null=True,
        blank=True,
        default=1,
        db_default=1,
        help_text=_("How many executions may be open at once, over all nodes. Empty: no limit."),
        validators=_between(1, 10_000),
    )
    overlap = models.CharField(
        _("overlap"),
        max_length=16,
        choices=Overlap,
        default=Overlap.SKIP,
        db_default=Overlap.SKIP,
        help_text=_("What becomes of a fire time when that many are open."),
    )
    concurrency_key = models.CharField(
        _("concurrency key"),
        max_length=128,
        blank=True,
        default="",
        db_default="",
        help_text=_("Tasks with the same key share the limit of max instances."),
    )
    timeout = models.PositiveIntegerField(
        _("timeout"),
        null=True,
        blank=True,
        help_text=_("Seconds a run may take. Empty: no limit."),
        validators=_between(1, YEAR),
    )
    max_retries = models.PositiveIntegerField(
        _("max retries"),
        default=0,
        db_default=0,
        help_text=_("How often a failed run is tried again."),
        validators=_between(0, 1_000),
    )
    retry_delay = models.PositiveIntegerField(
        _("retry delay"),
        default=60,
        db_default=60,
        help_text=_("Seconds before the first retry."),
        validators=_between(0, YEAR),
    )
    retry_backoff = models.FloatField(
        _("retry backoff"),
        default=1.0,
        db_default=1.0,
        help_text=_("Each further delay is this many times longer."),
        validators=_between(1.0, 100.0),
    )
    retry_jitter = models.FloatField(
        _("retry jitter"),
        default=0.0,
        db_default=0.0,
        help_text=_("0 to 1: the largest share of a delay that is added to it by chance, so that retries spread out."),
        validators=_between(0.0, 1.0),
    )
    retry_on = models.JSONField(
        _("retry on"),
        default=list,
        db_default=Value([], models.JSONField()),
        blank=True,
        help_text=_("Only these exceptions are retried, as names such as requests.exceptions.Timeout. Empty: all."),
    )
    transactional = models.BooleanField(
        _("transactional"),
        default=False,
        db_default=False,
        help_text=_(
            "The function's writes to the scheduler's database and the end of its execution commit together, so that "
            "they take effect exactly once. For short functions; it implies on crash: run again."
        ),
    )
    on_crash = models.CharField(
        _("on crash"),
        max_length=16,
        choices=OnCrash,
        default=OnCrash.LOSE,
        db_default=OnCrash.LOSE,
        help_text=_("When the node dies during a run: tell it as lost, or run it again."),
    )
    pause_on_failure = models.PositiveIntegerField(
        _("pause on failure"),
        null=True,
        blank=True,
        help_text=_("Pause after this many failures in a row."),
        validators=_between(1, 1_000_000),
    )
    priority = models.SmallIntegerField(
        _("priority"),
        default=0,
        db_default=0,
        help_text=_("-100 to 100; higher goes first."),
        validators=_between(-100, 100),
    )

    exclusions = models.JSONField(
        _("exclusions"),
        default=list,
        db_default=Value([], models.JSONField()),
        blank=True,
        help_text=_("Dates and windows in which its fire times are skipped."),
    )
    max_runs = models.PositiveIntegerField(
        _("max runs"),
        null=True,
        blank=True,
        help_text=_("The task finishes after this many runs of its schedule. Empty: no limit."),
        validators=_between(1, 1_000_000_000),
    )
    retention_days = models.PositiveIntegerField(
        _("retention in days"),
        null=True,
        blank=True,
        help_text=_("How long its ended executions are kept. Empty: as the site's settings say."),
        validators=_between(1, 36_500),
    )
    retention_count = models.PositiveIntegerField(
        _("retention by number"),
        null=True,
        blank=True,
        help_text=_("How many of its ended executions are kept. Empty: as the site's settings say."),
        validators=_between(1, 100_000_000),
    )

    # What is told about it.
    pause_note = models.CharField(
        _("pause note"), max_length=255, blank=True, default="", db_default="", editable=False
    )
    schedule_error = models.TextField(_("schedule error"), blank=True, default="", db_default="", editable=False)
    source = models.CharField(
        _("source"), max_length=16, choices=Source, default=Source.API, db_default=Source.IMPORT, editable=False
    )
    declared = models.JSONField(
        _("declared"), null=True, editable=False, help_text=_("What @scheduled said in code when it was last synced.")
    )
    created_at = models.DateTimeField(_("created at"), default=host_now, db_default=UtcNow(), editable=False)
    updated_at = models.DateTimeField(_("updated at"), default=host_now, db_default=UtcNow(), editable=False)
    created_by = models.CharField(
        _("created by"), max_length=255, blank=True, default="", db_default="", editable=False
    )
    updated_by = models.CharField(
        _("updated by"), max_length=255, blank=True, default="", db_default="", editable=False
    )

    # What the engine needs, and alone writes.
    anchor = models.DateTimeField(_("anchor"), null=True, editable=False)
    follows = models.CharField(
        _("follows"), max_length=64, blank=True, default="", db_default="", editable=False, db_index=True
    )
    version = models.BigIntegerField(_("version"), default=0, db_default=0, editable=False)
    planned_through = models.DateTimeField(_("planned through"), null=True, editable=False)
    planned_trigger = models.CharField(max_length=32, null=True, editable=False)  # noqa: DJ001 - null: never planned
    planned_trigger_args = models.JSONField(null=True, editable=False)
    planned_timezone = models.CharField(max_length=64, null=True, editable=False)  # noqa: DJ001
    planned_status = models.IntegerField(null=True, editable=False)
    fire_count = models.PositiveBigIntegerField(_("fire times"), default=0, db_default=0, editable=False)
    planned_runs = models.PositiveBigIntegerField(_("planned runs"), default=0, db_default=0, editable=False)
    run_count = models.PositiveBigIntegerField(_("runs"), default=0, db_default=0, editable=False)
    skipped_count = models.PositiveBigIntegerField(_("skipped"), default=0, db_default=0, editable=False)
    missed_count = models.PositiveBigIntegerField(_("missed"), default=0, db_default=0, editable=False)
    purged_covers = models.PositiveBigIntegerField(_("purged"), default=0, db_default=0, editable=False)

    # The whole of "an edit by any hand takes effect": due at once when the definition is not the one planned by.
    plan_at = models.GeneratedField(
        expression=Case(
            When(
                trigger=F("planned_trigger"),
                trigger_args=F("planned_trigger_args"),
                timezone=F("planned_timezone"),
                status=F("planned_status"),
                then=F("next_run"),
            ),
            default=Value(LONG_AGO, models.DateTimeField()),
        ),
        output_field=models.DateTimeField(null=True),
        db_persist=True,
        verbose_name=_("plan at"),
    )

    ENGINE_FIELDS: ClassVar[frozenset[str]] = frozenset(
        {
            "last_run",
            "next_run",
            "schedule_error",
            "declared",
            "anchor",
            "follows",
            "version",
            "planned_through",
            "planned_trigger",
            "planned_trigger_args",
            "planned_timezone",
            "planned_status",
            "fire_count",
            "planned_runs",
            "run_count",
            "skipped_count",
            "missed_count",
            "purged_covers",
            "plan_at",
        }
    )

    class Meta:
        db_table = "sys_scheduler_task"
        verbose_name = _("scheduled task")
        verbose_name_plural = _("scheduled tasks")
        ordering = ("-id",)
        permissions = (
            ("pause_schedulertask", _("Can pause and resume scheduled tasks")),
            ("run_schedulertask", _("Can run scheduled tasks now")),
        )
        indexes = (
            models.Index(fields=("plan_at", "id"), name="sched_task_plan"),
            models.Index(fields=("concurrency_key",), name="sched_task_concurrency"),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=TaskStatus.values), name="sched_task_status_known"),
            models.CheckConstraint(condition=models.Q(overlap__in=Overlap.values), name="sched_task_overlap_known"),
            models.CheckConstraint(condition=models.Q(on_crash__in=OnCrash.values), name="sched_task_on_crash_known"),
        )

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **options: Any) -> None:
        """Save what people give; a stale instance never writes back what the engine has moved on since."""
        is_update = not self._state.adding and not args and not options.get("force_insert")
        if is_update and options.get("update_fields") is None:
            options["update_fields"] = self._given_fields()
        super().save(*args, **options)

    @property
    def has_had_all_runs(self) -> bool:
        """Whether its schedule has had as many runs as ``max_runs`` allows."""
        return self.max_runs is not None and self.planned_runs >= self.max_runs

    def _given_fields(self) -> list[str]:
        loaded = set(self.__dict__)  # deferred fields have no value to save
        return [
            field.name
            for field in self._meta.concrete_fields
            if not field.primary_key and field.attname in loaded and field.name not in self.ENGINE_FIELDS
        ]
