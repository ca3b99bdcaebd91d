"""The API against a bare one of REST framework on the same site: a page of 50 tasks, and a creation."""

from __future__ import annotations

from benchmarks.scenarios.base import Column, Figures, Hurry, Scenario
from benchmarks.scenarios.idle import stored
from benchmarks.trial import Trial


def api(trial: Trial, count: int, hurry: Hurry) -> Figures:
    trial.store(stored(count))
    found: Figures = trial.call("api", requests=hurry.requests)
    return found


API = Scenario(
    name="api",
    title="The API, beside an empty list and a bare insertion of REST framework on the same site",
    size="tasks",
    sizes=(10_000,),
    smoke=60,
    measure=api,
    columns=(
        Column("page_ms", "page of 50 (ms)", "{:,.1f}"),
        Column("page_ratio", "to an empty list", "{:,.1f}×"),
        Column("page_queries", "queries"),
        Column("create_ms", "creation (ms)", "{:,.1f}"),
        Column("create_ratio", "to a bare one", "{:,.1f}×"),
        Column("create_queries", "queries"),
    ),
    for_peers=False,
)
