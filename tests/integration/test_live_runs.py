"""Runs on a node of another process: watched, cancelled and counted from here."""

import os
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.waiting import until

pytestmark = pytest.mark.integration

YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}}
SECONDLY = {"trigger": "interval", "trigger_args": {"seconds": 1}}
SETTINGS = """
SCHED_TASKS = {
    "HEARTBEAT_INTERVAL": 0.5,
    "NODE_TIMEOUT": 10,
    "EXECUTORS": {
        "default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor", "OPTIONS": {"max_workers": 2}},
    },
}
"""
TASKS = """
import asyncio
import os
import time

from django_sched_tasks import current_execution


def loops():
    while True:
        time.sleep(0.01)


async def loops_async():
    while True:
        await asyncio.sleep(0.01)


def counts():
    execution = current_execution()
    for number in range(1000):
        execution.set_progress(number, 1000)
        execution.logger.info("at number %d", number)
        print("number", number)
        time.sleep(0.05)


def hangs(seconds):
    time.sleep(seconds)


def quick():
    return "done"


async def stores():
    from warehouse.models import Effect

    execution = current_execution()
    await Effect.objects.acreate(label="async", fire_at=execution.fire_at, attempt=1, pid=0)
    return await Effect.objects.acount()
"""


@pytest.fixture
def watched_site(database, make_site):
    site = make_site(database, settings=SETTINGS)
    site.write("warehouse/jobs.py", TASKS)
    return site


@pytest.fixture
def start(watched_site):
    """Run a function of the site on its node; answers the execution's id once it is running."""

    def start(func, **fields):
        task = watched_site.add(name=func, func=f"warehouse.jobs:{func}", **{**YEARLY, **fields})
        execution = watched_site.run(task)
        watched_site.wait_for_execution(within=20, pk=execution, status="running")
        return execution

    return start


def run_quickly(site):
    execution = site.run(site.add(name="quick", func="warehouse.jobs:quick", **YEARLY))
    site.wait_for_execution(within=10, pk=execution, status="succeeded")


def read(site, execution):
    status, told = site.api("get", f"executions/{execution}")
    assert status == 200
    return told


@pytest.mark.parametrize("func", ["loops", "loops_async"])
def test_a_run_on_another_node_is_cancelled_within_two_seconds(watched_site, start, func):
    watched_site.runscheduler()
    execution = start(func)
    status, told = watched_site.api("post", f"executions/{execution}/cancel/")
    assert (status, told["status"]) == (200, "running")
    assert told["cancel_requested_at"]
    until(lambda: read(watched_site, execution)["status"] == "cancelled", within=10)
    told = read(watched_site, execution)
    asked, ended = (datetime.fromisoformat(told[name]) for name in ("cancel_requested_at", "finished_at"))
    assert (ended - asked).total_seconds() < 2.0
    assert (told["reason"], told["error"]) == ("requested", "It was cancelled while it ran.")
    assert watched_site.api("post", f"executions/{execution}/cancel/")[0] == 409
    run_quickly(watched_site)  # its thread goes on


def test_output_and_progress_change_while_it_runs(watched_site, start):
    watched_site.runscheduler()
    execution = start("counts")
    first = until(lambda: (told := read(watched_site, execution))["progress"] and told, within=10)
    assert first["status"] == "running"
    assert "number 0\n" in first["output"]
    assert "INFO django_sched_tasks.run: at number 0\n" in first["output"]
    done = first["progress"]["done"]
    later = until(lambda: (told := read(watched_site, execution))["progress"]["done"] > done and told, within=10)
    assert later["status"] == "running"
    assert later["output"].startswith(first["output"])
    watched_site.api("post", f"executions/{execution}/cancel/")
    ended = until(lambda: (told := read(watched_site, execution))["finished_at"] and told, within=10)
    assert ended["output"].startswith(later["output"])
    assert ended["progress"]["done"] >= later["progress"]["done"]


def test_a_thread_that_hangs_is_told_in_time_and_its_slot_as_stuck(watched_site, start):
    watched_site.runscheduler()
    execution = start("hangs", args=[8], timeout=1)
    told = until(lambda: (told := read(watched_site, execution))["finished_at"] and told, within=10)
    assert told["status"] == "timed_out"
    assert told["duration"] < 4
    assert "could not be ended" in told["error"]
    node = until(lambda: [row for row in watched_site.live_nodes() if row["stuck_slots"] == 1], within=5)[0]
    assert node["slots_in_use"] == 1
    run_quickly(watched_site)  # the other slot works
    until(lambda: watched_site.live_nodes()[0]["stuck_slots"] == 0, within=15)
    assert read(watched_site, execution)["status"] == "timed_out"


def test_a_newer_fire_time_replaces_the_run_before(watched_site):
    watched_site.runscheduler()
    task = watched_site.add(name="replaced", func="warehouse.jobs:loops", overlap="replace", **SECONDLY)
    cancelled = {"task_id": task, "status": "cancelled", "started_at__isnull": False}
    rows = until(lambda: (found := watched_site.executions(**cancelled)) and len(found) >= 2 and found, within=30)
    assert {row["cancel_requested_by"] for row in rows} == {"overlap: replace"}
    running = watched_site.executions(task_id=task, status="running")
    assert len(running) <= 1
    watched_site.pause(task)


def test_a_thousand_coroutines_with_the_database_leave_no_connection_open(watched_site):
    node = watched_site.runscheduler()
    task = watched_site.add(name="stores", func="warehouse.jobs:stores", max_instances=None, **YEARLY)
    for _ in range(4):
        watched_site.run(task)
    watched_site.wait_for_effects(4, within=30)
    before = open_connections(watched_site, node)
    for _ in range(1000):
        watched_site.run(task)
    watched_site.wait_for_effects(1004, within=180)
    until(lambda: not watched_site.executions(finished_at=None), within=20)
    until(lambda: open_connections(watched_site, node) <= before + 1, within=10)
    assert {row["status"] for row in watched_site.executions()} == {"succeeded"}


def open_connections(site, node):
    """By the operating system: sockets to the server, or open files of SQLite."""

    links = []
    for descriptor in Path(f"/proc/{node.pid}/fd").iterdir():
        try:
            links.append(os.readlink(descriptor))
        except OSError:
            continue
    return sum(link.startswith("socket:") or str(site.database.settings["NAME"]) in link for link in links)
