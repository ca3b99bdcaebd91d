"""Requests to the API and to the bare one, in turns, so that both meet the same machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

FUNC = "benchmarks.site.tasks:work"
WARMING = 3


def measure(requests: int) -> dict[str, float]:
    """The median of so many requests of each kind, and their queries."""
    site = client()
    kinds: dict[str, Callable[[int], Any]] = {
        "page": lambda number: site.get("/api/scheduler/tasks/?page_size=50"),
        "empty": lambda number: site.get("/notes/"),
    }
    pages, page_queries = _in_turns(kinds, requests)
    kinds = {
        "create": lambda number: _post(site, "/api/scheduler/tasks/", _task(number)),
        "insert": lambda number: _post(site, "/notes/", {"name": f"note {number}", "func": FUNC}),
    }
    creations, creation_queries = _in_turns(kinds, requests)
    return {
        "page_ms": pages["page"] * 1000,
        "page_ratio": pages["page"] / pages["empty"],
        "page_queries": page_queries["page"],
        "create_ms": creations["create"] * 1000,
        "create_ratio": creations["create"] / creations["insert"],
        "create_queries": creation_queries["create"],
    }


def client() -> Client:
    made = Client()
    made.force_login(get_user_model().objects.create_superuser("staff"))
    return made


def _post(site: Client, address: str, data: dict[str, Any]) -> Any:
    return site.post(address, data, content_type="application/json")


def _task(number: int) -> dict[str, Any]:
    year = datetime.now(UTC).year + 1
    return {
        "name": f"created {number}",
        "func": FUNC,
        "trigger": "cron",
        "trigger_args": {"year": year, "month": 1, "day": 1 + number % 28},
        "args": [number],
    }


def _in_turns(kinds: dict[str, Callable[[int], Any]], requests: int) -> tuple[dict[str, float], dict[str, int]]:
    queries = {}
    for name, send in kinds.items():
        for number in range(WARMING):
            _must_succeed(send(number))
        with CaptureQueriesContext(connection) as captured:
            send(WARMING)
        queries[name] = len(captured)
    took: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(requests):
        for name, send in kinds.items():
            began = time.perf_counter()
            send(number)
            took[name].append(time.perf_counter() - began)
    return {name: median(values) for name, values in took.items()}, queries


def _must_succeed(response: Any) -> None:
    if response.status_code >= 400:
        raise RuntimeError(f"{response.status_code}: {response.content[:500]!r}")
