"""Filters whose choices need no look at the rows they filter."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_sched_tasks.admin.waiting import TOLERANCE
from django_sched_tasks.models import SchedulerTask, TaskExecution, TaskStatus
from django_sched_tasks.triggers import KINDS


class TriggerFilter(admin.SimpleListFilter):
    title = _("trigger type")
    parameter_name = "trigger"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind.name, kind.label) for kind in KINDS.values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(trigger=self.value()) if self.value() else queryset


class ConditionFilter(admin.SimpleListFilter):
    """Tasks that somebody should look at."""

    title = _("condition")
    parameter_name = "condition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("late", _("Late")), ("broken", _("Schedule error")), ("open", _("Running or waiting"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "broken":
            return queryset.exclude(schedule_error="")
        # The rows that are open, found by their index: few, however long the history is.
        unfinished = TaskExecution.objects.open()
        if self.value() == "late":
            since = timezone.now() - TOLERANCE
            waiting = unfinished.filter(run_at__lt=since, started_at__isnull=True)
            unplanned = Q(status=TaskStatus.ACTIVE, next_run__lt=since)
            return queryset.filter(unplanned | Q(pk__in=waiting.values("task_id")))
        if self.value() == "open":
            return queryset.filter(pk__in=unfinished.values("task_id"))
        return queryset


class QueueFilter(admin.SimpleListFilter):
    """By the queues that tasks name: far fewer rows than a look through the executions would read."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        names = SchedulerTask.objects.order_by("queue").values_list("queue", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(queue=self.value()) if self.value() else queryset
