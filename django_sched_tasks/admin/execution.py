"""The pages of executions: what became of each fire time and request. Read-only, but for two buttons."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_sched_tasks import operations
from django_sched_tasks.admin import show
from django_sched_tasks.admin.base import Button, HistoryAdmin, LinkingChangeList, Refusals
from django_sched_tasks.admin.execution_fields import LEFT, ExecutionFields
from django_sched_tasks.admin.filters import QueueFilter
from django_sched_tasks.models import ExecutionStatus, TaskExecution

if TYPE_CHECKING:
    AnyPaginator = Paginator[Any]
else:
    AnyPaginator = Paginator

LARGE = ("args", "kwargs", "overrides", "executor_options", "result", "traceback", "output", "progress")


class CappedPaginator(AnyPaginator):
    """Counts so far and no further: the newest rows are the ones that people page through."""

    cap = 10_000

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        return int(rows[: self.cap + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.cap)

    @property
    def is_capped(self) -> bool:
        return self._counted > self.cap


class ExecutionChangeList(LinkingChangeList):
    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        queryset: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return queryset.defer(*LARGE)


class ExecutionAdmin(ExecutionFields, HistoryAdmin):
    list_display = (
        "number",
        "task_link",
        "kind_and_who",
        "fire_time",
        "outcome",
        "started",
        "took",
        "node_link",
    )
    list_filter = ("status", "kind", QueueFilter)
    list_select_related = ("node",)
    search_fields = ("task_name", "job_id", "func", "error")
    ordering = ("-id",)
    sortable_by = ("number",)
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ExecutionChangeList

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        left = [shown for shown, field in LEFT.items() if getattr(obj, field, None) not in (None, "")]
        limits = (
            "misfire_grace_time",
            "timeout",
            "max_retries",
            "retry_delay",
            "retry_backoff",
            "transactional",
            "on_crash",
        )
        what = (("task_link", "job_id"), "func", ("kind", "fire_time"), "attempts", "requested_by")
        timing = (("queued", "runs_at"), ("started", "finished"), ("took", "node_link"))
        given = ("args_text", "kwargs_text", "overrides_text", ("queue", "executor"), "executor_options_text")
        return (
            (None, {"fields": ("outcome", *what)}),
            (gettext_lazy("What it left"), {"fields": left or ("nothing_left",)}),
            (gettext_lazy("Times"), {"fields": timing}),
            (gettext_lazy("What it was given"), {"fields": given}),
            (
                gettext_lazy("Limits"),
                {"fields": ("covers", "request", "priority", "concurrency_key", *limits), "classes": ("collapse",)},
            ),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def buttons(self) -> Iterable[Button]:
        def may_retry(execution: TaskExecution) -> bool:
            return execution.finished_at is not None and execution.task_id is not None

        def may_cancel(execution: TaskExecution) -> bool:
            return execution.status in (ExecutionStatus.QUEUED, ExecutionStatus.CLAIMED)

        return (
            Button("retry", gettext_lazy("Retry"), "run", self._retry, may_retry),
            Button("cancel", gettext_lazy("Cancel"), "run", self._cancel, may_cancel),
        )

    def _retry(self, request: HttpRequest, execution: Any) -> None:
        refusals = Refusals()
        with refusals.of(execution):
            retry = operations.retry_execution(execution.pk, user=request.user)
            self.log_change(request, execution, _("Retried: execution #%d.") % retry.pk)
            url = execution.links.to(TaskExecution, retry.pk)
            text = _("Attempt %d is queued:") % retry.attempt
            messages.success(request, format_html("{} {}", text, show.link(url, retry)))
        refusals.tell(request)

    def _cancel(self, request: HttpRequest, execution: Any) -> None:
        refusals = Refusals()
        with refusals.of(execution):
            operations.cancel_execution(execution.pk, user=request.user)
            self.log_change(request, execution, _("Cancelled."))
            messages.success(request, _("The execution is cancelled."))
        refusals.tell(request)
