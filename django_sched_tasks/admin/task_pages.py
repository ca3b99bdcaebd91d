"""Pages beside the list and the form of tasks: the overview of all, and the week of one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_sched_tasks import database
from django_sched_tasks.admin import overview, week
from django_sched_tasks.admin.base import STATIC, Links, scripts
from django_sched_tasks.admin.overview_parts import PARTS, charts, parts_context
from django_sched_tasks.admin.panel import in_words
from django_sched_tasks.admin.state_pages import StatePages
from django_sched_tasks.models import SchedulerNode, TaskExecution

MOST_WEEKS = 520


class TaskPages(StatePages):
    """For all who may view tasks; what they may not view is left out."""

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path("overview/", guarded(self._overview), name=self._url_name("overview")),
            path("overview/live/", guarded(self._overview_live, cacheable=False), name=self._url_name("overview_live")),
            path("<path:object_id>/week/", guarded(self._week), name=self._url_name("week")),
            *super().get_urls(),
        ]

    def _overview(self, request: HttpRequest) -> HttpResponse:
        context = self._overview_context(request)
        style = forms.Media(css={"all": [f"{STATIC}/vendor/uplot/uPlot.min.css"]})
        page = self.page_context(
            request,
            title=_("Overview"),
            list_url=self._url_of("changelist"),
            live_url=self._url_of("overview_live"),
            parts=[(name, f"admin/django_sched_tasks/overview/{name}.html") for name in PARTS],
            media=self.media + style + scripts("vendor/uplot/uPlot.iife.min", "overview", "live"),
        )
        context |= self.state_context(request)
        return TemplateResponse(request, "admin/django_sched_tasks/overview/page.html", page | context)

    def _overview_live(self, request: HttpRequest) -> HttpResponse:
        context = self._overview_context(request)
        html = {
            f"sched-part-{name}": render_to_string(f"admin/django_sched_tasks/overview/{name}.html", context, request)
            for name in PARTS
        }
        return JsonResponse({"parts": html, "charts": context["charts"]["data"] if context["charts"] else None})

    def _overview_context(self, request: HttpRequest) -> dict[str, Any]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        links = Links(self.admin_site, request)
        seen = overview.read(
            database.now(), sees_nodes=links.may_view(SchedulerNode), sees_executions=links.may_view(TaskExecution)
        )
        return {**parts_context(seen, links), "charts": charts(seen)}

    def _week(self, request: HttpRequest, object_id: str) -> HttpResponse:
        task = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, task):
            raise PermissionDenied
        if task is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]
        offset = _whole(request.GET.get("week", ""))
        context = self.page_context(
            request,
            title=_("Week"),
            subtitle=str(task),
            task=task,
            task_url=self._url_of("change", task.pk),
            list_url=self._url_of("changelist"),
            words=in_words(task),
            offset=offset,
            week=week.read(task, offset, task.links, now=timezone.now()),
        )
        return TemplateResponse(request, "admin/django_sched_tasks/week.html", context)

    def further_pages(self, request: HttpRequest, obj: Any) -> list[tuple[Any, str]]:
        links = [(gettext_lazy("Week"), self._url_of("week", obj.pk))]
        if self.has_run_permission(request):
            links.insert(0, (gettext_lazy("Run with other arguments"), self._url_of("run_with", obj.pk)))
        return links


def _whole(text: str) -> int:
    number = int(text) if text.removeprefix("-").isdecimal() and len(text) < 5 else 0
    return max(-MOST_WEEKS, min(number, MOST_WEEKS))
