"""Checks of the database that holds the tasks: SQLite as several processes need it, and what stands before PostgreSQL.

All but one look at settings and files; rows are only asked where the command was told to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError, connections

from django_sched_tasks import conf, database
from django_sched_tasks.checks.messages import TAG, warning
from django_sched_tasks.checks.places import network_share
from django_sched_tasks.models import SchedulerNode

SQLITE_TIMEOUT = 5.0  # sqlite3's own default, in seconds
PGBOUNCER_PORT = "6432"
POOL_SIZE = 4  # psycopg_pool's own default, and Django's
MAX_WORKERS = 10  # of an executor that does not say


@register(TAG)
def check_sqlite(**options: Any) -> list[CheckMessage]:
    alias, using = _using()
    return [*_sqlite_problems(alias, using)] if using["ENGINE"].endswith("sqlite3") else []


def _sqlite_problems(alias: str, using: Mapping[str, Any]) -> Iterator[CheckMessage]:
    options = using["OPTIONS"]
    timeout = options.get("timeout", SQLITE_TIMEOUT)
    if timeout < SQLITE_TIMEOUT:
        yield warning(
            3,
            f"The SQLite database {alias!r} gives up on a lock after {timeout} s, while schedulers write to it.",
            f"Set DATABASES[{alias!r}]['OPTIONS']['timeout'] to 20, and 'transaction_mode' to 'IMMEDIATE'.",
        )
    file = Path(str(using["NAME"]))
    if _has_rollback_journal(file) and "wal" not in str(options.get("init_command", "")).lower():
        yield warning(
            7,
            f"In the SQLite database {alias!r} whoever reads keeps out who writes: its journal is no WAL.",
            f"Set DATABASES[{alias!r}]['OPTIONS']['init_command'] to 'PRAGMA journal_mode=WAL;'.",
        )
    if file.exists() and (kind := network_share(file)):
        yield warning(
            8,
            f"The SQLite database {alias!r} lies on a network share ({kind}), where its locks cannot be relied on.",
            "Put it on a disk of the one host that uses it, or take PostgreSQL or MariaDB for several hosts.",
        )


def _has_rollback_journal(file: Path) -> bool:
    """What the header of a database says of its journal; one that is not there yet, or in memory, says nothing."""
    try:
        with file.open("rb") as stream:
            header = stream.read(20)
    except (OSError, ValueError):
        return False
    return header.startswith(b"SQLite format 3") and header[18:20] == b"\x01\x01"


@register(Tags.database)
def check_hosts(databases: Collection[str] | None = None, **options: Any) -> list[CheckMessage]:
    alias, using = _using()
    if not databases or alias not in databases or not using["ENGINE"].endswith("sqlite3"):
        return []
    try:
        since = database.now(alias) - timedelta(seconds=conf.node_timeout())
        nodes = SchedulerNode.objects.using(alias).live().filter(heartbeat_at__gte=since)
        hosts = sorted(set(nodes.values_list("host", flat=True)))
        machines = set(nodes.values_list("machine", "host"))
    except DatabaseError:  # before the first migration there is nothing to ask
        return []
    if len(machines) < 2:
        return []
    text = f"Schedulers of several hosts work on the SQLite database {alias!r}: {', '.join(hosts)}."
    return [warning(12, text, "Take PostgreSQL or MariaDB for several hosts; SQLite's locks end at its host.")]


@register(TAG)
def check_poolers(**options: Any) -> list[CheckMessage]:
    alias, using = _using()
    if not using["ENGINE"].endswith(("postgresql", "postgis")):
        return []
    return [*_transaction_pooler(alias, using), *_small_pool(alias, using)]


def _transaction_pooler(alias: str, using: Mapping[str, Any]) -> Iterator[CheckMessage]:
    """A site behind a pooler of transactions must switch server-side cursors off, which tells it from others."""
    if not using.get("DISABLE_SERVER_SIDE_CURSORS") and str(using.get("PORT", "")) != PGBOUNCER_PORT:
        return
    yield warning(
        13,
        f"The database {alias!r} seems to be reached through a pooler. One that pools transactions loses LISTEN, the "
        "time-outs of the engine's connections, and the lock that tells a living node from a dead one.",
        "Let the alias that holds the scheduler's tables reach the server itself, or a pool of sessions that passes "
        "the startup parameter 'options' on; silence this check where it is so.",
    )


def _small_pool(alias: str, using: Mapping[str, Any]) -> Iterator[CheckMessage]:
    pool = using["OPTIONS"].get("pool")
    if not pool:
        return
    given = pool if isinstance(pool, Mapping) else {}
    size = given.get("max_size") or given.get("min_size", POOL_SIZE)
    workers = conf.executors()["default"].get("OPTIONS", {}).get("max_workers") or MAX_WORKERS
    if size >= workers:
        return
    yield warning(
        14,
        f"The pool of the database {alias!r} has {size} connections for {workers} threads whose functions may use it: "
        "the others wait, and fail after the pool's time-out.",
        f"Set DATABASES[{alias!r}]['OPTIONS']['pool']['max_size'] to at least {workers}, or 'max_workers' lower.",
    )


def _using() -> tuple[str, Mapping[str, Any]]:
    alias = database.alias()
    return alias, connections.settings[alias]
