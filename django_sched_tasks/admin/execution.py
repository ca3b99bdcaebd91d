"""The pages of executions: what became of each fire time and request. Read-only, but for two buttons."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_sched_tasks import operations
from django_sched_tasks.admin import show
from django_sched_tasks.admin.base import Button, HistoryAdmin, LinkingChangeList, Refusals, scripts
from django_sched_tasks.admin.course import course
from django_sched_tasks.admin.execution_fields import GIVEN, LEFT, ExecutionFields
from django_sched_tasks.admin.filters import QueueFilter
from django_sched_tasks.admin.waiting import live_nodes
from django_sched_tasks.models import ExecutionStatus, SchedulerTask, TaskExecution, count_up_to

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
        return count_up_to(rows, self.cap + 1)

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
    search_fields = ("task_name", "job_id", "func", "error", "=request")
    ordering = ("-id",)
    sortable_by = ("number",)
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator

    @property
    def media(self) -> forms.Media:
        return super().media + scripts("live")

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
        asked = ("requested_by",) if getattr(obj, "requested_by", "") else ()
        named = ("task_link", "result_id") if getattr(obj, "is_enqueued", False) else ("task_link", "job_id")
        around = ("attempts",) if getattr(obj, "is_enqueued", False) else ("attempts", "neighbours")
        what = (named, "func", ("kind", "fire_time", *asked), around)
        said = ("output_text",) if obj is not None and (obj.output or obj.finished_at is None) else ()
        arguments = [shown for shown, field in GIVEN.items() if getattr(obj, field, None)]
        given = (*(arguments or ["no_arguments"]), ("queue", "executor"))
        return (
            (None, {"fields": ("course", *what, ("took", "node_link"))}),
            (gettext_lazy("What it left"), {"fields": [*said, *left] or ("nothing_left",)}),
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
            return execution.finished_at is not None and execution.is_wanted

        def may_cancel(execution: TaskExecution) -> bool:
            return execution.finished_at is None

        return (
            Button("retry", gettext_lazy("Retry"), "run", self._retry, may_retry),
            Button("cancel", gettext_lazy("Cancel"), "run", self._cancel, may_cancel),
        )

    def further_pages(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        if obj.finished_at is None or obj.task_id is None or not self.has_run_permission(request):
            return []
        url = obj.links.to_page(SchedulerTask, "run_with", obj.task_id)
        return [(gettext_lazy("Run with other arguments"), f"{url}?execution={obj.pk}")] if url else []

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path("<path:object_id>/live/", guarded(self._live, cacheable=False), name=self._url_name("live")),
            *super().get_urls(),
        ]

    def _live(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What has changed of an open execution, for the page that shows it."""
        execution = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, execution):
            raise PermissionDenied
        if execution is None:
            raise Http404
        now = timezone.now()
        return JsonResponse(
            {
                "parts": {"sched-course": str(course(execution, live_nodes(now), now))},
                "output": show.printable(execution.output),
                "state": execution.status,
            }
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        execution = context.get("original")
        if execution is not None and execution.finished_at is None:
            context["sched_live"] = {"url": self._url_of("live", execution.pk), "state": execution.status}
        return super().render_change_form(request, context, *args, **kwargs)

    def _retry(self, request: HttpRequest, execution: Any) -> str | None:
        """A further attempt; its page is where one watches it."""
        refusals = Refusals()
        url: str | None = None
        with refusals.of(execution):
            retry = operations.retry_execution(execution.pk, user=request.user)
            url = execution.links.to(TaskExecution, retry.pk)
            text = _("Attempt %d is queued:") % retry.attempt
            messages.success(request, format_html("{} {}", text, show.link(url, retry)))
        refusals.tell(request)
        return url

    def _cancel(self, request: HttpRequest, execution: Any) -> None:
        refusals = Refusals()
        with refusals.of(execution):
            cancelled = operations.cancel_execution(execution.pk, user=request.user)
            if cancelled.status == ExecutionStatus.CANCELLED:
                messages.success(request, _("The execution is cancelled."))
            else:
                messages.info(request, _("The run was asked to end; it is cancelled as soon as it has."))
        refusals.tell(request)
