"""The database that holds the tasks: which one it is, its clock, its transient errors, and connections of our own."""

from __future__ import annotations

import copy
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from django.apps import apps
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connections,
    router,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

logger = logging.getLogger(__name__)

RETRIES = 6

T = TypeVar("T")

_own: WeakSet[BaseDatabaseWrapper] = WeakSet()
_keeps_plans: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()

# SQLSTATEs and error numbers of a conflict that the same transaction, tried again, may not meet.
_POSTGRESQL_CONFLICTS = {"40001", "40P01", "55P03"}
_MYSQL_CONFLICTS = {1020, 1205, 1213}
# What the databases say of a missing table or column.
_MYSQL_UNMIGRATED = {1146, 1054}
_SQLITE_UNMIGRATED = ("no such table", "no such column", "has no column named")


def alias() -> str:
    """The database alias that the host's routers give to our tables."""
    return router.db_for_write(apps.get_model("django_sched_tasks", "SchedulerTask"))


def connection() -> BaseDatabaseWrapper:
    return connections[alias()]


def now(using: str | None = None) -> datetime:
    """The instant by the database's clock, the only one that nodes compare."""
    wrapper = connections[using or alias()]
    if wrapper.vendor == "sqlite":  # SQLite's clock is this host's, in milliseconds
        return timezone.now()
    with wrapper.cursor() as cursor:
        cursor.execute(f"SELECT {clock_sql(wrapper)}")
        instant: datetime = as_instant(cursor.fetchone()[0])
        return instant


def on_commit(act: Callable[[], object], *, using: str) -> None:
    """Do it once the transaction is committed, at once outside one; what it raises is logged and changes nothing."""
    transaction.on_commit(act, using=using, robust=True)


def clock_sql(wrapper: BaseDatabaseWrapper) -> str:
    """The expression for the instant of the statement, in UTC."""
    return {
        "postgresql": "statement_timestamp()",
        "mysql": "UTC_TIMESTAMP(6)",
        "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
    }[wrapper.vendor]


def as_instant(value: Any) -> Any:
    """A datetime as a raw cursor gives it (naive, or text on SQLite) as an aware one in UTC; None stays None."""
    if isinstance(value, str):
        value = parse_datetime(value)
    if value is None or value.tzinfo:
        return value
    return value.replace(tzinfo=UTC)


def is_conflict(error: BaseException) -> bool:
    """A deadlock, a lock timeout, a serialization failure or a busy SQLite: worth another try at once."""
    if not isinstance(error, DatabaseError):
        return False
    cause = error.__cause__
    if getattr(cause, "sqlstate", None) in _POSTGRESQL_CONFLICTS:
        return True
    if error.args and error.args[0] in _MYSQL_CONFLICTS:
        return True
    return "database is locked" in str(error) or "database table is locked" in str(error)


def is_outage(error: BaseException) -> bool:
    """The database cannot be reached, or does not serve us now."""
    return isinstance(error, OperationalError | InterfaceError)


def is_unmigrated(error: BaseException) -> bool:
    """A table of ours, or a column, is missing: the migrations have not been run."""
    if not isinstance(error, DatabaseError):
        return False
    if getattr(error.__cause__, "sqlstate", None) in ("42P01", "42703"):
        return True
    if error.args and error.args[0] in _MYSQL_UNMIGRATED:
        return True
    return any(words in str(error) for words in _SQLITE_UNMIGRATED)


def trouble(error: BaseException) -> str:
    """Why the database did not answer, and what to do, in a sentence for people."""
    if is_unmigrated(error):
        return _("The tables are missing or of another release: run 'manage.py migrate'.")
    return _("The database cannot be asked: %s") % str(error).strip()


def retrying(work: Callable[[], T], *, using: str | None = None) -> T:
    """Call ``work``, a whole transaction, again while it meets conflicts; the last one is raised.

    Inside somebody's transaction there is nothing to try again: it is theirs to begin anew.
    """
    wrapper = connections[using or alias()]
    for attempt in range(RETRIES):
        try:
            return work()
        except DatabaseError as error:
            if attempt == RETRIES - 1 or wrapper.in_atomic_block or not is_conflict(error):
                raise
            logger.debug("Conflict in the database, trying again: %s", error)
        time.sleep(random.uniform(0.005, 0.02) * 2**attempt)
    raise AssertionError("unreachable")


def adopt_own_connection(*, waits_for_disk: bool = True) -> BaseDatabaseWrapper:
    """Give the calling thread, one of the engine's, a connection of its own kind, and return it.

    The host's settings are made for requests: a pool that is sized for them, no limit on waiting. The engine holds row
    locks for milliseconds and must never hang, so a stopped process or a lost network frees its rows by time-outs.

    A connection that does not wait for the disk is for what may be decided again after the database's machine has
    failed. On PostgreSQL its commits are seen by everybody at once, and a later commit that waits carries them along,
    as the log is written in order: none can be lost that something lasting was built upon.
    """
    using = alias()
    connections[using].close()
    settings_dict = copy.deepcopy(connections.settings[using])
    tune = {"postgresql": _tune_postgresql, "mysql": _tune_mysql, "sqlite": _tune_sqlite}
    wrapper = connections[using]
    if wrapper.vendor in tune:
        tune[wrapper.vendor](settings_dict["OPTIONS"])
    if wrapper.vendor == "postgresql" and not waits_for_disk:
        settings_dict["OPTIONS"]["options"] += " -c synchronous_commit=off"
    settings_dict["CONN_MAX_AGE"] = None
    settings_dict["CONN_HEALTH_CHECKS"] = False
    settings_dict["ATOMIC_REQUESTS"] = False
    settings_dict["AUTOCOMMIT"] = True
    own: BaseDatabaseWrapper = type(wrapper)(settings_dict, alias=using)
    if shares_memory(wrapper):
        return wrapper
    connections[using] = own
    _own.add(own)
    return own


def busy_cursor(using: str) -> CursorWrapper:
    """A cursor for a statement that is sent again and again.

    On PostgreSQL the server keeps its plan, on connections of the engine whose session is theirs alone: behind a pooler
    that shares sessions a plan would be looked for in the wrong one. Such a pooler names itself, and not the server's
    process, as the other end.
    """
    wrapper = connections[using]
    if wrapper not in _own or wrapper.vendor != "postgresql":
        return wrapper.cursor()
    wrapper.ensure_connection()
    session: Any = wrapper.connection
    if not hasattr(session, "prepare_threshold"):  # psycopg2
        return wrapper.cursor()
    if session not in _keeps_plans:
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            _keeps_plans[session] = cursor.fetchone()[0] == session.info.backend_pid
        if _keeps_plans[session] and session.prepare_threshold is None:
            session.prepare_threshold = 5
    if not _keeps_plans[session]:
        return wrapper.cursor()
    from django.db.backends.postgresql import base  # noqa: PLC0415 - needs a driver for PostgreSQL

    server_binding: Any = base.ServerBindingCursor
    return wrapper.make_cursor(server_binding(session))


def shares_memory(wrapper: BaseDatabaseWrapper) -> bool:
    """An in-memory SQLite database lives in its connection, so there is no second one to it."""
    return wrapper.vendor == "sqlite" and bool(wrapper.is_in_memory_db())  # type: ignore[attr-defined]


def _tune_postgresql(options: dict[str, Any]) -> None:
    options.pop("pool", None)
    options.setdefault("connect_timeout", 5)
    options.setdefault("application_name", "django-sched-tasks")
    own = "-c idle_in_transaction_session_timeout=10s -c statement_timeout=30s -c lock_timeout=5s"
    # The engine reads a few rows by their index, however small the tables look in statistics that are out of date.
    own += " -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off"
    options["options"] = f"{options.get('options', '')} {own}".strip()


def _tune_mysql(options: dict[str, Any]) -> None:
    options.setdefault("connect_timeout", 5)
    options.setdefault("read_timeout", 30)
    options.setdefault("write_timeout", 30)
    # MariaDB alone can end a transaction whose process has been stopped, and reads what MySQL takes for a comment.
    own = "SET SESSION innodb_lock_wait_timeout = 5 /*M!100300 , SESSION idle_transaction_timeout = 10 */"
    given = options.get("init_command")
    options["init_command"] = f"{given}; {own}" if given else own


def _tune_sqlite(options: dict[str, Any]) -> None:
    # A deferred transaction that reads first and writes later fails at once when another has written meanwhile.
    options["transaction_mode"] = "IMMEDIATE"
    options["timeout"] = max(float(options.get("timeout", 5.0)), 20.0)
