"""Ending a run in a thread that somebody wants stopped."""

import threading
import time
from dataclasses import replace
from queue import SimpleQueue

import pytest

from django_sched_tasks import registry
from django_sched_tasks.executors import ThreadExecutor
from django_sched_tasks.models import TaskExecution
from tests.support.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pool():
    executor = ThreadExecutor("default", max_workers=1)
    executor.start()
    yield executor
    executor.shutdown()


@pytest.fixture
def start(pool, make, node, at):
    """Start one run of an animal of the zoo; answers its claim, and where its outcome will be."""

    def start(func, *args):
        make(func, args=list(args))
        node.now = at(60)
        node.plan()
        ((claim, function),) = node.start(node.claim())
        done = SimpleQueue()
        pool.submit(claim, function, lambda claim, outcome: done.put(outcome))
        return claim, done

    return start


@pytest.mark.parametrize("func", ["loops", "loops_async", "asks_politely"])
def test_a_run_is_cancelled_within_a_second_and_its_thread_goes_on(start, pool, func):
    claim, done = start(func)
    time.sleep(0.1)
    pool.cancel(claim.id)
    asked = time.monotonic()
    outcome = done.get(timeout=20)
    assert time.monotonic() - asked < 1.0
    assert (outcome.status, outcome.reason) == ("cancelled", "requested")
    pool.submit(claim, registry.resolve("tests.zoo.tasks:ok"), lambda claim, outcome: done.put(outcome))
    assert done.get(timeout=20).status == "succeeded"


def test_a_coroutine_that_never_awaits_is_interrupted_in_its_thread(start, pool):
    claim, done = start("loops_without_await")
    time.sleep(0.1)
    pool.cancel(claim.id)
    assert done.get(timeout=20).status == "cancelled"


def test_the_monitor_carries_the_request_from_the_row_to_the_thread(start, staff):
    claim, done = start("loops")
    TaskExecution.objects.filter(pk=claim.id).update(cancel_requested_at=claim.run_at)
    assert done.get(timeout=20).status == "cancelled"


def test_who_does_not_end_is_not_cancelled(start, pool):
    """Nothing is told before it is true, and what was done all the same has succeeded."""
    claim, done = start("is_stubborn", 1.5)
    time.sleep(0.1)
    pool.cancel(claim.id)
    outcome = done.get(timeout=20)
    assert (outcome.status, outcome.result) == ("succeeded", "done all the same")
    assert "swallowed RunCancelled" in outcome.output


def test_a_cancel_never_reaches_the_next_run_of_the_thread(start, pool):
    """Again and again around the very moment at which a run ends."""
    claim, done = start("ok")
    done.get(timeout=20)
    function = registry.resolve("tests.zoo.tasks:ok")
    stop = threading.Event()

    def harass():
        while not stop.is_set():
            pool.cancel(claim.id)

    thread = threading.Thread(target=harass)
    thread.start()
    try:
        statuses = set()
        for _ in range(300):
            pool.submit(claim, function, lambda claim, outcome: done.put(outcome))
            statuses.add(done.get(timeout=20).status)
    finally:
        stop.set()
        thread.join()
    assert statuses <= {"succeeded", "cancelled"}
    pool.submit(claim, function, lambda claim, outcome: done.put(outcome))
    assert done.get(timeout=20).status == "succeeded"


def test_nobody_minds_a_cancel_of_what_has_ended(start, pool):
    claim, done = start("ok")
    assert done.get(timeout=20).status == "succeeded"
    pool.cancel(claim.id)
    pool.cancel(12345)


def test_its_threads_survive_timeouts_at_the_very_end(pool, start):
    """The exception may arrive on any line, also on the way out."""
    claim, done = start("ok")
    done.get(timeout=20)

    function = replace(registry.resolve("tests.zoo.tasks:ok"), callable=lambda: time.sleep(0.0100))
    told = []
    for _ in range(200):
        pool.submit(replace(claim, timeout=0.0101), function, lambda claim, outcome: done.put(outcome))
        told.append(done.get(timeout=20).status)
    assert set(told) <= {"succeeded", "timed_out"}
    until(lambda: pool.stuck() == 0, within=5)
