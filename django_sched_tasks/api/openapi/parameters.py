"""What may stand in an address and in the headers: filters, search, order, pages, ids and keys."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiFilterExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_parameter_type
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from django_sched_tasks import definitions
from django_sched_tasks.api.filters import Parameter
from django_sched_tasks.api.pagination import SchedulerPagination
from django_sched_tasks.api.reading import DEFAULT_COUNT, ID, MAX_COUNT, TEXT

TASK_ID = OpenApiParameter("id", ID, OpenApiParameter.PATH, description="The id of the task.")
TASK_OF_EXECUTIONS = OpenApiParameter("task", ID, OpenApiParameter.PATH, description="The id of the task.")
EXECUTION_ID = OpenApiParameter("id", ID, OpenApiParameter.PATH, description="The id of the execution.")
NODE_ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH, description="The id of the node.")

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "maxLength": definitions.IDEMPOTENCY_KEY_LENGTH},
    OpenApiParameter.HEADER,
    description="A repeated request with the same key queues nothing twice and answers the same.",
)
COUNT = OpenApiParameter(
    "count",
    {"type": "integer", "minimum": 1, "maximum": MAX_COUNT, "default": DEFAULT_COUNT},
    description="How many fire times.",
)

# Headers of answers.
LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    description="The address of the new task.",
    response=[201],
)
RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    {"type": "integer", "minimum": 0},
    OpenApiParameter.HEADER,
    description="Seconds to wait before the next try.",
    response=[429, 503],
)
WWW_AUTHENTICATE = OpenApiParameter(
    "WWW-Authenticate",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="How to log in.",
    response=[401],
)


class FieldFilterParameters(OpenApiFilterExtension):
    target_class = "django_sched_tasks.api.filters.FieldFilter"

    def get_schema_operation_parameters(self, auto_schema: AutoSchema) -> list[Any]:
        filters: dict[str, Parameter] = getattr(auto_schema.view, "filters", {})
        return [_of_filter(name, parameter) for name, parameter in filters.items()]


def _of_filter(name: str, parameter: Parameter) -> Any:
    if not parameter.repeated:
        return _in_query(name, parameter.schema)
    several = {"type": "array", "items": parameter.schema}
    return _in_query(name, several, explode=not parameter.joined, style="form")


def _in_query(name: str, schema: dict[str, Any], **options: Any) -> Any:
    return build_parameter_type(name, schema, OpenApiParameter.QUERY, **options)


class SearchParameter(OpenApiFilterExtension):
    target_class = "django_sched_tasks.api.filters.SearchFilter"

    def get_schema_operation_parameters(self, auto_schema: AutoSchema) -> list[Any]:
        fields: tuple[str, ...] = getattr(auto_schema.view, "search_fields", ())
        told = f"Words that must all be found, in: {', '.join(fields)}."
        return [_in_query("search", TEXT, description=told)] if fields else []


class OrderingParameter(OpenApiFilterExtension):
    target_class = "django_sched_tasks.api.filters.OrderingFilter"

    def get_schema_operation_parameters(self, auto_schema: AutoSchema) -> list[Any]:
        fields: tuple[str, ...] = getattr(auto_schema.view, "ordering_fields", ())
        if not fields:
            return []
        words = [f"{sign}{field}" for field in fields for sign in ("", "-")]
        schema = {"type": "array", "items": {"type": "string", "enum": words}}
        told = "Fields to order by, each with - before it to turn it round. Empty values come last."
        return [_in_query("ordering", schema, description=told, explode=False, style="form")]


class PageParameters(OpenApiFilterExtension):
    target_class = "django_sched_tasks.api.pagination.SchedulerPagination"
    match_subclasses = True

    def get_schema_operation_parameters(self, auto_schema: AutoSchema) -> list[Any]:
        size = {"type": "integer", "minimum": 1, "default": SchedulerPagination.page_size}
        told = f"How many rows a page has; more than {SchedulerPagination.max_page_size} are answered as that many."
        return [
            _in_query("page", {"type": "integer", "minimum": 1, "default": 1}),
            _in_query("page_size", size, description=told),
        ]
