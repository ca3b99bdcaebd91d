"""Lists come in pages, whatever the host's defaults."""

from __future__ import annotations

from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any

from django.core.paginator import EmptyPage, Page, PageNotAnInteger, Paginator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from django_sched_tasks.api.reading import read_parameter, refuse
from django_sched_tasks.models import count_up_to
from django_sched_tasks.triggers.errors import shown

FURTHEST = 1 << 62  # rows: no database skips more

if TYPE_CHECKING:
    AnyPage = Page[Any]
    AnyPaginator = Paginator[Any]
else:
    AnyPage, AnyPaginator = Page, Paginator


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


class HistoryPage(AnyPage):
    """Knows by a row that was read beyond it whether another one follows."""

    is_followed = False

    def has_next(self) -> bool:
        return self.is_followed


class HistoryPaginator(AnyPaginator):
    """Counts so far and no further, since nothing else of a page costs more with a longer history.

    Every page can be had all the same, and says whether another one follows.
    """

    cap = 20_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return count_up_to(rows, self.cap)

    @property
    def last_page(self) -> int:
        """Its number, which takes counting them all."""
        rows: Any = self.object_list
        return max(1, ceil(int(rows.count()) / self.per_page))

    def validate_number(self, number: int | float | str) -> int:
        """Any from 1 on: which is the last one is not known."""
        try:
            wanted = int(number)
        except ValueError:
            raise PageNotAnInteger(self.error_messages["invalid_page"]) from None
        if wanted < 1:
            raise EmptyPage(self.error_messages["min_page"])
        return wanted

    def page(self, number: int | float | str) -> HistoryPage:
        wanted = self.validate_number(number)
        first = (wanted - 1) * self.per_page
        rows = [] if first > FURTHEST else list(self.object_list[first : first + self.per_page + 1])
        if wanted > 1 and not rows:
            raise EmptyPage(self.error_messages["no_results"])
        page = HistoryPage(rows[: self.per_page], wanted, self)
        page.is_followed = len(rows) > self.per_page
        return page


class HistoryPagination(SchedulerPagination):
    """Of rows that may be millions: ``count`` is exact up to 20,000, and 20,000 beyond."""

    django_paginator_class = HistoryPaginator

    def get_page_number(self, request: Request, paginator: Any) -> Any:
        if read_parameter(request, "page") in self.last_page_strings:
            return paginator.last_page
        return super().get_page_number(request, paginator)
