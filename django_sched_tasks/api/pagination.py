"""Lists come in pages, whatever the host's defaults."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from django_sched_tasks.api.reading import read_parameter, refuse
from django_sched_tasks.triggers.errors import shown


class SchedulerPagination(PageNumberPagination):
    """``?page=`` and ``?page_size=``; more than ``max_page_size`` is answered as that many."""

    page_size = 50
    max_page_size = 500
    page_query_param = "page"
    page_size_query_param = "page_size"
    last_page_strings = ("last",)
    invalid_page_message = gettext_lazy("There is no such page: {message}")  # type: ignore[assignment]

    def get_page_number(self, request: Request, paginator: Any) -> Any:
        read_parameter(request, "page")
        return super().get_page_number(request, paginator)

    def get_page_size(self, request: Request) -> int:
        given = read_parameter(request, "page_size")
        if not given:
            return self.page_size
        digits = given.lstrip("0") if given.isascii() and given.isdigit() else ""
        if not digits:
            refuse("page_size", _("%s was given; it must be a whole number from 1.") % shown(given))
        return min(int(digits[:18]), self.max_page_size)  # of more digits than that, the first say as much
