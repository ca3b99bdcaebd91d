"""Tasks that are all due at once: how fast they run, and what a run costs."""

from __future__ import annotations

import time

from benchmarks.contenders import Order
from benchmarks.scenarios.base import Column, Figures, Hurry, Scenario, must_be_early
from benchmarks.starts import tally
from benchmarks.trial import Trial

SILENCE = 15.0  # seconds without a start, after which nothing more is expected
SETTLING = 1.5  # seconds after the last start, for the ends to be recorded and for doubles to show
TASKS = 2_000  # that several nodes share

COLUMNS = (
    Column("rate", "runs/s"),
    Column("last", "last start after (s)", "{:,.2f}"),
    Column("cpu_ms", "CPU ms a run", "{:,.2f}"),
    Column("server_cpu_ms", "of server and broker", "{:,.2f}"),
    Column("statements", "statements a run", "{:,.2f}"),
    Column("lost", "lost", worst=True),
    Column("double", "double", worst=True),
)


def burst(trial: Trial, count: int, hurry: Hurry, nodes: int = 1) -> Figures:
    order = Order(count, first=hurry.due(count))
    trial.store(order)
    trial.start(nodes)
    must_be_early(trial, order.first - 1)
    trial.wait_until(order.first - 0.5)
    before = trial.cpu(), trial.server_cpu(), trial.statements()
    _wait_for_all(trial, order)
    cpu, server_cpu, statements = trial.cpu() - before[0], trial.server_cpu() - before[1], trial.statements() - before[2]
    found = tally(trial.starts.tasks, order.due)
    runs = max(1, found.ran)
    last = max(found.lateness, default=0.0)
    return {
        "rate": found.ran / last if last else None,
        "last": last or None,
        "cpu_ms": cpu * 1000 / runs,
        "server_cpu_ms": server_cpu * 1000 / runs,
        "statements": statements / runs if statements else None,
        "lost": found.lost,
        "double": found.double,
    }


def _wait_for_all(trial: Trial, order: Order) -> None:
    """Until every task has started, or nothing has for a while; and a moment more."""
    trial.wait_until(order.first)
    seen, latest = 0, time.monotonic()
    for _ in trial.wait(600, pause=0.05):
        trial.check()
        if len(trial.starts.tasks) > seen:
            seen, latest = len(trial.starts.tasks), time.monotonic()
        elif len({start.number for start in trial.starts.tasks}) >= order.count:
            break
        elif time.monotonic() - latest > SILENCE:
            break
    for _ in trial.wait(SETTLING, pause=0.1):
        pass


def several(trial: Trial, nodes: int, hurry: Hurry) -> Figures:
    return burst(trial, TASKS if hurry.seconds > 3 else 20, hurry, nodes)


BURST = Scenario("burst", "Due at once, one node", "tasks", (1_000, 5_000), 30, burst, COLUMNS)
SEVERAL = Scenario(
    "several", f"{TASKS:,} tasks due at once, several nodes", "nodes", (1, 2, 4), 2, several, COLUMNS
)
