"""PostgreSQL wakes the nodes, and tells early that a node is gone."""

import signal
import time

import pytest

from tests.support.fixtures import on
from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.integration

FORKING = """

def leave_a_child():
    import os
    import time

    if os.fork() == 0:
        time.sleep(15)
        os._exit(0)
"""
YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}}


@on("postgresql", fixture="empty_database")
def test_an_edit_is_seen_long_before_the_next_poll(empty_database, make_site):
    site = make_site(empty_database, settings="SCHED_TASKS = {'POLL_INTERVAL': 60, 'HEARTBEAT_INTERVAL': 1}")
    site.migrate()
    task = site.add(name="edited", func="warehouse.tasks:note", **YEARLY)
    node = site.runscheduler()
    pass_time(2)
    for hour in (1, 2, 3):
        site.sql("UPDATE sys_scheduler_task SET trigger_args = %s WHERE id = %s", [f'{{"hour": {hour}}}', task])
        until(lambda: site.task(task)["planned_trigger_args"] == {"hour": hour}, within=3, what="the edit is planned")  # noqa: B023
    site.run(task)
    site.wait_for_effects(1, within=3)

    # Whoever does not hear its own sign of life falls back to polling, at POLL_INTERVAL.
    site.sql("DROP TRIGGER sys_scheduler_node_beat ON sys_scheduler_node")
    node.wait_for_log("Notifications do not get through|Traceback", within=15)
    assert node.terminate() == 0
    assert "Traceback" not in node.log


@on("postgresql")
def test_a_child_that_a_function_leaves_behind_does_not_hold_up_the_end(database, make_site):
    """A forked child keeps copies of all that its parent has open."""
    site = make_site(database, settings="SCHED_TASKS = {'HEARTBEAT_INTERVAL': 30, 'NODE_TIMEOUT': 90}")
    tasks = site.path / "warehouse/tasks.py"
    site.write("warehouse/tasks.py", tasks.read_text() + FORKING)
    node = site.runscheduler()
    task = site.add(name="forks", func="warehouse.tasks:leave_a_child", **YEARLY)
    site.run(task)
    site.wait_for_execution(within=10, task_id=task, status="succeeded")
    began = time.monotonic()
    assert node.terminate() == 0
    assert time.monotonic() - began < 4


@on("postgresql")
def test_a_node_that_is_gone_is_missed_early(database, make_site):
    site = make_site(database, settings="SCHED_TASKS = {'HEARTBEAT_INTERVAL': 0.5, 'NODE_TIMEOUT': 12}")
    observer, victim = site.runscheduler(), site.runscheduler()
    # As if on another host, where nobody can see that its pid is free.
    site.sql("UPDATE sys_scheduler_node SET machine = 'elsewhere' WHERE pid = %s", [victim.pid])
    pass_time(13)  # only who has had a session for NODE_TIMEOUT may conclude anything
    began = time.monotonic()
    victim.signal(signal.SIGKILL)
    until(lambda: dead(site), within=10, what="the victim is declared dead")
    assert time.monotonic() - began < 8
    assert [node["pid"] for node in dead(site)] == [victim.pid]
    assert observer.terminate() == 0


@on("postgresql")
def test_the_end_of_all_sessions_kills_nobody(database, make_site):
    site = make_site(database, settings="SCHED_TASKS = {'HEARTBEAT_INTERVAL': 0.5, 'NODE_TIMEOUT': 6}")
    site.add(name="every", func="warehouse.tasks:note", trigger="interval", trigger_args={"seconds": 1})
    nodes = [site.runscheduler() for _ in range(2)]
    site.sql("UPDATE sys_scheduler_node SET machine = 'elsewhere ' || pid")
    pass_time(7)
    for _ in range(3):
        site.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        pass_time(2)
    assert dead(site) == []
    effects = site.effect_count()
    site.wait_for_effects(effects + 2, within=10)
    assert [node.terminate() for node in nodes] == [0, 0]
    assert dead(site) == []


def dead(site):
    return site.nodes(state="dead")
