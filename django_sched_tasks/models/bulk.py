"""One statement for many rows where the ORM would send many, or build one slowly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

Row = Sequence[Any]


class Verbatim(str):
    """The text of a JSON column as the database gave it: written back unchanged, not as a JSON string."""

    __slots__ = ()


def update_rows(
    model: type[models.Model], names: Sequence[str], rows: Sequence[Row], *, using: str, where: str = ""
) -> None:
    """Give each row of ``rows``, (primary key, value, value, …), its own values for the columns ``names``.

    ``where`` is SQL without parameters that each row must meet besides; the table's alias is ``target``. The caller has
    locked the rows in the order of their keys.
    """
    if not rows:
        return
    wrapper = connections[using]
    fields = [model._meta.pk, *(model._meta.get_field(name) for name in names)]
    values = [[_prepare(field, value, wrapper) for field, value in zip(fields, row, strict=True)] for row in rows]
    with wrapper.cursor() as cursor:
        if wrapper.vendor == "postgresql":
            cursor.execute(*_update_from_values(model, fields, values, wrapper, where))
        else:
            cursor.executemany(_update_one(model, fields, wrapper, where), [[*row[1:], row[0]] for row in values])


def insert_rows(model: type[models.Model], names: Sequence[str], rows: Sequence[Row], *, using: str) -> None:
    """Insert rows given as plain values; columns that are not named take the database's default."""
    if not rows:
        return
    wrapper = connections[using]
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    quote = wrapper.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    values = [[_prepare(field, value, wrapper) for field, value in zip(fields, row, strict=True)] for row in rows]
    size = max(1, (wrapper.features.max_query_params or 20_000) // len(fields))
    one = f"({', '.join(['%s'] * len(fields))})"
    with wrapper.cursor() as cursor:
        for start in range(0, len(values), size):
            chunk = values[start : start + size]
            cursor.execute(
                f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES {', '.join([one] * len(chunk))}",
                [value for row in chunk for value in row],
            )


def _prepare(field: Any, value: Any, wrapper: BaseDatabaseWrapper) -> Any:
    return str(value) if isinstance(value, Verbatim) else field.get_db_prep_save(value, wrapper)


def _update_one(model: type[models.Model], fields: Sequence[Any], wrapper: BaseDatabaseWrapper, where: str) -> str:
    quote = wrapper.ops.quote_name
    table = quote(model._meta.db_table)
    assignments = ", ".join(f"{quote(field.column)} = %s" for field in fields[1:])
    more = f" AND {where.replace('target.', '')}" if where else ""
    return f"UPDATE {table} SET {assignments} WHERE {quote(fields[0].column)} = %s{more}"


def _update_from_values(
    model: type[models.Model], fields: Sequence[Any], values: Sequence[Row], wrapper: BaseDatabaseWrapper, where: str
) -> tuple[str, list[Any]]:
    quote = wrapper.ops.quote_name
    casts = [field.cast_db_type(wrapper) for field in fields]
    first = f"({', '.join(f'%s::{cast}' for cast in casts)})"  # the types of the first row are those of all
    other = f"({', '.join(['%s'] * len(fields))})"
    names = ", ".join(quote(field.column) for field in fields)
    assignments = ", ".join(f"{quote(field.column)} = given.{quote(field.column)}" for field in fields[1:])
    key = quote(fields[0].column)
    more = f" AND {where}" if where else ""
    sql = (
        f"UPDATE {quote(model._meta.db_table)} AS target SET {assignments} "
        f"FROM (VALUES {', '.join([first, *[other] * (len(values) - 1)])}) AS given ({names}) "
        f"WHERE target.{key} = given.{key}{more}"
    )
    return sql, [value for row in values for value in row]
