"""Runs that take too long in a thread."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue

import pytest

from django_sched_tasks.exceptions import RunTimedOut
from django_sched_tasks.executors import ThreadExecutor
from django_sched_tasks.registry import resolve

TIMEOUT = 0.1
pytestmark = pytest.mark.django_db(transaction=True)


def spin():
    while True:
        pass


def swallow():
    with suppress(Exception):
        spin()


def insist():
    for _ in range(2):
        with suppress(RunTimedOut):
            time.sleep(0.3)
    return "done"


async def wait():
    await asyncio.sleep(60)


async def wait_for_less():
    async with asyncio.timeout(0.01):
        await asyncio.sleep(60)


@pytest.fixture
def run(make, node, at):
    """Run one function with a timeout in a real thread, then another without; answer both outcomes."""
    pool = ThreadExecutor("default", max_workers=1)
    pool.start()

    def run(function):
        make("ok", args=[])
        node.now = at(60)
        node.plan()
        ((claim, resolved),) = node.start(node.claim())
        done = SimpleQueue()
        short = replace(resolved, callable=function, is_async=asyncio.iscoroutinefunction(function))
        pool.submit(replace(claim, timeout=TIMEOUT), short, lambda claim, outcome: done.put(outcome))
        pool.submit(claim, resolve("tests.zoo.tasks:ok"), lambda claim, outcome: done.put(outcome))
        return done.get(timeout=20), done.get(timeout=20)

    yield run
    pool.shutdown()


@pytest.mark.parametrize("function", [spin, swallow, wait])
def test_it_is_ended_and_told_and_the_thread_goes_on(run, function):
    late, after = run(function)
    assert (late.status, after.status) == ("timed_out", "succeeded")
    assert late.error == f"It ran longer than its timeout of {TIMEOUT} s."
    assert TIMEOUT <= late.duration < 10


def test_a_function_that_ends_all_the_same_has_succeeded(run):
    assert [outcome.status for outcome in run(insist)] == ["succeeded", "succeeded"]


def test_a_timeout_of_its_own_is_its_failure(run):
    outcome, _ = run(wait_for_less)
    assert (outcome.status, outcome.error) == ("failed", "TimeoutError")


def test_what_ends_in_time_is_left_alone(run):
    assert [outcome.status for outcome in run(lambda: "quick")] == ["succeeded", "succeeded"]
