"""A lost kick between the engine's threads is seconds of silence, with every row in order."""

import uuid
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from django_sched_tasks import database, registry
from django_sched_tasks.engine.clock import DatabaseClock
from django_sched_tasks.engine.node import Node
from django_sched_tasks.engine.recorder import Recorder
from django_sched_tasks.executors import ThreadExecutor
from django_sched_tasks.models import TaskExecution
from django_sched_tasks.models.transitions import CLAIM_FIELDS, Claim
from tests.support.waiting import until

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_starts_that_are_not_won_make_room_for_the_rest_of_the_backlog():
    """After the node was declared dead: its backlog is no longer its own, what it claims from now on is."""
    executor = ThreadExecutor("default", max_workers=2)
    node, recorder = recording(executor)
    function = registry.resolve("tests.zoo.tasks:ok")
    rows = [execution(number, claimed_by=node.id) for number in range(5)]
    claims = [claim(row, uuid.uuid4()) for row in rows[:4]] + [claim(rows[4], node.id)]
    for item in claims:
        recorder.accept(item, function)
    with at_work(executor, recorder):
        soon(lambda: TaskExecution.objects.get(pk=rows[4].pk).status == "succeeded")
    assert recorder.slots_in_use() == 0


class CountingExecutor(ThreadExecutor):
    """Keeps what it is given."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.given = []

    def submit(self, claim, function, done):
        self.given.append(claim)
        super().submit(claim, function, done)


@pytest.mark.django_db(transaction=True)
def test_an_execution_that_was_claimed_before_a_death_and_again_after_it_is_called_once():
    """A node that stood still was declared dead, begins anew, and claims what it still has in its backlog."""
    executor = CountingExecutor("default", max_workers=2)
    node, recorder = recording(executor)
    function = registry.resolve("tests.zoo.tasks:ok")
    row = execution(0, claimed_by=node.id)
    recorder.accept(claim(row, uuid.uuid4()), function)
    recorder.accept(claim(row, node.id), function)
    with at_work(executor, recorder):
        soon(lambda: TaskExecution.objects.get(pk=row.pk).status == "succeeded")
        until(recorder.is_idle, within=5)
    assert [given.node_id for given in executor.given] == [node.id]
    assert recorder.slots_in_use() == 0


@pytest.mark.django_db(transaction=True)
def test_an_execution_that_a_node_claims_twice_before_it_learns_of_its_death_is_called_once():
    """Others have released it meanwhile; the row knows only one claim, by the same name."""
    executor = CountingExecutor("default", max_workers=2)
    node, recorder = recording(executor)
    function = registry.resolve("tests.zoo.tasks:ok")
    row = execution(0, claimed_by=node.id)
    recorder.accept(claim(row, node.id), function)
    recorder.accept(claim(row, node.id), function)
    with at_work(executor, recorder):
        soon(lambda: TaskExecution.objects.get(pk=row.pk).status == "succeeded")
        until(recorder.is_idle, within=5)
    assert len(executor.given) == 1
    assert recorder.slots_in_use() == 0


@pytest.mark.django_db(transaction=True)
def test_an_execution_that_is_on_its_way_to_start_is_not_taken_over_again():
    node, recorder = recording(ThreadExecutor("default", max_workers=2))
    function = registry.resolve("tests.zoo.tasks:ok")
    row = execution(0, claimed_by=node.id)
    recorder.accept(claim(row, node.id), function)
    recorder._gather()  # as its thread does, before the commit
    recorder.accept(claim(row, node.id), function)
    assert recorder._gather() is None


class RefusingExecutor(ThreadExecutor):
    """Takes all but the run with the argument 0."""

    def submit(self, claim, function, done):
        if claim.args == [0]:
            raise RuntimeError("no room for this one")
        super().submit(claim, function, done)


@pytest.mark.django_db(transaction=True)
def test_an_executor_that_refuses_a_run_fails_it_and_the_others_go_on():
    executor = RefusingExecutor("default", max_workers=2)
    node, recorder = recording(executor)
    function = registry.resolve("tests.zoo.tasks:add")
    rows = [execution(number, claimed_by=node.id, args=[number]) for number in range(2)]
    for row in rows:
        recorder.accept(claim(row, node.id), function)
    with at_work(executor, recorder):
        soon(lambda: not TaskExecution.objects.open().exists())
    told = list(TaskExecution.objects.order_by("pk").values_list("status", "error"))
    assert told == [("failed", "RuntimeError: no room for this one"), ("succeeded", "")]


@contextmanager
def at_work(executor, recorder):
    executor.start()
    recorder.start()
    try:
        yield
    finally:
        recorder.stop(5)
        executor.shutdown()


def soon(condition):
    """An in-memory SQLite refuses to be read, at once, while another thread writes: such a question is asked again."""
    until(lambda: database.retrying(condition), within=5)


def recording(executor):
    """A node with this one executor, and its recorder, not started."""
    node = Node(started_by="test", queues=None, executors=["default"], slots=2, using="default")
    return node, Recorder(node, {"default": executor}, DatabaseClock(NOW), on_room=lambda: None)


def execution(number, claimed_by, args=()):
    return TaskExecution.objects.create(
        task_name="ok",
        args=list(args),
        kind="schedule",
        func="tests.zoo.tasks:ok",
        fire_at=NOW,
        run_at=NOW,
        status="claimed",
        node_id=claimed_by,
    )


def claim(row, node_id):
    return Claim(**{name: getattr(row, name) for name in CLAIM_FIELDS}, node_id=node_id)
