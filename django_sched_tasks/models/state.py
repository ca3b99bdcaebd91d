"""What holds for the whole scheduler of a database, whatever node looks."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Value
from django.utils.translation import gettext_lazy as _

from django_sched_tasks.models.defaults import UtcNow

THE_ROW = 1


class SchedulerState(models.Model):
    """One row, made when something is first said: the environment, a pause of everything, the site's exclusions."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=THE_ROW, db_default=THE_ROW, editable=False)
    environment = models.CharField(
        _("environment"),
        max_length=128,
        blank=True,
        default="",
        db_default="",
        help_text=_("The name of the environment that this database belongs to."),
    )
    maintenance_until = models.DateTimeField(
        _("maintenance until"), null=True, blank=True, help_text=_("Until then nothing is planned and nothing starts.")
    )
    maintenance_note = models.CharField(_("maintenance note"), max_length=255, blank=True, default="", db_default="")
    maintenance_by = models.CharField(_("maintenance by"), max_length=255, blank=True, default="", db_default="")
    exclusions = models.JSONField(
        _("exclusions"),
        default=list,
        db_default=Value([], models.JSONField()),
        blank=True,
        help_text=_("Dates and windows in which the fire times of all tasks are skipped."),
    )
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, db_default=UtcNow())
    updated_by = models.CharField(_("updated by"), max_length=255, blank=True, default="", db_default="")

    class Meta:
        db_table = "sys_scheduler_state"
        verbose_name = _("scheduler state")
        verbose_name_plural = _("scheduler state")
        constraints = (models.CheckConstraint(condition=models.Q(id=THE_ROW), name="sched_state_one_row"),)

    def __str__(self) -> str:
        return self.environment or str(self._meta.verbose_name)

    def is_in_maintenance(self, now: datetime) -> bool:
        return self.maintenance_until is not None and self.maintenance_until > now
