"""Nodes that hold: for maintenance, and in the database of another environment."""

from datetime import timedelta

import pytest

from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.integration

SETTINGS = """
import os
SCHED_TASKS = {
    "ENVIRONMENT": os.environ.get("SITE_ENVIRONMENT"),
    "HEARTBEAT_INTERVAL": 0.5,
    "NODE_TIMEOUT": 4,
    "EXECUTORS": {
        "default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor", "OPTIONS": {"max_workers": 1}},
    },
}
"""
EVERY_SECOND = {"trigger": "interval", "trigger_args": {"seconds": 1}}
NEVER_YET = {"trigger": "cron", "trigger_args": {"month": 1, "year": 2090}}


@pytest.fixture
def site(database, make_site):
    return make_site(database, settings=SETTINGS)


def started(site, environment):
    """A node of an environment."""
    process = site.start_python("manage.py", "runscheduler", SITE_ENVIRONMENT=environment)
    site.wait_for_node(process.pid)
    return process


def asked(site, *arguments, environment="production"):
    return site.manage("schedtasks", *arguments, check=False, SITE_ENVIRONMENT=environment)


def test_maintenance_holds_two_nodes_until_it_ends(site):
    site.add(name="every", func="warehouse.tasks:note", args=["every"], **EVERY_SECOND)
    long = site.add(name="long", func="warehouse.tasks:slow", args=["long", 15], max_instances=None, **NEVER_YET)
    once = site.add(name="once", func="warehouse.tasks:note", args=["once"], **NEVER_YET)
    nodes = [started(site, "production"), started(site, "production")]
    site.wait_for_effects(2, within=15, label="every")
    for _ in range(4):
        site.run(long)
    until(lambda: site.executions(task=long, status="running"), within=20, what="they run")
    site.start_maintenance(300, "New disks")
    pass_time(2.5)
    planned = len(site.executions(task__name="every"))
    running = len(site.executions(task=long, status="running"))
    assert running > 0
    site.run(once)

    until(lambda: not site.executions(task=long, status="running"), within=40, what="what runs goes on")
    pass_time(2)
    assert len(site.executions(task__name="every")) == planned
    assert [row["status"] for row in site.executions(task=once)] == ["queued"]
    # What a node had claimed and not started has gone back.
    told = sorted(row["status"] for row in site.executions(task=long))
    assert told == ["queued"] * (4 - told.count("succeeded")) + ["succeeded"] * told.count("succeeded")
    assert running <= told.count("succeeded") < 4
    health = asked(site, "health")
    assert (health.returncode, "New disks" in health.stdout) == (0, True)

    assert asked(site, "maintenance", "--end").returncode == 0
    until(lambda: site.executions(task=once, status="succeeded"), within=60, what="what waited runs")
    until(lambda: len(site.executions(task=long, status="succeeded")) == 4, within=60, what="and so do the others")
    until(lambda: len(site.executions(task__name="every")) > planned, within=60, what="planning goes on")
    assert [node.terminate() for node in nodes] == [0, 0]
    assert not any("Traceback" in node.log for node in nodes)


def test_maintenance_ends_by_itself(site):
    once = site.add(name="once", func="warehouse.tasks:note", args=["once"], **NEVER_YET)
    started(site, "production")
    assert asked(site, "maintenance", "--minutes", "0.2").returncode == 0
    site.run(once)
    pass_time(1)
    assert [row["status"] for row in site.executions(task=once)] == ["queued"]
    until(lambda: site.executions(task=once, status="succeeded"), within=25, what="it runs after its end")


def test_a_copy_is_left_alone_until_somebody_confirms(site):
    """One database plays both: the node of production dies, as in a copy, and staging opens it."""
    every = site.add(name="every", func="warehouse.tasks:note", args=["every"], **EVERY_SECOND)
    long = site.add(
        name="long", func="warehouse.tasks:slow", args=["long", 60], max_instances=None, on_crash="retry", **NEVER_YET
    )
    production = started(site, "production")
    site.wait_for_effects(1, within=15, label="every")
    for _ in range(3):
        site.run(long)
    until(lambda: site.executions(task=long, status="running"), within=20, what="one runs")
    production.kill()
    killed = site.now()
    before = {row["id"]: row["status"] for row in site.executions()}

    staging = started(site, "staging")
    until(lambda: any(node["problem"] for node in site.live_nodes()), within=10, what="it says why")
    pass_time(6)  # longer than the time-out after which it would bury the other
    assert {row["id"]: row["status"] for row in site.executions()} == before
    assert len(site.live_nodes()) == 2
    health = asked(site, "health", environment="staging")
    assert (health.returncode, "'production'" in health.stdout) == (1, True)
    assert asked(site, "environment", environment="staging").returncode == 1

    confirmed = asked(site, "environment", "--confirm", environment="staging")
    assert confirmed.returncode == 0, confirmed.stderr
    begun = site.now()
    until(lambda: site.executions(task=every, status="succeeded", fire_at__gt=begun), within=15, what="work goes on")
    until(lambda: len(site.live_nodes()) == 1, within=15, what="the other node is buried")
    assert {row["status"] for row in site.executions(task=long)} == {"cancelled"}
    # No fire time between the death of the one and the confirmation of the other was made up.
    made = sum(row["covers"] for row in site.executions(task=every, fire_at__gt=killed))
    assert begun - killed > timedelta(seconds=6)
    assert made <= (site.now() - begun).total_seconds() + 3
    assert staging.terminate() == 0
    again = started(site, "production")
    until(lambda: "'staging'" in again.log, within=10, what="now the other is in the wrong place")
