"""Databases that go away, stand still, refuse and fill up (scenarios 11, 12, 14 to 19)."""

import contextlib
import re
import resource
import sqlite3
from datetime import timedelta

import pytest

from tests.chaos.form import FULL, each, some
from tests.chaos.test_crash_points import EFFECT, SECONDLY
from tests.chaos.verifier import connect
from tests.support.databases import vendors
from tests.support.fixtures import on
from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.chaos

YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}, "max_instances": None}


def goes_on(site, runs=3, within=20):
    """Some more runs succeed."""
    count = len(site.executions(status="succeeded"))
    until(lambda: len(site.executions(status="succeeded")) >= count + runs, within=within, what="it goes on")


def end(site, *nodes):
    assert [node.terminate() for node in nodes] == [0] * len(nodes)
    assert site.manage("runscheduler", "--once").returncode == 0


RESTARTS = [("postgresql", "cut"), ("postgresql", "terminated"), ("mariadb", "cut")]


@pytest.mark.parametrize(
    ("database", "how"), [pair for pair in RESTARTS if pair[0] in vendors()], indirect=["database"]
)
def test_s11_the_database_restarts_in_the_middle(site, proxy, audit, how):
    """Idle, inside the planner's transaction, and inside the one that writes the end of a run."""
    site.add(name="every", **SECONDLY)
    faults = {"SCHED_FAULT": "plan.write:sleep:2,finish.write:sleep:3", "SCHED_FAULT_SECONDS": "0.8"}
    node = site.runscheduler_behind(proxy, **faults)

    def restart():
        if how == "terminated":
            site.database.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{site.database.name}'"
            )
        else:
            proxy.cut()
            pass_time(0.2)
            proxy.mend()

    for point in ("plan.write", "finish.write"):
        node.wait_for_log(f"Fault: sleep at {point}")
        restart()
    pass_time(0.5)
    restart()
    until(lambda: answers(site), within=5)
    goes_on(site)
    assert node.is_running
    end(site, node)
    verdict = audit(site)
    assert set(verdict.statuses) <= {"succeeded", "failed", "skipped"}  # a function may have met the cut itself


def answers(site):
    try:
        return site.now()
    except AssertionError:  # the console's connection is gone as well; it has taken a new one
        return None


@some("postgresql", "mariadb")
def test_s12_the_database_is_away_for_all_and_nobody_is_taken_for_dead(site, proxy, audit):
    site.add(name="every", **SECONDLY)
    run = site.run(site.add(name="run", func=EFFECT, kwargs={"seconds": 5}, **YEARLY))
    nodes = [site.runscheduler_behind(proxy) for _ in range(2)]
    site.wait_for_execution(within=10, pk=run, status="running")
    proxy.cut()
    pass_time(120 if FULL else 8)  # more than twice NODE_TIMEOUT
    proxy.mend()
    site.wait_for_execution(within=20, pk=run, status="succeeded", reason="")
    goes_on(site)
    end(site, *nodes)
    verdict = audit(site)
    assert verdict.nodes == {"stopped": 3}
    assert "lost" not in verdict.statuses
    assert max(row["covers"] for row in site.executions(kind="schedule")) >= 6  # the outage is told as late


@each("plan.write:raise:1,claim.write:raise:2,start.write:raise:2,finish.write:raise:2,finish.write:raise:3")
def test_s14_a_conflict_at_each_transaction_is_tried_again(site, audit, fault):
    site.add(name="every", **SECONDLY)
    node = site.start_python("manage.py", "runscheduler", SCHED_FAULT=fault)
    until(lambda: len(re.findall("Fault: raise", node.log)) == len(fault.split(",")), within=20)
    goes_on(site)
    end(site, node)
    assert set(audit(site).statuses) <= {"succeeded", "skipped"}
    assert "Traceback" not in node.log


@some("postgresql", "mariadb")
def test_s14_a_lock_that_is_held_for_longer_than_the_lock_timeout(site, audit):
    """The tasks' rows are locked by somebody else: a start cannot be marked, so nothing is called."""
    task = site.add(name="yearly", func=EFFECT, **YEARLY)
    every = site.add(name="every", **SECONDLY)
    node = site.runscheduler()
    goes_on(site, 1)
    insert_run(site, task, run_at=site.now() + timedelta(seconds=2))
    with connect(site.database.settings) as holder:
        holder.cursor().execute(f"SELECT id FROM sys_scheduler_task WHERE id IN ({task}, {every}) FOR UPDATE")
        count = len(site.calls())
        pass_time(9)  # two more than the lock timeout, from the moment at which it is due
        assert len(site.calls()) <= count + 1  # what had been marked before
        holder.rollback()
    goes_on(site)
    until(lambda: not site.executions(task_id=task, finished_at=None), within=10)
    assert [row["status"] for row in site.executions(task_id=task)] == ["succeeded"]
    end(site, node)
    audit(site)


def insert_run(site, task, run_at):
    """A manual request that is due later."""
    site.sql(
        "INSERT INTO sys_scheduler_execution (task_id, task_name, job_id, func, kind, fire_at, run_at, request, status,"
        " claim_rank) SELECT id, name, job_id, func, 'manual', %s, %s, 'held', 'queued', 0"
        " FROM sys_scheduler_task WHERE id = %s",
        [run_at, run_at, task],
    )


@some("postgresql", "mariadb")
def test_s14_deadlocks_between_two_nodes_and_a_stranger(site, audit):
    """A stranger updates the tasks in the other order than the nodes, again and again; some transactions must lose."""
    tasks = [site.add(name=f"every {number}", **SECONDLY) for number in range(10)]
    nodes = [site.runscheduler() for _ in range(2)]
    goes_on(site, 10)
    with connect(site.database.settings) as stranger:
        for _ in range(60):
            try:
                for task in reversed(tasks):
                    stranger.cursor().execute(f"UPDATE sys_scheduler_task SET description = '' WHERE id = {task}")
                    pass_time(0.005)
                stranger.commit()
            except Exception:  # the victim of a deadlock, by the driver's own name
                stranger.rollback()
    goes_on(site, 20)
    end(site, *nodes)
    assert set(audit(site).statuses) <= {"succeeded", "skipped"}


@on("sqlite")
def test_s14_sqlite_is_busy_for_a_while(site, audit):
    site.add(name="every", **SECONDLY)
    node = site.runscheduler()
    goes_on(site, 1)
    with contextlib.closing(sqlite3.connect(site.database.settings["NAME"], timeout=30)) as holder:
        holder.isolation_level = None
        holder.execute("BEGIN EXCLUSIVE")
        pass_time(30 if FULL else 7)
        holder.execute("COMMIT")
    goes_on(site)
    end(site, node)
    assert set(audit(site).statuses) <= {"succeeded", "failed", "skipped"}  # a function may have met it itself


@on("postgresql")
def test_s15_the_database_is_read_only(site, audit):
    site.add(name="every", **SECONDLY)
    node = site.runscheduler()
    goes_on(site, 1)
    try:
        set_read_only(site, "on")
        count = len(site.calls())
        pass_time(5)
        assert len(site.calls()) <= count + 1
        assert node.is_running
    finally:
        set_read_only(site, "off")
    goes_on(site)
    node.wait_for_log("read-only")
    end(site, node)
    audit(site)


def set_read_only(site, value):
    name = site.database.name
    site.database.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
    site.database.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    until(lambda: answers(site), within=5)


@on("sqlite")
def test_s16_the_disk_is_full_when_a_run_ends(site, audit):
    """No file of the node may grow any more, as on a full disk; then somebody makes room."""
    run = site.run(site.add(name="run", func=EFFECT, kwargs={"seconds": 2}, **YEARLY))
    node = site.runscheduler()
    until(site.calls, within=10, what="it has been called")
    no_limit = resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    pass_time(5)
    assert node.is_running
    assert site.executions(pk=run)[0]["status"] == "running"  # never told as a success that is not written
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, no_limit)
    site.wait_for_execution(within=10, pk=run, status="succeeded")
    end(site, node)
    assert audit(site).statuses == {"succeeded": 1}


@on("postgresql")
def test_s17_all_connections_are_taken(site, audit):
    """The engine holds its own, so it goes on and gives signs of life; what a function meets is the function's."""
    site.add(name="every", **SECONDLY)
    with role_with_few_connections(site, limit=9) as settings:
        site.write("company/few.py", f"from .settings import *\nDATABASES['default'] |= {settings!r}\n")
        node = site.start_python("manage.py", "runscheduler", DJANGO_SETTINGS_MODULE="company.few")
        site.wait_for_node(node.pid)
        goes_on(site)
        takers = taken(site.database.settings | settings)
        assert takers
        pass_time(5)  # longer than NODE_TIMEOUT
        identity = site.wait_for_node(node.pid)
        assert (site.now() - identity["heartbeat_at"]).total_seconds() < 3
        for taker in takers:
            taker.close()
        goes_on(site)
        end(site, node)
    verdict = audit(site)
    assert verdict.nodes == {"stopped": 2}
    assert set(verdict.statuses) <= {"succeeded", "failed", "skipped"}


@contextlib.contextmanager
def role_with_few_connections(site, limit):
    role = f"few_{site.database.name}"
    site.database.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT {limit}")
    site.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    site.sql(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    try:
        yield {"USER": role, "PASSWORD": "few"}
    finally:
        site.sql(f"DROP OWNED BY {role}")
        site.database.execute(f"DROP ROLE {role}")


def taken(settings):
    """Connections, as many as the role may still have."""
    import psycopg

    takers = []
    while True:
        try:
            takers.append(connect(settings).thing)
        except psycopg.OperationalError:
            return takers


@some("postgresql", "mariadb")
def test_s18_the_clocks_of_two_hosts_are_an_hour_off(site, audit):
    site.add(name="every", coalesce=False, max_instances=None, **SECONDLY)
    shifts = (0, 3600, -3600)
    nodes = [site.start_python("manage.py", "runscheduler", SCHED_CLOCK_SHIFT=str(shift)) for shift in shifts]
    until(lambda: len(site.live_nodes()) == len(nodes), within=30, what="all are there")
    goes_on(site, 8)
    offsets = {row["pid"]: row["clock_offset"] for row in site.live_nodes()}
    assert [round(offsets[node.pid] / 10) * 10 for node in nodes] == list(shifts)
    end(site, *nodes)
    verdict = audit(site)
    assert verdict.nodes == {"stopped": 4}
    for row in site.executions():
        assert 0 <= (row["started_at"] - row["fire_at"]).total_seconds() < 10, row
    assert {"succeeded"} == set(verdict.statuses)
