"""An edit by another process: how long until the scheduler acts on it."""

from __future__ import annotations

import random
import time

from benchmarks.scenarios.base import Column, Figures, Hurry, Scenario
from benchmarks.scenarios.idle import stored
from benchmarks.starts import percentile
from benchmarks.trial import Trial

PATIENCE = 12.0  # seconds that one edit gets to be seen
MOST = 90.0  # seconds that all edits get together
UNSEEN = 2  # edits in a row that nobody saw, after which nobody is expected to see one


def change(trial: Trial, count: int, hurry: Hurry) -> Figures:
    trial.store(stored(count))
    trial.start()
    editor = trial.open_editor()
    chance = random.Random(1)
    delays: list[float] = []
    made = unseen_in_a_row = 0
    deadline = time.monotonic() + MOST
    while made < min(hurry.edits, count) and unseen_in_a_row < UNSEEN and time.monotonic() < deadline:
        time.sleep(chance.uniform(0.2, 1.2))  # at any point of a poll
        made += 1
        delay = _seen_after(trial, made, editor.edit(made))
        if delay is None:
            unseen_in_a_row += 1
        else:
            unseen_in_a_row = 0
            delays.append(delay)
    trial.check()
    return {
        "p50": percentile(delays, 0.5),
        "max": max(delays, default=None),
        "edits": made,
        "unseen": made - len(delays),
    }


def _seen_after(trial: Trial, number: int, since: float) -> float | None:
    for _ in trial.wait(PATIENCE, pause=0.01):
        for start in trial.starts.tasks:
            if start.number == number:
                return max(0.0, start.at - since)
    return None


CHANGE = Scenario(
    name="change",
    title="Edited by another process, from its commit to the run",
    size="tasks",
    sizes=(10_000,),
    smoke=10,
    measure=change,
    columns=(
        Column("p50", "half after (s)", "{:,.3f}"),
        Column("max", "all after (s)", "{:,.3f}", worst=True),
        Column("edits", "edits"),
        Column("unseen", "not seen", worst=True),
    ),
)
