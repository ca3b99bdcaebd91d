"""The pages of tasks: their list, their form, and what may be done to them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.contrib.admin.utils import flatten
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from django_sched_tasks import database, definitions, operations
from django_sched_tasks.admin.actions import SteeringActions
from django_sched_tasks.admin.base import LinkingChangeList
from django_sched_tasks.admin.filters import ConditionFilter, QueueFilter, TriggerFilter
from django_sched_tasks.admin.form_help import FormHelp
from django_sched_tasks.admin.forms import TaskForm
from django_sched_tasks.admin.panel import TaskPanel
from django_sched_tasks.admin.recent import recent
from django_sched_tasks.admin.run_with import RunWith
from django_sched_tasks.admin.task_pages import TaskPages
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import SchedulerTask, Source

WHERE = ("queue", "executor", "executor_options", "priority")
POLICIES = tuple(name for name in definitions.POLICIES if name not in WHERE)


class TaskChangeList(LinkingChangeList):
    """Each task with its latest outcomes, and with what its reader may do to it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found = recent([task.pk for task in self.result_list])
        steering = self.model_admin.steering_of(request)  # type: ignore[attr-defined]
        for task in self.result_list:
            task.recent = found[task.pk]
            task.steering = steering


class TaskAdmin(TaskPanel, FormHelp, RunWith, TaskPages, SteeringActions):
    form = TaskForm
    list_display = (
        "name",
        "state",
        "trigger_in_words",
        "next_run_time",
        "last_run_and_outcome",
        "outcomes",
        "steer",
    )
    list_filter = ("status", ConditionFilter, TriggerFilter, QueueFilter, "source")
    search_fields = ("name", "job_id", "func", "description")
    list_per_page = 50
    show_full_result_count = False
    save_on_top = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TaskChangeList

    def get_list_display(self, request: HttpRequest) -> Any:
        may_steer = self.has_run_permission(request) or self.has_pause_permission(request)
        return [name for name in super().get_list_display(request) if name != "steer" or may_steer]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        what = ("name", "func", "args", "kwargs", "description")
        form = (
            (_("What"), {"fields": (*what, "job_id") if obj is None else what}),
            (_("When"), {"fields": definitions.TRIGGER_FIELDS}),
            (_("Where it runs"), {"fields": WHERE, "classes": ("collapse",)}),
            (_("Policies"), {"fields": ("policies_in_words",)}),
            (_("Change the policies"), {"fields": POLICIES, "classes": ("collapse",)}),
        )
        if obj is None:
            return form
        standing = (None, {"fields": self.standing_fields})
        record = (_("Next and last"), {"fields": self.record_fields})
        return (standing, *form, record)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        told = ["policies_in_words"]
        return told if obj is None else [*told, *flatten([*self.standing_fields, *self.record_fields])]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.refusal = getattr(request, "sched_refusal", {})
        return form

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page; a save that meets others' is tried again, and one that is refused at the last is shown as such."""

        def view() -> HttpResponse:
            return super(TaskAdmin, self).changeform_view(request, object_id, form_url, extra_context)

        try:
            return database.retrying(view)
        except InvalidDefinition as error:
            request.sched_refusal = error.errors  # type: ignore[attr-defined]
            return view()
        except SchedulerTask.DoesNotExist:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        def view() -> HttpResponse:
            return super(TaskAdmin, self).delete_view(request, object_id, extra_context)

        return database.retrying(view)

    def save_model(self, request: HttpRequest, obj: SchedulerTask, form: Any, change: bool) -> None:
        if change:
            task = operations.update_task(obj.pk, form.definition(), user=request.user)
        else:
            task = operations.add_task(**form.definition(), source=Source.ADMIN, user=request.user)
        vars(obj).update(vars(task))

    # What people do is written to the history by contrib.history, whatever face it comes through: not twice.

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        pass

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        pass

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:  # type: ignore[override]
        pass

    def delete_model(self, request: HttpRequest, obj: SchedulerTask) -> None:
        _remove(obj, request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[SchedulerTask]) -> None:
        for task in queryset.order_by("pk"):
            _remove(task, request.user)


def _remove(task: SchedulerTask, user: Any) -> None:
    with suppress(SchedulerTask.DoesNotExist):  # somebody was faster; what was asked for is so
        operations.remove_task(task.pk, user=user)
