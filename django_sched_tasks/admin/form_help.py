"""The addresses at which the form of a task asks, and what its script begins with."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from django_sched_tasks import conf, database, definitions
from django_sched_tasks.admin import assist, policies, show
from django_sched_tasks.admin.base import SteeringAdmin, scripts
from django_sched_tasks.models import SchedulerTask


class FormHelp(SteeringAdmin):
    """For those who may add or change tasks."""

    @property
    def media(self) -> forms.Media:
        return super().media + scripts("list", "arguments", "task_form")

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path("functions/", guarded(self._functions), name=self._url_name("functions")),
            path("preview/", guarded(self._preview), name=self._url_name("preview")),
            *super().get_urls(),
        ]

    def _require_writer(self, request: HttpRequest) -> None:
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied

    def _functions(self, request: HttpRequest) -> HttpResponse:
        self._require_writer(request)
        return JsonResponse({"functions": assist.functions()})

    def _preview(self, request: HttpRequest) -> HttpResponse:
        self._require_writer(request)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        pk = request.POST.get("_task", "")
        task = SchedulerTask.objects.filter(pk=pk).first() if pk.isdecimal() else None
        form = self.form(request.POST, instance=task)
        return JsonResponse(assist.preview(form, task, now=database.now()))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        task = context.get("original")
        if self.has_change_permission(request, task) if task else self.has_add_permission(request):
            urls = {name: self._url_of(name) for name in ("functions", "preview")}
            context["sched_form_config"] = assist.config(urls, task)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=gettext_lazy("in words"))
    def policies_in_words(self, task: SchedulerTask) -> Any:
        """What the policies say, above the fields that set them."""
        given = {name: getattr(task, name) for name in definitions.POLICIES}
        if task._state.adding:
            given |= {name: value for name, value in conf.defaults().items() if name in definitions.POLICIES}
        items = show.joined(format_html("<li>{}</li>", text) for text in policies.sentences(given))
        return format_html('<ul class="sched-sentences" id="sched-policies">{}</ul>', items)
