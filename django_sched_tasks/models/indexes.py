"""An index on part of a table, for every database."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement


class PartialIndex(models.Index):
    """An index over the rows that meet ``where``; over all rows where the database knows no partial index.

    Django's own ``Index(condition=…)`` makes no index at all on MySQL and MariaDB and warns every host project about
    it (models.W037). Queries must therefore work on the full index too: let the column that ``where`` asks about be
    among ``fields``.
    """

    def __init__(self, *expressions: Any, where: models.Q, **options: Any) -> None:
        super().__init__(*expressions, **options)
        self.where = where

    def deconstruct(self) -> Any:
        path, expressions, options = super().deconstruct()
        return path, expressions, {**options, "where": self.where}

    def create_sql(
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor, using: str = "", **options: Any
    ) -> Statement:
        supported = schema_editor.connection.features.supports_partial_indexes
        index = models.Index(
            fields=self._fields_on(schema_editor.connection.vendor),
            name=self.name,
            condition=self.where if supported else None,
        )
        return index.create_sql(model, schema_editor, using=using, **options)

    def _fields_on(self, vendor: str) -> list[str]:
        """PostgreSQL drops from a query what the index's condition says already.

        A column that the condition says to be NULL is then no way into the index there: led by one, it would be read
        from end to end.
        """
        fields = list(self.fields)
        if vendor != "postgresql":
            return fields
        rest = [name for name in fields if (f"{name}__isnull", True) not in self.where.children]
        return rest or fields
