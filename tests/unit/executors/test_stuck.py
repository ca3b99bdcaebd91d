"""Threads that nothing can end: told in time, counted, and free again in the end."""

import logging
import threading
from dataclasses import replace
from queue import SimpleQueue

import pytest

from django_sched_tasks import database, registry
from django_sched_tasks.engine.clock import DatabaseClock
from django_sched_tasks.engine.recorder import Recorder
from django_sched_tasks.executors import ThreadExecutor
from django_sched_tasks.models import TaskExecution
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def let_go():
    """Ends the functions of the test that hang."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def accepted(make, node, at):
    def accepted(*funcs):
        for func in funcs:
            make(func)
        node.now = at(60)
        node.plan()
        return node.claim()

    return accepted


def hanging(item, let_go):
    """A run that hangs in C, past its timeout."""

    def hang():
        print("before it hangs")
        let_go.wait(30)  # one call of C: no exception arrives inside
        print("after all")
        return "late"

    claim, function = item
    return replace(claim, timeout=0.1), replace(function, callable=hang)


def test_it_is_told_once_and_holds_its_slot_until_it_ends(accepted, node, let_go, caplog):
    pool, done, freed = ThreadExecutor("default", max_workers=1), SimpleQueue(), threading.Event()
    pool.on_free = freed.set
    pool.start()
    claim, function = hanging(*node.start(accepted("ok")), let_go)
    pool.submit(claim, function, lambda claim, outcome: done.put(outcome))
    outcome = done.get(timeout=10)
    assert outcome.status == "timed_out"
    assert 0.1 < outcome.duration < 5
    assert outcome.error.startswith("It ran longer than its timeout of 0.1 s and could not be ended")
    assert outcome.output == "before it hangs\n"
    assert pool.stuck() == 1
    assert not freed.is_set()
    with caplog.at_level(logging.WARNING):
        let_go.set()
        assert freed.wait(10)
    assert pool.stuck() == 0
    assert "its slot is free again" in caplog.text
    assert done.empty()
    pool.submit(replace(claim, timeout=None), registry.resolve("tests.zoo.tasks:ok"), lambda _, told: done.put(told))
    assert done.get(timeout=10).status == "succeeded"
    pool.shutdown()


def status(claim):
    rows = TaskExecution.objects.filter(pk=claim.id)
    return database.retrying(rows.values_list("status", flat=True).get)


def test_a_node_gives_its_slot_to_nobody_and_then_to_the_next(accepted, node, let_go):
    pool = ThreadExecutor("default", max_workers=1)
    recorder = Recorder(node.node, {"default": pool}, DatabaseClock(node.now), on_room=lambda: None)
    first, second = accepted("ok", "ok")
    recorder.accept(*hanging(first, let_go))
    recorder.accept(*second)
    pool.start()
    recorder.start()
    try:
        until(lambda: status(first[0]) == "timed_out", within=10)
        assert (recorder.slots_in_use(), recorder.stuck_slots()) == (1, 1)
        until(recorder.is_idle, within=10)  # a drain does not wait for it, though it goes on
        assert status(second[0]) == "claimed"
        let_go.set()
        until(lambda: status(second[0]) == "succeeded", within=10)
        until(lambda: (recorder.slots_in_use(), recorder.stuck_slots()) == (0, 0), within=10)
    finally:
        recorder.stop(5)
        pool.shutdown()
    assert status(first[0]) == "timed_out"
