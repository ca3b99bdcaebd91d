"""Runs in threads of the node's process."""

import threading
from dataclasses import replace
from queue import SimpleQueue

import pytest
from django.test import override_settings

from django_sched_tasks import executors
from django_sched_tasks.executors import ThreadExecutor
from tests.zoo.models import Effect

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pool():
    executor = ThreadExecutor("default", max_workers=2)
    executor.start()
    yield executor
    executor.shutdown()


@pytest.fixture
def claims(make, node, at):
    """The claims of one run each of these functions, with their arguments."""

    def claims(*calls):
        for func, *args in calls:
            make(func, args=args)
        node.now = at(60)
        node.plan()
        return node.start(node.claim())

    return claims


def outcomes(pool, accepted):
    done = SimpleQueue()
    for claim, function in accepted:
        pool.submit(claim, function, lambda claim, outcome: done.put((claim.func.partition(":")[2], outcome)))
    return dict(done.get(timeout=20) for _ in accepted)


def test_each_run_is_told_once(pool, claims):
    told = outcomes(pool, claims(("ok",), ("add", 2), ("async_ok",), ("raises",)))
    assert {name: outcome.status for name, outcome in told.items()} == {
        "ok": "succeeded",
        "add": "succeeded",
        "async_ok": "succeeded",
        "raises": "failed",
    }


@pytest.mark.parametrize("bad", ["system_exit", "keyboard_interrupt", "recurses", "leaves_atomic_open"])
def test_a_thread_outlives_what_it_runs(claims, bad):
    pool = ThreadExecutor("default", max_workers=1)
    pool.start()
    told = outcomes(pool, claims((bad,), ("effect",)))
    pool.shutdown()
    assert told["effect"].status == "succeeded"
    assert list(Effect.objects.values_list("task", flat=True)) == ["effect"]


def test_as_many_run_at_once_as_there_are_slots(pool, claims):
    assert pool.slots == 2
    barrier = threading.Barrier(2)  # passes only where both are inside
    accepted = [
        (claim, replace(function, callable=lambda *args: barrier.wait(10)))
        for claim, function in claims(("ok",), ("add", 1))
    ]
    told = outcomes(pool, accepted)
    assert {outcome.status for outcome in told.values()} == {"succeeded"}


def test_its_threads_end_with_it(claims):
    before = set(threading.enumerate())
    pool = ThreadExecutor("special", max_workers=3)
    pool.start()
    threads = set(threading.enumerate()) - before
    assert {thread.daemon for thread in threads} == {True}
    pool.shutdown()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


@override_settings(
    SCHED_TASKS={
        "EXECUTORS": {
            "default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor"},
            "small": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor", "OPTIONS": {"max_workers": 1}},
        }
    }
)
def test_executors_are_built_as_the_settings_say():
    built = executors.build()
    assert {alias: (executor.alias, executor.slots) for alias, executor in built.items()} == {
        "default": ("default", 10),
        "small": ("small", 1),
    }
