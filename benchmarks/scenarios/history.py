"""A long history: what a claim, a page of it and a purge cost as it grows."""

from __future__ import annotations

from benchmarks.scenarios.base import Column, Figures, Hurry, Scenario
from benchmarks.scenarios.idle import stored
from benchmarks.trial import Trial

ROUNDS = 20
TASKS = 200


def history(trial: Trial, count: int, hurry: Hurry) -> Figures:
    trial.store(stored(TASKS))
    found: Figures = trial.call("history", executions=count, rounds=min(ROUNDS, hurry.requests))
    return found


HISTORY = Scenario(
    name="history",
    title="A long history",
    size="executions",
    sizes=(1_000, 1_000_000, 10_000_000),
    smoke=1_000,
    measure=history,
    columns=(
        Column("claim_ms", "claim of 50 (ms)", "{:,.1f}"),
        Column("page_ms", "page of 50 (ms)", "{:,.1f}"),
        Column("task_page_ms", "page of a task (ms)", "{:,.1f}"),
        Column("prune_ms", "purge of 500 (ms)", "{:,.1f}"),
    ),
    for_peers=False,
)
