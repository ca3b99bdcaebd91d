"""A transactional run: what the function writes and the end of its execution commit together, or not at all."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from django_sched_tasks import operations, runner
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import SchedulerTask, TaskExecution, transitions
from tests.zoo.models import Effect


@pytest.fixture
def running(make, node, at):
    """A started run, not called yet."""

    def running(func="effect", **changes):
        make(func, transactional=True, **changes)
        node.now = at(60)
        node.plan()
        ((claim, function),) = node.start(node.claim())
        return claim, function

    return running


def test_effect_and_end_are_committed_together(running, at, rows):
    claim, function = running()
    outcome = runner.run(claim, function, clock=lambda: at(61))
    assert outcome.is_recorded
    assert rows("status", "finished_at") == [("succeeded", at(61))]
    assert Effect.objects.count() == 1


def test_the_recorder_goes_on_from_an_end_that_is_recorded(running, node, rows):
    node.finish([running(max_instances=1)])
    assert rows("status") == ["succeeded"]
    assert SchedulerTask.objects.get().run_count == 1


def test_a_failure_rolls_back(running, node, rows):
    node.finish([running("effect_then_raises")])
    assert rows("status", "reason") == [("failed", "")]
    assert not Effect.objects.exists()


def test_a_run_that_was_given_up_commits_nothing(running, node, at, rows):
    claim, function = running()
    assert transitions.lose([claim.id], at(61), using="default", reason="node_died", error="x") == [claim.id]
    node.finish([(claim, function)])
    assert not Effect.objects.exists()
    assert rows("status", "reason") == [("failed", "late")]
    assert "rolled back" in TaskExecution.objects.get().error


def test_a_broken_transaction_fails_the_run(running, node, rows):
    node.finish([running("effect_rolled_back")])
    assert rows("status") == ["failed"]
    assert not Effect.objects.exists()


def test_a_coroutine_fails_the_run(make, node, at, rows):
    task = make("async_ok")
    SchedulerTask.objects.filter(pk=task.pk).update(transactional=True)
    node.run_until(at(60))
    assert rows("status") == ["failed"]


def test_an_open_transaction_takes_everything_with_it(two_connections, running, node, rows):
    started = running("leaves_atomic_open")

    def finish():
        node.finish([started])
        connections.close_all()

    with ThreadPoolExecutor(1) as thread:  # whose connection is thrown away
        thread.submit(finish).result()
    assert rows("status") == ["failed"]
    assert not Effect.objects.exists()


def test_it_implies_another_run_after_a_crash(make):
    task = make(transactional=True)
    assert task.on_crash == "retry"
    plain = make()
    assert operations.update_task(plain.pk, {"transactional": True}).on_crash == "retry"


def test_it_does_not_go_with_losing(make):
    with pytest.raises(InvalidDefinition) as error:
        make(transactional=True, on_crash="lose")
    assert "give 'retry'" in error.value.errors["on_crash"][0]
    task = make(transactional=True)
    with pytest.raises(InvalidDefinition):
        operations.update_task(task.pk, {"on_crash": "lose"})


def test_the_sites_default_gives_way(make, settings):
    settings.SCHED_TASKS = {"DEFAULTS": {"on_crash": "lose"}}
    assert make(transactional=True).on_crash == "retry"


def test_a_coroutine_is_refused(make):
    with pytest.raises(InvalidDefinition) as error:
        make("async_ok", transactional=True)
    assert "async" in error.value.errors["transactional"][0]
    task = make(transactional=True)
    with pytest.raises(InvalidDefinition):
        operations.update_task(task.pk, {"func": "tests.zoo.tasks:async_ok"})
