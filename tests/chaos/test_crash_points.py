"""A node killed with -9 at every point of a fire time's journey (scenarios 1 to 6)."""

import signal
from collections import Counter

import pytest

from tests.chaos.form import each
from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.chaos

EFFECT = "tests.support.chaos.tasks:effect"
SECONDLY = {"func": EFFECT, "trigger": "interval", "trigger_args": {"seconds": 1}}
RETRIED = [(2, "succeeded")]


@pytest.fixture
def die_at(site):
    """A node that dies at a point; what it leaves is cleared up by one that comes later."""

    def die_at(fault, **task):
        task = site.add(**{"name": "every", **SECONDLY, **task})
        first = site.start_python("manage.py", "runscheduler", SCHED_FAULT=f"{fault}:kill:2")
        first.wait_for_log("Fault: kill at")
        assert first.wait() == -signal.SIGKILL
        assert site.manage("runscheduler", "--once").returncode == 0
        return task, first

    return die_at


@each("plan.write")
def test_s01_killed_before_the_plan_is_committed(die_at, site, audit, fault):
    _task, first = die_at(fault)
    assert set(audit(site, dead_may_be=[first.pid]).statuses) == {"succeeded"}


@each("plan.commit")
def test_s02_killed_between_plan_and_claim(die_at, site, audit, fault):
    _task, first = die_at(fault)
    assert set(audit(site, dead_may_be=[first.pid]).statuses) <= {"succeeded", "skipped"}


@each("claim.write", "claim.commit", "start.write")
def test_s03_killed_after_the_claim_and_before_the_start_mark(die_at, site, audit, fault):
    _task, first = die_at(fault)  # the function was never called, so nothing is lost
    assert set(audit(site, dead_may_be=[first.pid]).statuses) <= {"succeeded", "skipped"}


@pytest.mark.parametrize("on_crash", ["lose", "retry"])
@each("start.commit")
def test_s04_killed_while_the_function_is_called(die_at, site, audit, fault, on_crash):
    task, first = die_at(fault, on_crash=on_crash)
    audit(site, dead_may_be=[first.pid])
    (lost,) = site.executions(status="lost")
    assert (lost["reason"], lost["node_id"]) == ("node_died", site.nodes(pid=first.pid)[0]["id"])
    assert lost["finished_at"] > lost["started_at"]
    attempts = site.executions(task_id=task, fire_at=lost["fire_at"])
    assert [(row["attempt"], row["status"]) for row in attempts] == [(1, "lost")] + RETRIED * (on_crash == "retry")


@pytest.mark.parametrize("on_crash", ["lose", "retry"])
@each("call.end", "finish.write")
def test_s05_killed_after_the_function_and_before_its_end_is_committed(die_at, site, audit, fault, on_crash):
    task, first = die_at(fault, on_crash=on_crash)
    audit(site, dead_may_be=[first.pid])
    (lost,) = site.executions(status="lost")
    attempts = site.executions(task_id=task, fire_at=lost["fire_at"])
    assert [(row["attempt"], row["status"]) for row in attempts] == [(1, "lost")] + RETRIED * (on_crash == "retry")


@each("call.end", "finish.write")
def test_s05_the_effects_of_a_transactional_run_happen_exactly_once(die_at, site, audit, fault):
    """Killed inside the transaction that holds its effect and its end, or after that is committed."""
    task, first = die_at(fault, transactional=True)
    audit(site, dead_may_be=[first.pid])
    done = site.executions(task_id=task, status="succeeded")
    calls = Counter(call["execution"] for call in site.calls())
    assert calls == {row["id"]: 1 for row in done}  # whatever was lost has left no effect
    lost = site.executions(status="lost")
    assert len(lost) == (fault == "finish.write")
    for row in lost:
        attempts = site.executions(task_id=task, fire_at=row["fire_at"])
        assert [(one["attempt"], one["status"]) for one in attempts] == [(1, "lost"), *RETRIED]


@each("finish.commit")
def test_s05_killed_after_the_end_is_committed(die_at, site, audit, fault):
    _task, first = die_at(fault)
    assert set(audit(site, dead_may_be=[first.pid]).statuses) == {"succeeded"}


@each("finish.follow")
def test_s05_killed_before_those_that_waited_are_let_in(die_at, site, audit, fault):
    _task, first = die_at(fault, coalesce=False, overlap="queue", kwargs={"seconds": 1.5})
    assert set(audit(site, dead_may_be=[first.pid]).statuses) == {"succeeded"}


@each("finish.follow")
def test_once_waits_for_those_that_a_run_lets_in(site, audit, fault):
    task = site.add(name="one by one", func=EFFECT, trigger="cron", trigger_args={"month": 1, "day": 1})
    for _ in range(3):
        site.run(task)
    site.manage("runscheduler", "--once", SCHED_FAULT=f"{fault}:sleep:1,{fault}:sleep:2", SCHED_FAULT_SECONDS="1")
    assert audit(site).statuses == {"succeeded": 3}


def test_s06_all_nodes_are_killed_and_come_back_later(site, audit):
    folded = site.add(name="folded", **SECONDLY)
    each = site.add(name="each", coalesce=False, max_instances=None, max_catch_up=3, **SECONDLY)
    graced = site.add(name="graced", misfire_grace_time=2, **SECONDLY)
    nodes = [site.runscheduler() for _ in range(2)]
    until(lambda: len(site.executions(status="succeeded")) >= 6, within=15)
    for node in nodes:
        node.signal(signal.SIGKILL)
        node.wait()
    pass_time(8)
    back = site.runscheduler()
    again = site.wait_for_node(back.pid)["started_at"]
    until(lambda: site.executions(started_at__gt=again, status="succeeded", task_id=each), within=10)
    until(lambda: site.executions(started_at__gt=again, status="succeeded", task_id=folded), within=10)
    assert back.terminate() == 0
    assert site.manage("runscheduler", "--once").returncode == 0
    audit(site, dead_may_be=[node.pid for node in nodes])
    assert max(row["covers"] for row in site.executions(task_id=folded)) >= 6
    assert max(row["covers"] for row in site.executions(task_id=each, reason="catch_up")) >= 3
    assert max(row["covers"] for row in site.executions(task_id=graced, reason="grace")) >= 4
