"""The worker's side of a dispatched execution."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import OperationalError

from django_sched_tasks import database, operations, recording, worker
from django_sched_tasks.models import ExecutionStatus, SchedulerTask, TaskExecution
from django_sched_tasks.recording import Group
from django_sched_tasks.testing import ManualScheduler

pytestmark = pytest.mark.django_db
MESSAGE = "the message"


@pytest.fixture
def now():
    """The worker reads the database's clock, so these tests live now."""
    return database.now()


@pytest.fixture
def at(now):
    return lambda seconds: now + timedelta(seconds=seconds)


@pytest.fixture
def dispatched(make, at):
    """An execution whose message is out."""

    def dispatched(func="effect", **changes):
        task = make(func, now=at(0), max_instances=None, **changes)
        operations.run_task(task.pk, now=at(0))
        node = ManualScheduler(now=at(0))
        ((claim, function),) = node.claim()
        claim = replace(claim, message_id=MESSAGE)
        assert recording.write(Group([], [(claim, function)]), at(0), "default").started == [claim]
        recording.write(Group([], [], sent=[claim]), at(0), "default")
        return claim.id

    return dispatched


def row(pk):
    return TaskExecution.objects.get(pk=pk)


def test_what_is_dispatched_has_not_started(dispatched):
    execution = row(dispatched())
    assert (execution.status, execution.node_id, execution.message_id) == ("dispatched", None, MESSAGE)
    assert execution.dispatched_at is not None
    assert execution.started_at is None
    assert SchedulerTask.objects.get().run_count == 0


def test_a_message_runs_its_execution_once(dispatched):
    pk = dispatched("prints")
    assert worker.perform(pk, MESSAGE) == "succeeded"
    execution = row(pk)
    assert (execution.status, execution.node_id) == ("succeeded", None)
    assert execution.output
    assert execution.worker
    assert execution.dispatched_at <= execution.started_at <= execution.finished_at
    task = SchedulerTask.objects.get()
    assert (task.run_count, task.last_run) == (1, execution.started_at)
    assert worker.perform(pk, MESSAGE) == ""
    assert SchedulerTask.objects.get().run_count == 1


@pytest.mark.parametrize("change", ["another message", "cancelled", "taken back", "lost"])
def test_a_message_that_is_out_of_date_starts_nothing(dispatched, at, change):
    pk = dispatched()
    if change == "cancelled":
        operations.cancel_execution(pk)
    elif change == "taken back":
        TaskExecution.objects.update(status="queued", message_id="")
    elif change == "lost":
        TaskExecution.objects.update(status="lost", finished_at=at(1))
    message = "no such" if change == "another message" else MESSAGE
    assert worker.perform(pk, message) == ""
    assert row(pk).started_at is None


def test_a_failure_is_tried_again_and_what_waits_is_let_in(dispatched):
    pk = dispatched("raises", max_retries=1, retry_delay=0)
    assert worker.perform(pk, MESSAGE) == "failed"
    again = TaskExecution.objects.get(attempt=2)
    assert (again.status, again.message_id, again.executor) == ("queued", "", row(pk).executor)
    assert again.claim_rank is not None


def test_a_transactional_run_ends_with_its_writes(dispatched):
    pk = dispatched("effect", transactional=True)
    assert worker.perform(pk, MESSAGE) == "succeeded"
    assert row(pk).status == "succeeded"


def test_a_worker_that_does_not_know_the_function_gives_it_back(dispatched, at):
    pk = dispatched()
    TaskExecution.objects.update(func="tests.zoo.tasks:renamed_since")
    assert worker.perform(pk, MESSAGE) == ""
    execution = row(pk)
    assert (execution.status, execution.message_id, execution.claim_rank) == ("queued", "", 0)
    assert execution.handed_back_at is not None
    TaskExecution.objects.update(status="dispatched", message_id=MESSAGE, handed_back_at=at(-60), claim_rank=None)
    assert worker.perform(pk, MESSAGE) == "failed"
    assert (row(pk).status, row(pk).reason) == ("failed", "unresolved")


def test_a_late_end_of_a_lost_run_is_told_as_what_it_was(dispatched, at, monkeypatch):
    pk = dispatched("returns_none")
    run = worker.runner.run

    def lose_meanwhile(*args, **kwargs):
        outcome = run(*args, **kwargs)
        TaskExecution.objects.update(status="lost", finished_at=at(1))
        return outcome

    monkeypatch.setattr(worker.runner, "run", lose_meanwhile)
    worker.perform(pk, MESSAGE)
    assert (row(pk).status, row(pk).reason) == ("succeeded", "late")


@pytest.mark.django_db(transaction=True)
def test_an_outcome_is_held_while_the_database_is_away(dispatched, at, monkeypatch):
    pk = dispatched()
    recording.begin(pk, MESSAGE, "host:1", at(0), "default")
    write, failures = worker._write, iter([OperationalError("gone"), OperationalError("still")])

    def fail_twice(outcome, using):
        for error in failures:
            raise error
        return write(outcome, using)

    monkeypatch.setattr(worker, "_write", fail_twice)
    monkeypatch.setattr(worker, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(worker.connections["default"], "close", lambda: None)  # it is the test's
    assert worker.end(MESSAGE, ExecutionStatus.TIMED_OUT)
    assert row(pk).status == "timed_out"


# What a worker's other process sees.


def test_the_end_of_a_run_is_told_for_a_process_that_no_longer_can(dispatched, at):
    pk = dispatched(max_retries=1)
    assert recording.begin(pk, MESSAGE, "host:1", at(0), "default").id == pk
    assert worker.end(MESSAGE, ExecutionStatus.TIMED_OUT, error="too long")
    assert (row(pk).status, row(pk).error) == ("timed_out", "too long")
    assert TaskExecution.objects.filter(attempt=2).exists()
    assert not worker.end(MESSAGE, ExecutionStatus.FAILED)


@pytest.mark.parametrize(("has_expired", "told"), [(True, ("missed", "grace")), (False, ("cancelled", "requested"))])
def test_a_message_that_is_thrown_away_ends_its_execution(dispatched, has_expired, told):
    pk = dispatched()
    assert worker.give_up(MESSAGE, has_expired=has_expired)
    assert (row(pk).status, row(pk).reason) == told
    assert not worker.give_up(MESSAGE, has_expired=has_expired)
    assert worker.perform(pk, MESSAGE) == ""
