"""Rows as JSON, at the cost of reading their attributes.

REST framework builds a serializer's fields anew for each request and asks each of them about each row, which costs more
than all else of a page. What its fields would answer is worked out here once for each class.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from types import SimpleNamespace
from typing import Any, ClassVar, cast

from django.db import models
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

Teller = Callable[[Any], Any]


class UtcDateTimeField(serializers.DateTimeField):
    """ISO 8601 in UTC, whatever time zone and format the host has set."""

    def to_representation(self, value: datetime) -> str:
        return utc_text(value)


def utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class RowSerializer(serializers.ModelSerializer[Any]):
    """A ModelSerializer whose fields are columns, their labels, and methods that need nothing but the row."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: UtcDateTimeField,
    }

    def get_uniqueness_extra_kwargs(self, field_names: Any, declared_fields: Any, extra_kwargs: Any) -> Any:
        """Operations write the rows; without this, older releases hide columns that a unique constraint names."""
        return extra_kwargs, {}

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {name: tell(instance) for name, tell in _tellers(type(self))}


class PlainListMixin:
    """A list whose rows are the columns that its answer shows, without a model's instance around each.

    Attributes:
        unshown: columns that no answer has, and that cost as much to read as any other.
        beside: what the query finds beside the columns.
    """

    unshown: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[tuple[str, ...]] = ()

    def list(self: Any, request: Request, **_address: Any) -> Response:
        found = self.filter_queryset(self.get_queryset())
        columns = [field.attname for field in found.model._meta.concrete_fields if field.attname not in self.unshown]
        page = self.paginate_queryset(found.values(*columns, *self.beside))
        rows = [SimpleNamespace(**row) for row in page or ()]
        return cast(Response, self.get_paginated_response(self.get_serializer(rows, many=True).data))


@cache
def _tellers(serializer: type[RowSerializer]) -> list[tuple[str, Teller]]:
    made: Any = serializer()
    return [(name, _teller(made, field)) for name, field in made.fields.items() if not field.write_only]


def _teller(serializer: RowSerializer, field: serializers.Field[Any, Any, Any, Any]) -> Teller:
    if isinstance(field, serializers.SerializerMethodField):
        method: Teller = getattr(serializer, field.method_name or f"get_{field.field_name}")
        return method
    source = str(field.source)
    if source.startswith("get_") and source.endswith("_display"):
        return _label(serializer.Meta.model, source.removeprefix("get_").removesuffix("_display"))
    get = attrgetter(source)
    if isinstance(field, UtcDateTimeField):
        return lambda row: None if (moment := get(row)) is None else utc_text(moment)
    if isinstance(field, serializers.UUIDField):
        return lambda row: None if (value := get(row)) is None else str(value)
    return get  # texts, numbers, booleans and JSON are what the column holds


def _label(model: type[models.Model], name: str) -> Teller:
    field: Any = model._meta.get_field(name)
    labels, get = dict(field.flatchoices), attrgetter(name)
    return lambda row: str(labels.get(value := get(row), value))
