"""Sending executions to workers outside the nodes."""

from dataclasses import replace
from queue import SimpleQueue

import pytest

from django_sched_tasks.executors import DispatchingExecutor, dispatching
from django_sched_tasks.models import TaskExecution

pytestmark = pytest.mark.django_db(transaction=True)


class Post(DispatchingExecutor):
    """Keeps what it sends; fails as often as it is told to."""

    def __init__(self, **options):
        super().__init__("default", **options)
        self.posted = SimpleQueue()
        self.failures = []

    def send(self, claim, function):
        if self.failures:
            raise self.failures.pop()
        self.posted.put(claim.message_id)


@pytest.fixture
def post(monkeypatch):
    monkeypatch.setattr(dispatching, "FIRST_PAUSE", 0.05)
    made = []

    def post(**options):
        made.append(executor := Post(**options))
        executor.start()
        return executor

    yield post
    for executor in made:
        executor.shutdown()


@pytest.fixture
def accepted(make, node, at):
    make("ok")
    node.now = at(60)
    node.plan()
    ((claim, function),) = node.claim()
    return replace(claim, message_id="first"), function


def dispatch(executor, accepted):
    told = SimpleQueue()
    executor.dispatch(*accepted, lambda claim, has_gone: told.put((claim.message_id, has_gone)))
    return told.get(timeout=10)


def test_what_is_sent_is_told_once(post, accepted):
    executor = post()
    assert dispatch(executor, accepted) == ("first", True)
    assert executor.posted.get(timeout=1) == "first"


def test_what_cannot_be_sent_is_told_and_the_executor_takes_nothing_for_a_while(post, accepted, caplog):
    executor = post()
    executor.failures = [OSError("no broker")] * 3
    pauses = []
    for _ in range(3):
        assert dispatch(executor, accepted) == ("first", False)
        assert executor.is_paused
        assert executor.room(0, "default") == 0
        pauses.append(executor._resume_at - dispatching.time.monotonic())
        executor._resume_at = 0.0
    assert pauses[0] < pauses[1] < pauses[2]
    assert dispatch(executor, accepted) == ("first", True)
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1  # said once


def test_while_it_pauses_nothing_is_tried(post, accepted):
    executor = post()
    executor._resume_at = dispatching.time.monotonic() + 60
    assert dispatch(executor, accepted) == ("first", False)
    assert executor.posted.empty()


def test_no_more_are_out_than_it_may_have(post, accepted):
    assert post().room(0, "default") == dispatching.BATCH
    assert post(max_workers=3).room(0, "default") == 2  # one is claimed
    TaskExecution.objects.update(status="dispatched")
    assert post(max_workers=1).room(0, "default") == 0
    TaskExecution.objects.update(status="succeeded", finished_at="2026-01-01T00:00Z")
    assert post(max_workers=1).room(0, "default") == 1
