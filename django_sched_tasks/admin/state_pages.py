"""What the overview offers for the whole scheduler: maintenance, the exclusions of all tasks, the environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.translation import gettext as _

from django_sched_tasks import database, exclusions, operations
from django_sched_tasks.admin import show
from django_sched_tasks.admin.base import SteeringAdmin
from django_sched_tasks.exceptions import InvalidDefinition

EXAMPLE = show.as_json(list(exclusions.EXAMPLE[:2]), indent=None)


class StatePages(SteeringAdmin):
    """For those who may pause tasks."""

    def get_urls(self) -> list[URLPattern]:
        acts: dict[str, Callable[[HttpRequest], None]] = {
            "start_maintenance": self._start_maintenance,
            "end_maintenance": self._end_maintenance,
            "set_exclusions": self._set_exclusions,
            "confirm_environment": self._confirm_environment,
        }
        guarded = self.admin_site.admin_view
        own = [
            path(f"overview/{name}/", guarded(self._act, cacheable=False), {"act": act}, name=self._url_name(name))
            for name, act in acts.items()
        ]
        return [*own, *super().get_urls()]

    def state_context(self, request: HttpRequest) -> dict[str, Any]:
        """What the forms of the overview begin with; None for whoever may not use them."""
        if not self.has_pause_permission(request):
            return {"holding": None}
        state = operations.scheduler_state()
        listed = state.exclusions
        return {
            "holding": {
                "is_in_maintenance": state.is_in_maintenance(database.now()),
                "is_elsewhere": not operations.environment().fits,
                "exclusions": show.as_json(listed) if listed else "",
                "described": [show.printable(text) for text in exclusions.describe(listed)],
                "example": EXAMPLE,
                "urls": {
                    name: self._url_of(name)
                    for name in ("start_maintenance", "end_maintenance", "set_exclusions", "confirm_environment")
                },
            }
        }

    def _act(self, request: HttpRequest, act: Callable[[HttpRequest], None]) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not (self.has_pause_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        try:
            database.retrying(lambda: act(request))
        except InvalidDefinition as error:
            messages.error(request, show.printable(" ".join(text for texts in error.errors.values() for text in texts)))
        return HttpResponseRedirect(self._url_of("overview"))

    def _start_maintenance(self, request: HttpRequest) -> None:
        until = parse_datetime(request.POST.get("until", ""))
        if until is None:
            raise InvalidDefinition({"until": _("Give the date and time at which work is to go on.")})
        if timezone.is_naive(until):
            until = timezone.make_aware(until)
        operations.start_maintenance(until, note=request.POST.get("note", ""), user=request.user)
        messages.success(request, _("Maintenance has begun: nothing is planned, and nothing starts."))

    def _end_maintenance(self, request: HttpRequest) -> None:
        operations.end_maintenance(user=request.user)
        messages.success(request, _("Maintenance has ended: work goes on."))

    def _set_exclusions(self, request: HttpRequest) -> None:
        try:
            value = json.loads(request.POST.get("exclusions", "").strip() or "[]")
        except (ValueError, RecursionError):
            text = _("The exclusions are not JSON. A list is wanted, such as %s.")
            raise InvalidDefinition({"exclusions": text % EXAMPLE}) from None
        operations.set_exclusions(value, user=request.user)
        messages.success(request, _("The exclusions of all tasks are saved."))

    def _confirm_environment(self, request: HttpRequest) -> None:
        done = operations.confirm_environment(user=request.user)
        text = _("Confirmed. Executions cancelled: {cancelled}. Tasks whose past fire times were let go: {let_go}.")
        messages.success(request, format_html(text, cancelled=done.cancelled, let_go=done.let_go))
