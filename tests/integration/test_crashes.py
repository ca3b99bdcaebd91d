"""Nodes that die, stop and come back, and databases that go away."""

import signal

import pytest

from tests.support.accounts import check_accounts, check_nothing_ran_twice
from tests.support.fixtures import on
from tests.support.proxy import Proxy
from tests.support.site import pass_time
from tests.support.stopping import stop_between_transactions
from tests.support.waiting import until

pytestmark = pytest.mark.integration

YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}}
SECONDLY = {"trigger": "interval", "trigger_args": {"seconds": 1}}
QUICK = """
SCHED_TASKS = {
    "HEARTBEAT_INTERVAL": 0.5,
    "NODE_TIMEOUT": 3,
    "EXECUTORS": {
        "default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor", "OPTIONS": {"max_workers": 2}},
    },
}
"""


@pytest.fixture
def quick_site(database, make_site):
    """Its nodes run two things at a time, and give each other up after three seconds."""
    return make_site(database, settings=QUICK)


def test_what_a_killed_node_ran_is_told_as_lost_or_runs_again(quick_site):
    site = quick_site
    lose, retry, note = (
        site.add(name=name, func=f"warehouse.tasks:{func}", on_crash=on_crash, max_instances=None, **YEARLY)
        for name, func, on_crash in (("lose", "stuck", "lose"), ("retry", "stuck", "retry"), ("note", "note", "lose"))
    )
    first = site.runscheduler()
    stuck = [site.run(lose), site.run(retry)]
    until(lambda: site.effect_count() == 2, within=10, what="both slots are taken")
    unstarted = [site.run(note) for _ in range(5)]
    until(lambda: len(site.executions(status="claimed")) == 5, within=10, what="the rest is claimed")

    second = site.runscheduler()
    first.signal(signal.SIGKILL)
    first.wait()
    until(lambda: site.executions(pk__in=stuck, status="lost"), within=4, what="the runs are told as lost")

    site.wait_for_execution(within=10, task_id=retry, attempt=2, status="succeeded")
    until(lambda: len(site.executions(pk__in=unstarted, status="succeeded")) == 5, within=10)
    assert [row["reason"] for row in site.executions(pk__in=stuck)] == ["node_died", "node_died"]
    assert [row["attempt"] for row in site.executions(task_id=lose)] == [1]
    assert second.terminate() == 0
    assert [node["state"] for node in site.nodes()] == ["dead", "stopped"]
    assert site.executions(finished_at=None) == []
    assert site.effect_count() == 2 + 1 + 5


@on("sqlite", "postgresql")
def test_a_node_that_was_stopped_comes_back_under_a_new_identity(quick_site):
    site = quick_site
    site.add(name="every", func="warehouse.tasks:note", args=["every"], **SECONDLY)
    slow = site.add(name="slow", func="warehouse.tasks:slow", kwargs={"seconds": 2}, max_instances=None, **YEARLY)
    stopped = site.runscheduler()
    old = site.wait_for_node(stopped.pid)
    runs = [site.run(slow) for _ in range(6)]
    until(lambda: len(site.executions(pk__in=runs, status="running")) == 2, within=10)
    until(lambda: len(site.executions(pk__in=runs, status="claimed")) == 4, within=10)
    stop_between_transactions(site, stopped)

    other = site.runscheduler()
    until(lambda: site.nodes(id=old["id"], state="dead"), within=10, what="the other gives it up")
    until(lambda: len(site.executions(pk__in=runs, status="lost")) == 2, within=5)
    site.wait_for_execution(within=10, pk__in=runs, status="succeeded", node_id=site.wait_for_node(other.pid)["id"])

    stopped.signal(signal.SIGCONT)
    new = until(
        lambda: next((node for node in site.live_nodes() if node["pid"] == stopped.pid), None),
        within=5,
        what="the stopped node comes back",
    )
    assert new["id"] != old["id"]
    until(lambda: len(site.executions(pk__in=runs, status="succeeded")) == 6, within=20)
    late = [row for row in site.executions(pk__in=runs) if row["node_id"] == old["id"]]
    assert [row["reason"] for row in late] == ["late", "late"]
    assert other.terminate() == 0
    count = site.effect_count(label="every", pid=stopped.pid)
    site.wait_for_effects(count + 2, within=10, label="every", pid=stopped.pid)

    assert stopped.terminate() == 0
    assert site.executions(finished_at=None) == []
    assert site.effect_count(label="slow") == 6
    assert len({effect["fire_at"] for effect in site.effects(label="every")}) == site.effect_count(label="every")
    assert sum(row["covers"] for row in site.executions(kind="schedule")) == site.accounts()[0]["fire_count"]


@on("postgresql")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
def test_what_a_node_took_between_its_burial_and_its_return_is_not_left_for_ever(database, make_site, end):
    site = make_site(database, settings=QUICK + "SCHED_TASKS['HEARTBEAT_INTERVAL'] = 2")
    stuck, note = (
        site.add(name=func, func=f"warehouse.tasks:{func}", max_instances=None, **YEARLY) for func in ("stuck", "note")
    )
    node = site.runscheduler("--grace", "0.1")
    old = site.wait_for_node(node.pid)
    site.sql("UPDATE sys_scheduler_node SET state = 'dead'")  # as another node writes that has not heard of it
    runs = [site.run(task) for task in (stuck, stuck, note, note)]
    until(lambda: site.executions(pk__in=runs, status="running", node_id=old["id"]), within=1.5)
    until(site.live_nodes, within=5, what="it is back under a new identity")
    node.signal(end)
    node.wait()

    site.runscheduler()
    until(lambda: not site.executions(finished_at=None), within=15, what="nothing is left open")
    assert [row["status"] for row in site.executions(task_id=stuck)] == ["lost", "lost"]
    assert [row["status"] for row in site.executions(task_id=note)] == ["succeeded", "succeeded"]


@pytest.fixture
def proxy(database):
    proxy = Proxy(database.address)
    yield proxy
    proxy.close()


@on("postgresql", "mariadb")
def test_a_node_survives_an_outage_of_its_database(database, proxy, make_site):
    site = make_site(database, settings=QUICK)
    through = f"DATABASES['default'] |= {{'HOST': '127.0.0.1', 'PORT': '{proxy.port}'}}\n"
    site.write("company/behind.py", f"from .settings import *\n{through}")
    site.add(name="every", func="warehouse.tasks:note", args=["every"], **SECONDLY)
    site.add(name="slow", func="warehouse.tasks:slow", args=["slow", 0.7], **SECONDLY)
    node = site.start_python("manage.py", "runscheduler", DJANGO_SETTINGS_MODULE="company.behind")
    old = site.wait_for_node(node.pid)
    site.wait_for_effects(3, within=10)

    proxy.cut()
    pass_time(6)
    count = site.effect_count()
    assert node.is_running
    proxy.mend()
    site.wait_for_effects(count + 6, within=20)
    assert [row["pid"] for row in site.live_nodes()] == [node.pid]
    node.wait_for_log("(?i)database")

    assert node.terminate() == 0
    assert site.executions(finished_at=None) == []
    assert {row["status"] for row in site.executions()} <= {"succeeded", "failed", "skipped"}
    assert site.nodes(id=old["id"])[0]["state"] == "stopped"
    check_accounts(site)
    check_nothing_ran_twice(site)


@on("postgresql")
def test_the_server_ends_all_connections_and_nothing_is_noticed(site):
    site.add(name="every", func="warehouse.tasks:note", args=["every"], **SECONDLY)
    node = site.runscheduler()
    site.wait_for_effects(2, within=10)
    for _ in range(4):
        name = site.database.name
        site.database.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        pass_time(0.7)
    until(lambda: answers(site), within=5)
    count = site.effect_count()
    site.wait_for_effects(count + 3, within=10)
    assert node.terminate() == 0
    check_accounts(site)
    check_nothing_ran_twice(site)


def answers(site):
    try:
        return site.now()
    except AssertionError:  # the console's connection is gone as well; it has taken a new one
        return None
