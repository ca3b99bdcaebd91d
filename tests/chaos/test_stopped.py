"""Nodes that stand still and come back: stopped, cut off, starved (scenarios 7, 8, 13, 20, 41)."""

import signal

import pytest

from tests.chaos.form import FULL, each, some
from tests.chaos.test_crash_points import EFFECT, SECONDLY
from tests.support.fixtures import on
from tests.support.site import pass_time
from tests.support.stopping import stop_between_transactions
from tests.support.waiting import until

pytestmark = pytest.mark.chaos

YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}, "max_instances": None}


def stop_at(site, point):
    """A node that stops itself at a point, in the eyes of nobody else."""
    node = site.start_python("manage.py", "runscheduler", SCHED_FAULT=f"{point}:stop")
    node.wait_for_log("Fault: stop at")
    return node


def resume(site, node):
    """Answers once it is back, under another name than it had."""
    old = site.nodes(pid=node.pid)[0]["id"]
    node.signal(signal.SIGCONT)
    until(lambda: [new for new in site.live_nodes() if new["pid"] == node.pid and new["id"] != old], within=15)


@pytest.mark.parametrize("on_crash", ["lose", "retry"])
@each("start.commit")
def test_s07_a_run_of_a_node_that_was_stopped_is_lost_and_then_told_late(site, audit, fault, on_crash):
    run = site.run(site.add(name="run", func=EFFECT, on_crash=on_crash, **YEARLY))
    stopped = stop_at(site, fault)
    other = site.runscheduler()
    until(lambda: site.executions(pk=run, status="lost"), within=15, what="the other gives it up")
    if on_crash == "retry":
        site.wait_for_execution(within=10, attempt=2, status="succeeded")
    resume(site, stopped)
    site.wait_for_execution(within=10, pk=run, status="succeeded", reason="late")
    assert [other.terminate(), stopped.terminate()] == [0, 0]
    audit(site, dead_may_be=[stopped.pid], stopped=[stopped.pid])
    assert len(site.executions()) == 1 + (on_crash == "retry")


@each("claim.commit")
def test_s07_what_a_stopped_node_had_claimed_runs_elsewhere_and_never_there(site, audit, fault):
    task = site.add(name="run", func=EFFECT, **YEARLY)
    runs = [site.run(task) for _ in range(5)]
    stopped = stop_at(site, fault)
    assert {row["status"] for row in site.executions(pk__in=runs)} == {"claimed"}
    other = site.runscheduler()
    until(lambda: len(site.executions(pk__in=runs, status="succeeded")) == 5, within=15, what="the other runs them")
    resume(site, stopped)
    pass_time(1)
    assert [other.terminate(), stopped.terminate()] == [0, 0]
    audit(site, dead_may_be=[stopped.pid])
    assert {row["pid"] for row in site.calls()} == {other.pid}


@on("postgresql", "mariadb")
def test_s08_a_planner_stopped_inside_its_transaction_gives_its_rows_free(site, audit):
    """The server ends a transaction in which nothing happens for ten seconds; SQLite cannot, see the guarantees."""
    site.add(name="every", **SECONDLY)
    stopped = stop_at(site, "plan.write")
    other = site.runscheduler()
    pass_time(2)
    assert site.executions() == []  # its lock is in the way
    until(lambda: len(site.executions(status="succeeded")) >= 2, within=20, what="the other plans them")
    resume(site, stopped)
    assert [other.terminate(), stopped.terminate()] == [0, 0]
    assert site.manage("runscheduler", "--once").returncode == 0
    audit(site, dead_may_be=[stopped.pid])


@some("postgresql", "mariadb")
def test_s13_a_node_that_is_cut_off_while_it_runs(site, proxy, audit):
    run = site.run(site.add(name="run", func=EFFECT, kwargs={"seconds": 7}, **YEARLY))
    cut_off = site.runscheduler_behind(proxy)
    site.wait_for_execution(within=10, pk=run, status="running")
    until(site.calls, within=5)
    other = site.runscheduler()
    proxy.cut()
    until(lambda: site.executions(pk=run, status="lost"), within=10, what="the other gives it up")
    waiting = site.run(site.executions()[0]["task_id"], kwargs={})
    site.wait_for_execution(within=10, pk=waiting, status="succeeded")
    pass_time(2)
    proxy.mend()
    site.wait_for_execution(within=20, pk=run, status="succeeded", reason="late")
    assert [other.terminate(), cut_off.terminate()] == [0, 0]
    audit(site, dead_may_be=[cut_off.pid])


@each("")
def test_s20_all_nodes_sleep_as_a_suspended_machine_does(site, audit, fault):
    task = site.add(name="every", **SECONDLY)
    nodes = [site.runscheduler() for _ in range(2)]
    until(lambda: len(site.executions(status="succeeded")) >= 2, within=10)
    for node in nodes:
        stop_between_transactions(site, node)
    pass_time(300 if FULL else 7)
    for node in nodes:
        node.signal(signal.SIGCONT)
    count = len(site.executions(status="succeeded"))
    until(lambda: len(site.executions(status="succeeded")) >= count + 3, within=15)
    assert [node.terminate() for node in nodes] == [0, 0]
    assert site.manage("runscheduler", "--once").returncode == 0
    # Whoever wakes up first may find the other silent, so either may have been given up, but never both.
    audit(site, dead_may_be=[node.pid for node in nodes], stopped=[node.pid for node in nodes])
    assert len(site.nodes(state="dead")) <= 1
    assert sum(row["covers"] > 1 for row in site.executions(task_id=task)) <= 3  # one catch-up, and its neighbours


@each("")
def test_s41_a_node_whose_threads_all_stand_still_comes_back_under_a_new_name(site, audit, fault):
    """C code that keeps the interpreter to itself starves the heartbeat."""
    hog = site.add(name="hog", func="tests.support.chaos.tasks:keeps_the_interpreter", args=[6], **YEARLY)
    starved = site.runscheduler()
    old = site.wait_for_node(starved.pid)["id"]
    other = site.runscheduler()
    run = site.run(hog)
    site.wait_for_execution(within=10, pk=run, status="running")
    owner, idle = (starved, other) if site.executions(pk=run)[0]["node_id"] == old else (other, starved)
    site.wait_for_execution(within=15, pk=run, status="lost")
    site.wait_for_execution(within=15, pk=run, status="succeeded", reason="late")
    until(lambda: {node["pid"] for node in site.live_nodes()} == {owner.pid, idle.pid}, within=10)
    assert [owner.terminate(), idle.terminate()] == [0, 0]
    audit(site, dead_may_be=[owner.pid])
    assert len(site.nodes(state="dead")) == 1
