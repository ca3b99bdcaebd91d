"""A release beside the next one: migrations are applied while nodes of the last release run."""

import pytest

from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.integration

SETTINGS = "SCHED_TASKS = {'HEARTBEAT_INTERVAL': 0.5, 'NODE_TIMEOUT': 5}"
NEXT_RELEASE = "9999_of_the_next_release"


def test_a_node_starts_nothing_on_the_tables_of_the_next_release(database, make_site):
    site = make_site(database, settings=SETTINGS)
    every_second = {"trigger": "interval", "trigger_args": {"seconds": 1}}
    site.add(name="every", func="warehouse.tasks:note", args=["every"], **every_second)
    long = site.add(
        name="long", func="warehouse.tasks:slow", args=["long", 4], trigger="cron", trigger_args={"month": 1}
    )
    node = site.runscheduler()
    site.wait_for_effects(2, within=10)
    site.run(long)
    site.wait_for_execution(within=5, task_id=long, status="running")

    site.sql("ALTER TABLE sys_scheduler_execution ADD COLUMN of_the_next_release integer NULL")
    site.sql(
        "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)",
        ["django_sched_tasks", NEXT_RELEASE, site.now()],
    )
    try:
        until(lambda: site.live_nodes()[0]["problem"], within=10, what="the node says why")
        assert NEXT_RELEASE in site.live_nodes()[0]["problem"]
        before = len(site.executions(task__name="every"))
        pass_time(2.5)
        assert len(site.executions(task__name="every")) == before
        # What was running has ended, and is told as it was.
        site.wait_for_execution(within=10, task_id=long, status="succeeded")
        assert node.is_running
    finally:
        site.sql("DELETE FROM django_migrations WHERE name = %s", [NEXT_RELEASE])
        site.sql("ALTER TABLE sys_scheduler_execution DROP COLUMN of_the_next_release")
    until(lambda: len(site.executions(task__name="every")) > before, within=10, what="it goes on")
    assert node.terminate() == 0
    assert "Traceback" not in node.log
