"""A site that has installed the app and no more, under gunicorn with four workers."""

import os
import re
import signal

import pytest

from tests.support.accounts import check_accounts, check_hardly_any_folded, check_nothing_ran_twice, gaps
from tests.support.fixtures import on
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

PRELOAD = pytest.mark.parametrize("options", [(), ("--preload",)], ids=["", "preload"])


def every_second(site, label="every"):
    return site.add(
        name=label, func="warehouse.tasks:note", args=[label], trigger="interval", trigger_args={"seconds": 1}
    )


@PRELOAD
@on("sqlite", "postgresql")
def test_each_fire_time_runs_once_on_one_node_and_another_worker_takes_over_within_5_seconds(site, options):
    server = site.gunicorn(*options)
    first = site.wait_for_node()
    every_second(site)
    site.wait_for_effects(5, within=15)

    assert [node["pid"] for node in site.live_nodes()] == [first["pid"]]
    assert first["started_by"] == "gunicorn"
    rows = site.executions(status="succeeded")
    assert gaps(rows) == []
    check_hardly_any_folded(rows)

    os.kill(first["pid"], signal.SIGKILL)
    killed_at = site.now()
    second = until(
        lambda: next((node for node in site.live_nodes() if node["pid"] != first["pid"]), None),
        within=5,
        what="a node in another worker",
    )
    until(lambda: site.effects(pid=second["pid"]), within=5, what="an effect in the other worker")
    assert (second["started_at"] - killed_at).total_seconds() < 5

    site.wait_for_effects(3, within=10, pid=second["pid"])
    assert len(site.live_nodes()) == 1
    assert server.terminate() == 0
    assert site.live_nodes() == []
    assert site.executions(finished_at=None) == []
    check_accounts(site)
    check_nothing_ran_twice(site)


@on("postgresql", "mariadb")
def test_two_runschedulers_beside_it_change_nothing(site):
    server = site.gunicorn(workers=2)
    site.wait_for_node()
    every_second(site)
    nodes = [site.runscheduler() for _ in range(2)]
    assert len(site.live_nodes()) == 3
    site.wait_for_effects(site.effect_count() + 8, within=20)

    assert [node.terminate() for node in (*nodes, server)] == [0, 0, 0]
    rows = site.executions(kind="schedule")
    assert {row["status"] for row in rows} == {"succeeded"}
    check_hardly_any_folded(rows)
    assert gaps(rows) == []
    check_accounts(site)
    check_nothing_ran_twice(site)


@on("sqlite", "postgresql", fixture="empty_database")
def test_a_site_that_was_never_migrated_serves_and_schedules_once_it_is(empty_database, make_site):
    site = make_site(empty_database)
    server = site.gunicorn()
    server.wait_for_log("run 'manage.py migrate'")
    assert site.get(server) == (200, "Welcome")

    site.migrate()
    every_second(site)
    site.wait_for_node()
    site.wait_for_effects(2, within=10)
    assert len(site.live_nodes()) == 1
    # Each obstacle is told once; a try between two migrations may meet another one.
    obstacles = re.findall("waits for the database: (.+)", server.log)
    assert 0 < len(obstacles) == len(set(obstacles))
    assert server.terminate() == 0
    check_accounts(site)
