"""One of two nodes is killed with -9: what is lost, what runs twice, and when the other carries on."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.contenders import Order
from benchmarks.scenarios.base import Column, Figures, Hurry, Scenario, must_be_early
from benchmarks.starts import Start, tally
from benchmarks.trial import Trial

TAKES = 0.05  # seconds that each run takes, so that the kill meets some
AFTERWARDS = 10.0


def kill(trial: Trial, count: int, hurry: Hurry) -> Figures:
    order = Order(count, first=hurry.due(count), every=1, times=hurry.seconds, seconds=TAKES)
    trial.store(order)
    victim, _survivor = trial.start(2)
    must_be_early(trial, order.first)
    trial.wait_until(order.first + hurry.seconds / 3 + 0.02)
    killed = time.time()
    victim.kill()
    trial.nodes.remove(victim)
    trial.wait_until(order.first + hurry.seconds)
    if trial.contender.keeps_to_times:
        time.sleep(AFTERWARDS)
    trial.starts.refresh()
    trial.check()
    found = tally(trial.starts.tasks, order.due)
    accounted = trial.call("accounted")
    return {
        "unrun": found.lost,
        "unaccounted": None if accounted is None else found.due - accounted,
        "double": found.double,
        "carries_on": _first_after(killed, trial.starts.tasks, order.due[1]),
        "all_back": _all_after(killed, trial.starts.tasks, count),
    }


def _first_after(killed: float, found: Sequence[Start], times: Sequence[float]) -> float | None:
    """How late the first start of the first fire time after the kill was: only the other can have made it."""
    due = next((moment for moment in times if moment > killed), None)
    if due is None:
        return None
    late = [start.at - due for start in found if start.at >= due]
    return min(late, default=None)


def _all_after(killed: float, found: Sequence[Start], count: int) -> float | None:
    """How long after the kill each task had started again."""
    first: dict[int, float] = {}
    for start in found:
        if start.at > killed:
            first[start.number] = min(start.at, first.get(start.number, start.at))
    return max(first.values()) - killed if len(first) == count else None


KILL = Scenario(
    name="kill",
    title="Every second, two nodes, one of them killed with -9 after a third of the time",
    size="tasks",
    sizes=(100,),
    smoke=4,
    measure=kill,
    columns=(
        Column("unrun", "fire times not run", worst=True),
        Column("unaccounted", "of these untold", worst=True),
        Column("double", "double", worst=True),
        Column("carries_on", "the other carries on after (s)", "{:,.2f}"),
        Column("all_back", "all tasks run again after (s)", "{:,.2f}"),
    ),
)
