"""The public module for tests of a site's own tasks."""

import importlib
import re
import threading
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction

from django_sched_tasks import database, operations, signals
from django_sched_tasks.models import SchedulerNode, TaskExecution
from django_sched_tasks.testing import (
    ManualClock,
    ManualScheduler,
    assert_not_ran,
    assert_queued,
    assert_ran,
    assert_scheduled,
    run_inline,
)
from tests.zoo import tasks as zoo
from tests.zoo.models import Effect

OK = "tests.zoo.tasks:ok"


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


# The clock


def test_between_with_and_its_end_operations_take_the_time_from_the_clock(db, at):
    with ManualScheduler(now=at(0)) as scheduler:
        task = operations.add_task(name="T", func=OK, trigger="interval", trigger_args={"minutes": 1})
        assert task.next_run == at(60)
        scheduler.advance(timedelta(seconds=30))
        assert operations.run_task(task.pk).queued_at == at(30)
        assert [run.kind for run in scheduler.run_due()] == ["manual"]
        assert [run.fire_at for run in scheduler.run_due(until=timedelta(seconds=90))] == [at(60), at(120)]
        assert [run.fire_at for run in scheduler.run_due(until=at(180))] == [at(180)]
    assert database.now() > at(86_400)
    assert scheduler.node.id not in SchedulerNode.objects.live().values_list("pk", flat=True)


def test_a_clock_can_be_shared(db, at):
    with ManualClock(at(0)) as clock:
        with ManualScheduler(clock) as scheduler:
            scheduler.advance(5)
        assert database.now() == clock.now == at(5)
    assert database.now() != at(5)


def test_a_clock_needs_a_time_zone():
    with pytest.raises(ValueError, match="no instant without a time zone"):
        ManualClock(datetime(2026, 1, 1))


def test_after_an_error_all_is_as_it_was(db, at):
    before = database.now, database.on_commit
    with pytest.raises(KeyError), ManualScheduler(now=at(0)):
        raise KeyError
    assert (database.now, database.on_commit) == before


def test_what_follows_a_commit_follows_in_a_test_case(make, at):
    task = make()
    heard = []
    signals.execution_queued.connect(listen := lambda **payload: heard.append("queued"))
    signals.execution_started.connect(listen_too := lambda **payload: heard.append("started"))
    signals.execution_finished.connect(listen_as_well := lambda **payload: heard.append(payload["status"]))
    with ManualScheduler(now=at(0)) as scheduler:
        operations.run_task(task.pk)
        assert heard == ["queued"]
        scheduler.run_due()
        assert heard == ["queued", "started", "succeeded"]
        with transaction.atomic():
            operations.run_task(task.pk)
        assert len(heard) == 3  # somebody else's transaction, whose end nobody sees inside a test's
    del listen, listen_too, listen_as_well


def test_an_error_in_what_follows_a_commit_is_logged(db, at, caplog):
    with ManualScheduler(now=at(0)):
        database.on_commit(lambda: 1 / 0, using="default")
    assert "What follows a commit met an error" in caplog.text


# Inline runs


def test_what_is_queued_runs_at_once(make, at):
    task = make("effect")
    with run_inline(at(0)) as scheduler:
        operations.run_task(task.pk)
        assert Effect.objects.count() == 1
        operations.run_task(task.pk)
        assert Effect.objects.count() == 2
        assert scheduler.now == at(0)
    operations.run_task(task.pk)
    assert Effect.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_what_is_queued_in_a_transaction_runs_after_its_commit(make, at):
    task = make("effect")
    with run_inline(at(0)):
        with transaction.atomic():
            operations.run_task(task.pk)
            assert not Effect.objects.exists()
        assert Effect.objects.count() == 1


def test_retries_wait_for_the_clock(make, at):
    task = make("raises", max_retries=1, retry_delay=30)
    with run_inline(at(0)) as scheduler:
        operations.run_task(task.pk)
        assert_ran(task, status="failed", times=1)
        scheduler.run_due(until=at(30))
        assert_ran(task, status="failed", times=2)


# Assertions


@pytest.mark.parametrize("what", [zoo.ok, OK, "job", "task"])
def test_assertions_know_what_is_meant(make, at, what):
    task = make("ok", job_id="job", kwargs={})
    what = task if what == "task" else what
    with ManualScheduler(now=at(0)) as scheduler:
        assert assert_scheduled(what, at=at(60)) == [task]
        assert_not_ran(what)
        operations.run_task(task.pk)
        (queued,) = assert_queued(what, times=1, at=at(0), args=[], kwargs={})
        scheduler.run_due()
    assert assert_ran(what, times=1, at=at(0), args=(), kwargs={}) == [queued]


def complaint(assertion, *args, **options):
    with pytest.raises(AssertionError) as raised:
        assertion(*args, **options)
    return re.sub(r"#\d+", "#1", str(raised.value))


def test_assertions_that_fail_tell_what_there_is(make, node, at):
    task = make("raises")
    path = "tests.zoo.tasks:raises"
    nothing = complaint(assert_queued, path)
    assert nothing.startswith(
        f"{path} should be queued at least once; it is 0 times. It has no executions at all: was it"
    )

    node.run_due(until=at(60))
    there = "Its executions are:\n  #1 schedule 2026-01-01T00:01:00+00:00 failed, args=[], kwargs={}: "
    assert f"{path} should have ended as 'succeeded' at least once; it did so 0 times. {there}" in complaint(
        assert_ran, path
    )
    assert "ended as 'failed' with args=[1] 2 times; it did so 0 times" in complaint(
        assert_ran, path, status="failed", args=[1], times=2
    )
    assert f"should not have run. {there}" in complaint(assert_not_ran, path)
    later = complaint(assert_scheduled, path, at=at(60))
    assert "should be scheduled next at 2026-01-01T00:01:00+00:00. Its tasks are:\n  'Task', Active, next at" in later

    operations.pause_task(task.pk, now=at(60))
    assert "'Task', Paused, next at None" in complaint(assert_scheduled, task)
    assert "It has no task" in complaint(assert_scheduled, OK)
    with pytest.raises(TypeError, match="7 is nothing that runs"):
        assert_ran(7)


def test_no_thread_is_left(make, at):
    before = threading.enumerate()
    task = make()
    with run_inline(at(0)):
        operations.run_task(task.pk)
    with ManualScheduler(now=at(0)) as scheduler:
        scheduler.run_due(until=at(300))
    assert threading.enumerate() == before


# The plugin


def test_the_distribution_names_the_plugin():
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    (plugin,) = project["project"]["entry-points"]["pytest11"].values()
    module = importlib.import_module(plugin)

    assert {"sched_clock", "sched_scheduler", "run_due", "sched_inline"} <= set(vars(module))
