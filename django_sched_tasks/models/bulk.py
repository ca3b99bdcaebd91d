"""One statement for many rows where the ORM would send many, or build one slowly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
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
    with wrapper.cursor() as cursor:
        if wrapper.vendor == "postgresql":
            given, params = _given(fields, rows, wrapper)
            cursor.execute(_update_from(model, fields, given, wrapper, where), [params, _keys(rows)])
            return
        values = _prepared(fields, rows, wrapper)
        if wrapper.vendor == "mysql":
            sql = _update_join(model, fields, len(values), wrapper, where)
            cursor.execute(sql, [value for row in values for value in row])
        else:  # SQLite is in this process: a statement for each row costs no journey
            cursor.executemany(_update_one(model, fields, wrapper, where), [[*row[1:], row[0]] for row in values])


def insert_derived(
    model: type[models.Model],
    source: type[models.Model],
    taken: Mapping[str, str],
    names: Sequence[str],
    rows: Sequence[Row],
    *,
    using: str,
) -> None:
    """Insert rows, in their order, that take over values of other rows, as those stand now; the caller has locked them.

    The first value of each of ``rows`` is the key of the row of ``source`` that it belongs to; ``taken`` says which
    column of ``model`` takes over which of ``source``.
    """
    if not rows:
        return
    wrapper = connections[using]
    quote = wrapper.ops.quote_name
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    columns = ", ".join([*_columns(model, names, wrapper), *_columns(model, taken, wrapper)])
    derived = ", ".join(f"source.{column}" for column in _columns(source, taken.values(), wrapper))
    (key,) = _columns(source, ["pk"], wrapper)
    insert = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) SELECT "
    table = f"{quote(source._meta.db_table)} AS source"
    with wrapper.cursor() as cursor:
        if wrapper.vendor not in ("postgresql", "mysql"):
            marks = ", ".join(["%s"] * len(fields))
            sql = f"{insert}{marks}, {derived} FROM {table} WHERE source.{key} = %s"
            cursor.executemany(sql, [[*row, row[0]] for row in _prepared(fields, rows, wrapper)])
            return
        params: list[Any]
        if wrapper.vendor == "postgresql":
            given, document = _given(fields, rows, wrapper)
            narrower, params = f" WHERE source.{key} = ANY(%s::bigint[])", [document, _keys(rows)]
        else:
            given, narrower = _selected(fields, len(rows), wrapper), ""
            params = [value for row in _prepared(fields, rows, wrapper) for value in row]
        values = ", ".join(_assigned(field, wrapper) for field in fields)
        joined = f"{given} JOIN {table} ON source.{key} = given.{quote(fields[0].column)}"
        cursor.execute(f"{insert}{values}, {derived} FROM {joined}{narrower} ORDER BY row_order", params)


def _columns(model: type[models.Model], names: Iterable[str], wrapper: BaseDatabaseWrapper) -> list[str]:
    meta = model._meta
    fields: list[Any] = [meta.pk if name == "pk" else meta.get_field(name) for name in names]
    return [wrapper.ops.quote_name(field.column) for field in fields]


def _given(fields: Sequence[Any], rows: Sequence[Row], wrapper: BaseDatabaseWrapper) -> tuple[str, str]:
    """The rows as a table named ``given``, by one parameter: a driver takes long over many."""
    quote = wrapper.ops.quote_name
    names = [field.column for field in fields]
    types = ["text" if isinstance(field, models.JSONField) else field.cast_db_type(wrapper) for field in fields]
    columns = ", ".join(f"{quote(name)} {kind}" for name, kind in zip(names, types, strict=True))
    values = [
        {name: _as_json(field, value) for name, field, value in zip(names, fields, row, strict=True)} for row in rows
    ]
    table = f"ROWS FROM (json_to_recordset(%s::json) AS ({columns})) WITH ORDINALITY AS given"
    return f"{table}({', '.join(map(quote, names))}, row_order)", json.dumps(values, cls=DjangoJSONEncoder)


def _as_json(field: Any, value: Any) -> Any:
    """A value as JSON carries it to the column; a document goes as text, so that its database reads it itself."""
    if value is None or not isinstance(field, models.JSONField):
        return value.isoformat() if isinstance(value, datetime) else value
    return str(value) if isinstance(value, Verbatim) else json.dumps(value, cls=field.encoder)


def _assigned(field: Any, wrapper: BaseDatabaseWrapper) -> str:
    column = f"given.{wrapper.ops.quote_name(field.column)}"
    is_text = wrapper.vendor == "postgresql" and isinstance(field, models.JSONField)
    return f"{column}::jsonb" if is_text else column


def _keys(rows: Sequence[Row]) -> str:
    """The list of their keys, by which the planner knows how many there are."""
    return f"{{{','.join(str(row[0]) for row in rows)}}}"


def _prepared(fields: Sequence[Any], rows: Sequence[Row], wrapper: BaseDatabaseWrapper) -> list[list[Any]]:
    return [[_prepare(field, value, wrapper) for field, value in zip(fields, row, strict=True)] for row in rows]


def _prepare(field: Any, value: Any, wrapper: BaseDatabaseWrapper) -> Any:
    return str(value) if isinstance(value, Verbatim) else field.get_db_prep_save(value, wrapper)


def _update_one(model: type[models.Model], fields: Sequence[Any], wrapper: BaseDatabaseWrapper, where: str) -> str:
    quote = wrapper.ops.quote_name
    table = quote(model._meta.db_table)
    assignments = ", ".join(f"{quote(field.column)} = %s" for field in fields[1:])
    more = f" AND {where.replace('target.', '')}" if where else ""
    return f"UPDATE {table} SET {assignments} WHERE {quote(fields[0].column)} = %s{more}"


def _update_join(
    model: type[models.Model], fields: Sequence[Any], count: int, wrapper: BaseDatabaseWrapper, where: str
) -> str:
    quote = wrapper.ops.quote_name
    names = [quote(field.column) for field in fields]
    assignments = ", ".join(f"target.{name} = given.{name}" for name in names[1:])
    more = f" AND {where}" if where else ""
    return (
        f"UPDATE {quote(model._meta.db_table)} AS target JOIN {_selected(fields, count, wrapper)} "
        f"ON target.{names[0]} = given.{names[0]}{more} SET {assignments}"
    )


def _selected(fields: Sequence[Any], count: int, wrapper: BaseDatabaseWrapper) -> str:
    """So many rows as a table named ``given``, by a parameter for each value."""
    first = ", ".join(f"%s AS {wrapper.ops.quote_name(field.column)}" for field in fields)
    other = ", ".join(["%s"] * len(fields))
    others = "".join(f" UNION ALL SELECT {other}, {order}" for order in range(1, count))
    return f"(SELECT {first}, 0 AS row_order{others}) AS given"


def _update_from(
    model: type[models.Model], fields: Sequence[Any], given: str, wrapper: BaseDatabaseWrapper, where: str
) -> str:
    quote = wrapper.ops.quote_name
    assignments = ", ".join(f"{quote(field.column)} = {_assigned(field, wrapper)}" for field in fields[1:])
    key = quote(fields[0].column)
    more = f" AND {where}" if where else ""
    return (
        f"UPDATE {quote(model._meta.db_table)} AS target SET {assignments} FROM {given} "
        f"WHERE target.{key} = given.{key} AND target.{key} = ANY(%s::bigint[]){more}"
    )
