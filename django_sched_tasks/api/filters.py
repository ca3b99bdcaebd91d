"""Filters, search and order of lists, by query parameters. Unknown parameters are ignored, wrong values are refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from django_sched_tasks.api.reading import (
    ID,
    INSTANT,
    TEXT,
    read_id,
    read_instant,
    read_parameter,
    read_text,
    read_word,
    refuse,
)
from django_sched_tasks.models import ExecutionStatus, Kind, NodeState, Source, TaskStatus
from django_sched_tasks.triggers import KINDS
from django_sched_tasks.triggers.errors import shown

# Turns a parameter's name and its values into a condition.
Condition = Callable[[str, list[str]], Q]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter of a list.

    Args:
        condition: what its values mean.
        schema: what one value looks like, as JSON Schema.
        joined: whether several values may stand in one, with commas; else the parameter is repeated.
        repeated: whether several values may be given at all.
    """

    condition: Condition
    schema: dict[str, Any]
    joined: bool = False
    repeated: bool = True


def _texts(field: str) -> Parameter:
    """Equal to the text, or to one of them where the parameter is repeated."""

    def condition(name: str, values: list[str]) -> Q:
        return Q(**{f"{field}__in": [read_text(name, value) for value in values]})

    return Parameter(condition, TEXT)


def _words(field: str, words: Mapping[str, Any]) -> Parameter:
    """One of several known words, separated by commas or repeated."""

    def condition(name: str, values: list[str]) -> Q:
        given = [word.strip() for value in values for word in value.split(",")]
        return Q(**{f"{field}__in": {read_word(name, word, words) for word in given}})

    return Parameter(condition, {"type": "string", "enum": list(words)}, joined=True)


def _ids(field: str) -> Parameter:
    def read(name: str, value: str) -> int:
        found = read_id(value)
        return found if found is not None else refuse(name, _("%s is not an id.") % shown(value))

    def condition(name: str, values: list[str]) -> Q:
        return Q(**{f"{field}__in": [read(name, value) for value in values]})

    return Parameter(condition, ID)


def _uuids(field: str) -> Parameter:
    def read(name: str, value: str) -> uuid.UUID:
        try:
            return uuid.UUID(value)
        except ValueError:
            refuse(name, _("%s is not an id.") % shown(value))

    def condition(name: str, values: list[str]) -> Q:
        return Q(**{f"{field}__in": [read(name, value) for value in values]})

    return Parameter(condition, {"type": "string", "format": "uuid"})


def _instant(lookup: str) -> Parameter:
    def condition(name: str, values: list[str]) -> Q:
        [value] = values
        return Q(**{lookup: read_instant(name, value)})

    return Parameter(condition, INSTANT, repeated=False)


def _same(words: list[str]) -> dict[str, str]:
    return {word: word for word in words}


TASK_FILTERS: dict[str, Parameter] = {
    "status": _words(
        "status", {name: status for status in TaskStatus for name in (status.name.lower(), str(status.value))}
    ),
    "trigger": _words("trigger", _same(list(KINDS))),
    "source": _words("source", _same(Source.values)),
    "job_id": _texts("job_id"),
    "func": _texts("func"),
    "queue": _texts("queue"),
}
EXECUTION_FILTERS: dict[str, Parameter] = {
    "task": _ids("task"),
    "status": _words("status", _same(ExecutionStatus.values)),
    "kind": _words("kind", _same(Kind.values)),
    "request": _texts("request"),
    "job_id": _texts("job_id"),
    "func": _texts("func"),
    "queue": _texts("queue"),
    "node": _uuids("node"),
    "fire_at_after": _instant("fire_at__gte"),
    "fire_at_before": _instant("fire_at__lte"),
    **{f"fire_at__{lookup}": _instant(f"fire_at__{lookup}") for lookup in ("gt", "gte", "lt", "lte")},
}
NODE_FILTERS: dict[str, Parameter] = {
    "state": _words("state", _same(NodeState.values)),
    "host": _texts("host"),
}


class FieldFilter(BaseFilterBackend):
    """The view's ``filters``; one of several values without any is as good as none."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        filters: dict[str, Parameter] = getattr(view, "filters", {})
        for name, parameter in filters.items():
            if values := self._given(request, name, parameter):
                queryset = queryset.filter(parameter.condition(name, values))
        return queryset

    def _given(self, request: Request, name: str, parameter: Parameter) -> list[str]:
        if parameter.repeated:
            return [value for value in request.query_params.getlist(name) if value]
        value = read_parameter(request, name)
        return [] if value is None else [value]


class SearchFilter(BaseFilterBackend):
    """``?search=``: each of its words stands in one of the view's ``search_fields``."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        fields: tuple[str, ...] = getattr(view, "search_fields", ())
        for word in search_words(request):
            queryset = queryset.filter(Q(*((f"{field}__icontains", word) for field in fields), _connector=Q.OR))
        return queryset


def search_words(request: Request) -> list[str]:
    return read_text("search", read_parameter(request, "search") or "").split()


class OrderingFilter(BaseFilterBackend):
    """``?ordering=name,-next_run``, of the view's ``ordering_fields``; empty values come last, the id decides ties."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        given = read_parameter(request, "ordering") or ""
        if not given.strip():
            return queryset
        fields: tuple[str, ...] = getattr(view, "ordering_fields", ())
        allowed = {f"{sign}{field}": (field, sign == "-") for field in fields for sign in ("", "-")}
        order: dict[str, Any] = {}
        for word in given.split(","):
            field, descending = read_word("ordering", word.strip(), allowed)
            order.setdefault(field, F(field).desc(nulls_last=True) if descending else F(field).asc(nulls_last=True))
        return queryset.order_by(*order.values(), "-pk")
