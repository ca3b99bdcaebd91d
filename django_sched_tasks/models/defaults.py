"""Values that Python and the database make up alike, so that a row inserted by plain SQL is a whole one."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models


def new_job_id() -> str:
    return uuid.uuid4().hex


class RandomHex(models.Func):
    """32 random hexadecimal digits, made by the database."""

    output_field = models.CharField()
    arity = 0

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="replace(gen_random_uuid()::text, '-', '')", **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="REPLACE(UUID(), '-', '')", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="lower(hex(randomblob(16)))", **context)


class UtcNow(models.Func):
    """The instant of the statement by the database's clock, in UTC.

    Django's ``Now()`` answers in the session's time zone on MySQL and MariaDB.
    """

    output_field = models.DateTimeField()
    arity = 0

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="STATEMENT_TIMESTAMP()", **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="CURRENT_TIMESTAMP", **context)
