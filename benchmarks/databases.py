"""The trial's database, as the environment names it, and as each driver wants to have it told."""

from __future__ import annotations

import json
import os
from typing import Any

VARIABLE = "BENCHMARK_DATABASE"
DIALECTS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+mysqldb", "sqlite3": "sqlite"}


def settings() -> dict[str, Any]:
    """For Django's DATABASES."""
    found: dict[str, Any] = json.loads(os.environ[VARIABLE])
    return found


def dialect() -> str:
    return str(settings()["ENGINE"].rpartition(".")[2])


def for_psycopg() -> dict[str, Any]:
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    given = settings()
    return {name: given[key] for name, key in names.items() if given.get(key)}


def for_sqlalchemy() -> Any:
    from sqlalchemy import URL

    given = settings()
    return URL.create(
        DIALECTS[dialect()],
        username=given.get("USER") or None,
        password=given.get("PASSWORD") or None,
        host=given.get("HOST") or None,
        port=int(given["PORT"]) if given.get("PORT") else None,
        database=given["NAME"],
    )


def analyze() -> None:
    """Let PostgreSQL know what has just been filled in, as it would by itself a minute later."""
    if dialect() == "postgresql":
        import psycopg

        with psycopg.connect(**for_psycopg(), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
