"""Many tasks on three nodes, of which one is killed every two seconds."""

import itertools
import signal
import time

import pytest

from tests.support.accounts import check_accounts, check_nothing_ran_twice
from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.integration

SETTINGS = "SCHED_TASKS = {'HEARTBEAT_INTERVAL': 0.5, 'NODE_TIMEOUT': 5}"
SECONDS = 15


def test_kills_lose_no_fire_time_and_double_none(database, make_site):
    site = make_site(database, settings=SETTINGS)
    for number in range(40):
        slow = number % 4 == 0
        site.add(
            name=f"task {number}",
            func="warehouse.tasks:slow" if slow else "warehouse.tasks:note",
            args=[f"task {number}"],
            trigger="interval",
            trigger_args={"seconds": 1},
            on_crash="retry" if number % 8 == 0 else "lose",
        )
    nodes = [site.runscheduler() for _ in range(3)]
    end = time.monotonic() + SECONDS
    for victim in itertools.cycle(range(3)):
        pass_time(2)
        if time.monotonic() > end:
            break
        nodes[victim].signal(signal.SIGKILL)
        nodes[victim].wait()
        nodes[victim] = site.runscheduler(wait=False)
    until(lambda: len(site.live_nodes()) == 3, within=20, what="three nodes")
    until(lambda: not lagging(site), within=20, what="all tasks have run lately")

    assert [node.terminate() for node in nodes] == [0, 0, 0]
    # What the last drain has handed back, or left for want of a slot, waits for the next node.
    assert {row["status"] for row in site.executions(finished_at=None)} <= {"queued"}
    assert site.manage("runscheduler", "--once").returncode == 0
    assert site.executions(finished_at=None) == []
    assert {node["state"] for node in site.nodes()} == {"stopped", "dead"}
    statuses = {row["status"] for row in site.executions()}
    assert statuses <= {"succeeded", "lost", "skipped"}, statuses
    check_accounts(site)
    check_nothing_ran_twice(site)
    ran = {(effect["label"], effect["fire_at"]) for effect in site.effects()}
    succeeded = {(row["task_name"], row["fire_at"]) for row in site.executions(status="succeeded")}
    assert succeeded <= ran


def lagging(site):
    """Tasks whose latest run is older than a few seconds."""
    now = site.now()
    return [task for task in site.tasks() if not task["last_run"] or (now - task["last_run"]).total_seconds() > 5]
