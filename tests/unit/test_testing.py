"""The public module for tests of a site's own tasks."""

from datetime import UTC, datetime

import pytest

from django_sched_tasks import operations
from django_sched_tasks.models import TaskExecution
from django_sched_tasks.testing import ManualScheduler
from tests.zoo.models import Effect


@pytest.mark.django_db
def test_the_example_of_the_module():
    scheduler = ManualScheduler(now=datetime(2026, 1, 1, tzinfo=UTC))
    operations.add_task(
        name="Report", func="tests.zoo.tasks:effect", trigger="cron", trigger_args={"hour": 2}, now=scheduler.now
    )
    (run,) = scheduler.run_until(datetime(2026, 1, 2, 1, tzinfo=UTC))
    assert (run.status, run.fire_at) == ("succeeded", datetime(2026, 1, 1, 2, tzinfo=UTC))
    assert Effect.objects.get().fire_at == run.fire_at


def test_every_fire_time_runs_at_its_instant(make, node, at):
    make("effect")
    ran = node.run_until(at(200))
    assert [run.started_at for run in ran] == [at(60), at(120), at(180)]
    assert node.now == at(200)
    assert Effect.objects.count() == 3


def test_a_tick_runs_what_one_thing_leads_to(make, node, at):
    task = make("raises", max_retries=1, retry_delay=0)
    operations.run_task(task.pk, now=at(60))
    node.now = at(60)
    assert [(run.kind, run.attempt) for run in node.tick()] == [("manual", 1), ("manual", 2)]


def test_jitter_is_waited_for(make, node, at):
    make(trigger_args={"minutes": 1, "jitter": 50})
    (run,) = node.run_until(at(119))
    assert (run.fire_at, run.started_at) == (at(60), run.run_at)
    assert at(60) <= run.run_at < at(110)


def test_advancing_runs_nothing(make, node, at):
    make()
    node.advance(3600)
    assert node.now == at(3600)
    assert not TaskExecution.objects.exists()
    assert [run.covers for run in node.tick()] == [60]


def test_the_steps_can_be_taken_one_by_one(make, node, at, rows):
    make()
    node.now = at(60)
    states = []
    node.plan()
    states += rows("status")
    accepted = node.claim()
    states += rows("status")
    started = node.start(accepted)
    states += rows("status")
    node.finish(started)
    assert [*states, *rows("status")] == ["queued", "claimed", "running", "succeeded"]


def test_two_schedulers_share_the_work(make, node, at):
    for _ in range(3):
        make()
    other = ManualScheduler(now=at(60), slots=2)
    node.now = at(60)
    node.plan()
    assert (len(other.claim()), len(node.claim())) == (2, 1)


@pytest.mark.parametrize("key", ["", "printer"])
def test_waiting_executions_run_one_after_another(make, node, at, key):
    task = make("effect", concurrency_key=key)
    for second in range(3):
        operations.run_task(task.pk, now=at(second))
    node.now = at(5)
    assert len(node.tick()) == 3


def test_a_task_that_is_months_behind_is_planned_in_several_passes(make, node, at):
    make(trigger="cron", trigger_args={"second": "*"}, misfire_grace_time=None)
    node.now = at(10_001)
    assert [run.covers for run in node.tick()] == [10_001]
