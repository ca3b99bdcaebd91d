"""Many nodes in one instant, and many tasks in one second (scenarios 9 and 10)."""

import os
import signal
from datetime import timedelta

import pytest

from tests.chaos.form import FULL
from tests.chaos.log import PAGES, put
from tests.chaos.storm import BUSY
from tests.chaos.test_crash_points import EFFECT, SECONDLY
from tests.support.databases import vendors
from tests.support.fixtures import on
from tests.support.waiting import until

pytestmark = pytest.mark.chaos

BURST = 10_000 if FULL else 600
HEAD = """# Log of the burst

How long it takes until so many tasks, all due in the same second, have run: `make burst` starts four nodes with ten
threads each, and writes this page. Each function writes one row of its own, in a transaction of its own. The time is
from the instant at which all are due to the end of the last; *start* is how late half of them, 99 of 100, and the last
one started. Each ran once.

| database | tasks | nodes | all had run after | runs a second | start: half, 99 %, last | when and where |
| --- | --- | --- | --- | --- | --- | --- |
"""


@pytest.mark.parametrize("database", vendors(), indirect=True)
def test_s09_two_planners_in_the_same_instant_200_times(site):
    done = site.python("-m", "tests.support.chaos.races", "two_planners", "--rounds", 200, within=120)
    assert done.stdout.strip() == "holds in 200 rounds"


@on(*(vendors() if FULL else ["sqlite"]))
def test_s09_eight_nodes_start_and_stop_in_the_same_instant(site, audit):
    for number in range(8):
        site.add(name=f"every {number}", **SECONDLY)
    nodes = [site.runscheduler(wait=False) for _ in range(8)]
    until(lambda: len(site.live_nodes()) == 8, within=60, what="all eight are there")
    count = len(site.calls())
    until(lambda: len(site.calls()) >= count + 24, within=30)
    for node in nodes:
        node.signal(signal.SIGTERM)
    assert [node.wait() for node in nodes] == [0] * 8
    assert site.manage("runscheduler", "--once").returncode == 0
    verdict = audit(site)
    assert verdict.nodes == {"stopped": 9}


@pytest.mark.parametrize("database", vendors(), indirect=True)
def test_s10_ten_thousand_tasks_due_in_the_same_second(database, make_site, audit):
    site = make_site(database, settings=BUSY)
    nodes = [site.runscheduler() for _ in range(4)]
    due = (site.now() + timedelta(seconds=5 + BURST / 1000)).replace(microsecond=0)
    add_dates(site, BURST, due)
    until(lambda: not site.read("SELECT id FROM sys_scheduler_task WHERE next_run IS NULL LIMIT 1"), within=60)
    assert site.now() < due, "the machine is too slow for this number"
    until(lambda: ended(site) >= BURST, within=300, pause=0.5, what="all have run")
    assert [node.terminate() for node in nodes] == [0] * 4
    verdict = audit(site)
    assert verdict.statuses == {"succeeded": BURST}
    assert (verdict.effects, verdict.ran, verdict.due) == (BURST, BURST, BURST)
    publish(site, due)


def add_dates(site, count, due):
    column = {"mariadb": "`trigger`"}.get(site.database.vendor, '"trigger"')
    when = f'{{"run_date": "{due.isoformat()}"}}'
    for start in range(0, count, 500):
        rows = [[f"task {number}", EFFECT, "date", when] for number in range(start, min(start + 500, count))]
        values = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
        site.sql(
            f"INSERT INTO sys_scheduler_task (name, func, {column}, trigger_args) VALUES {values}",
            [value for row in rows for value in row],
        )


def ended(site):
    return site.read("SELECT COUNT(*) AS n FROM sys_scheduler_execution WHERE finished_at IS NOT NULL")[0]["n"]


def publish(site, due):
    rows = site.executions()
    took = (max(row["finished_at"] for row in rows) - due).total_seconds()
    late = sorted((row["started_at"] - due).total_seconds() for row in rows)
    start = ", ".join(f"{late[min(int(len(late) * part), len(late) - 1)]:.1f} s" for part in (0.5, 0.99, 1))
    told = [site.database.vendor, f"{len(rows):,}", 4, f"{took:.1f} s", f"{len(rows) / took:,.0f}", start]
    print("\n", told)
    if os.environ.get("CHAOS_LOG"):
        from tests.chaos.soak import where

        put(PAGES / "burst-log.md", HEAD, [*told, where(site.database)], keys=1)
