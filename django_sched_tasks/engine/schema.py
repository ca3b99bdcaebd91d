"""A node that meets a newer schema than it knows stops planning and claiming: the release that knows it takes over.

Migrations of this app only ever add, so that a node of the last release can finish what it runs on the tables of the
next one. What the next release writes into the new columns it does not understand, so it begins nothing.
"""

from __future__ import annotations

import logging
import pkgutil
from importlib import import_module

from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

APP = "django_sched_tasks"

logger = logging.getLogger(__name__)


class SchemaGuard:
    """Compares the migrations that the database has with those of this release."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._known = _known_migrations()
        self._count = -1
        self.problem = ""

    def count_sql(self) -> str:
        """An expression that changes when a migration is applied; it rides on a statement that is sent anyway."""
        wrapper = connections[self._using]
        table = MigrationRecorder.Migration._meta.db_table
        if table not in wrapper.introspection.table_names():
            return "0"  # tables that were made without migrations, as some test suites do
        return f"(SELECT COUNT(*) FROM {wrapper.ops.quote_name(table)} WHERE app = '{APP}')"

    def allows(self, count: int) -> bool:
        """Whether this release may work on a database that has so many of this app's migrations."""
        if count != self._count:
            self._look()
            self._count = count
        return not self.problem

    def _look(self) -> None:
        applied = MigrationRecorder.Migration.objects.using(self._using).filter(app=APP).order_by("id")
        unknown = [name for name in applied.values_list("name", flat=True) if name not in self._known]
        problem = ""
        if unknown:
            problem = f"The database has migrations that this release does not know: {', '.join(unknown)}."
        if problem and not self.problem:
            logger.warning("%s This node starts nothing more; upgrade its release of django-sched-tasks.", problem)
        elif self.problem and not problem:
            logger.info("The database's migrations are those of this release again; scheduling goes on.")
        self.problem = problem


def _known_migrations() -> frozenset[str]:
    module, _explicit = MigrationLoader.migrations_module(APP)
    if module is None:
        return frozenset()
    return frozenset(name for _finder, name, _is_package in pkgutil.iter_modules(import_module(module).__path__))
