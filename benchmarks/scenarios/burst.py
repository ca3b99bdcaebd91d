"""Tasks that are all due at once: how fast they run, and what a run costs."""

from __future__ import annotations

import time

from benchmarks.contenders import Order
from benchmarks.scenarios.base import NORMAL, Column, Figures, Hurry, Scenario, must_be_early
from benchmarks.starts import tally
from benchmarks.trial import Trial

LONGEST = 600.0  # seconds that a burst may take
SILENCE = 45.0  # seconds without a start, after which nothing more is expected
SETTLING = 1.5  # seconds after the last start, for the ends to be recorded and for doubles to show

COLUMNS = (
    Column("rate", "runs/s"),
    Column("first", "first start after (s)", "{:,.2f}"),
    Column("last", "last (s)", "{:,.2f}"),
    Column("cpu_ms", "CPU ms a run", "{:,.2f}"),
    Column("server_cpu_ms", "of server and broker", "{:,.2f}"),
    Column("statements", "statements a run", "{:,.2f}"),
    Column("lost", "lost", worst=True),
    Column("double", "double", worst=True),
)


def burst(trial: Trial, count: int, hurry: Hurry, nodes: int = 1) -> Figures:
    order = Order(count, first=hurry.due(count), patient=True)
    trial.store(order)
    trial.start(nodes)
    must_be_early(trial, order.first - 1)
    trial.wait_until(order.first - 0.5)
    before = trial.cost()
    _wait_for_all(trial, order)
    cost = trial.cost() - before
    found = tally(trial.starts.tasks, order.due)
    runs = max(1, found.ran)
    last = max(found.lateness, default=0.0)
    return {
        "rate": found.ran / last if last else None,
        "first": min(found.lateness, default=None),
        "last": last or None,
        "cpu_ms": cost.cpu * 1000 / runs,
        "server_cpu_ms": cost.server_cpu * 1000 / runs,
        "statements": cost.statements / runs if trial.contender.is_counted else None,
        "lost": found.lost,
        "double": found.double,
    }


def _wait_for_all(trial: Trial, order: Order) -> None:
    """Until every task has started, or nothing has for a while; and a moment more."""
    trial.wait_until(order.first)
    seen, since = 0, time.monotonic()
    for _ in trial.wait(LONGEST, pause=0.05):
        trial.check()
        if len(trial.starts.tasks) > seen:
            seen, since = len(trial.starts.tasks), time.monotonic()
            continue
        have_all_started = len({start.number for start in trial.starts.tasks}) >= order.count
        if have_all_started or time.monotonic() - since > SILENCE:
            break
    time.sleep(SETTLING)
    trial.starts.refresh()


def several(trial: Trial, nodes: int, hurry: Hurry) -> Figures:
    return burst(trial, hurry.shared, hurry, nodes)


BURST = Scenario(
    name="burst",
    title="Due at once, one node",
    size="tasks",
    sizes=(1_000, 5_000),
    smoke=30,
    measure=burst,
    columns=COLUMNS,
)
SEVERAL = Scenario(
    name="several",
    title=f"{NORMAL.shared:,} tasks due at once, several nodes",
    size="nodes",
    sizes=(1, 2, 4),
    smoke=2,
    measure=several,
    columns=COLUMNS,
)
