"""Tasks that are not due for long: what it costs to have them."""

from __future__ import annotations

import time

from benchmarks.contenders import Order
from benchmarks.scenarios.base import Column, Figures, Hurry, Scenario
from benchmarks.trial import Trial

SETTLING = 5.0
DAY = 86_400


def stored(count: int) -> Order:
    """Tasks that fire once a year, from tomorrow on."""
    return Order(count, first=float(int(time.time()) + DAY))


def idle(trial: Trial, count: int, hurry: Hurry) -> Figures:
    trial.store(stored(count))
    (node,) = trial.start()
    ready = trial.starts.canary[0].at
    loaded = max(start.at for start in trial.starts.loaded)
    time.sleep(min(SETTLING, hurry.seconds))
    before = trial.cost()
    time.sleep(hurry.seconds)
    cost = trial.cost() - before
    trial.check()
    return {
        "ready": max(0.0, ready - loaded),
        "from_start": ready - node.started,
        "memory": trial.memory(),
        "cpu": cost.cpu / cost.seconds,
        "server_cpu": cost.server_cpu / cost.seconds,
        "statements": cost.statements * 60 / cost.seconds,
    }


IDLE = Scenario(
    name="idle",
    title="Stored and not due, one node",
    size="tasks",
    sizes=(1_000, 10_000, 100_000),
    smoke=10,
    measure=idle,
    columns=(
        Column("ready", "ready after (s)", "{:,.2f}"),
        Column("from_start", "with imports (s)", "{:,.2f}"),
        Column("memory", "MB"),
        Column("cpu", "CPU", "{:.2%}"),
        Column("server_cpu", "of server and broker", "{:.2%}"),
        Column("statements", "statements a minute"),
    ),
)
