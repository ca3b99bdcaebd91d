"""Tasks that fire every second: how many of the fire times run, and how late."""

from __future__ import annotations

from benchmarks.contenders import Order
from benchmarks.scenarios.base import Column, Figures, Hurry, Scenario, must_be_early
from benchmarks.starts import percentile, tally
from benchmarks.trial import Trial

AFTERWARDS = 10.0  # seconds for what is late, of contenders that know when to stop


def steady(trial: Trial, count: int, hurry: Hurry) -> Figures:
    order = Order(count, first=hurry.due(count), every=1, times=hurry.seconds)
    trial.store(order)
    trial.start()
    must_be_early(trial, order.first)
    trial.wait_until(order.first - 0.2)
    before = trial.cost()
    trial.wait_until(order.first + hurry.seconds)
    cost = trial.cost() - before
    if trial.contender.keeps_to_times:
        _wait_for_the_late(trial, count * hurry.seconds)
    trial.starts.refresh()
    trial.check()
    found = tally(trial.starts.tasks, order.due)
    return {
        "done": found.ran / found.due,
        "p50": percentile(found.lateness, 0.5),
        "p99": percentile(found.lateness, 0.99),
        "cpu": cost.cpu / cost.seconds,
        "server_cpu": cost.server_cpu / cost.seconds,
        "double": found.double,
    }


def _wait_for_the_late(trial: Trial, count: int) -> None:
    for _ in trial.wait(AFTERWARDS, pause=0.2):
        if len(trial.starts.tasks) >= count:
            return


STEADY = Scenario(
    name="steady",
    title="Every second, one node",
    size="tasks",
    sizes=(1_000,),
    smoke=5,
    measure=steady,
    columns=(
        Column("done", "done", "{:.1%}"),
        Column("p50", "late: half (s)", "{:,.3f}"),
        Column("p99", "99 % (s)", "{:,.3f}"),
        Column("cpu", "CPU", "{:.0%}"),
        Column("server_cpu", "of server and broker", "{:.0%}"),
        Column("double", "double", worst=True),
    ),
)
