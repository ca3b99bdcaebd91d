"""A node whose start fails: it leaves nothing that looks alive."""

import threading

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from django_sched_tasks.engine import Scheduler
from django_sched_tasks.engine.heartbeat import Heartbeat
from django_sched_tasks.models import SchedulerNode
from tests.support.waiting import until


def own_threads():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("sched-tasks")}


@pytest.fixture
def scheduler(transactional_db):
    return Scheduler(started_by="test")


@pytest.mark.parametrize("broken", [(BackgroundScheduler, "start"), (Heartbeat, "start"), (Heartbeat, "__init__")])
def test_a_start_that_fails_leaves_a_stopped_row_and_no_thread(scheduler, monkeypatch, broken):
    def fail(*args, **kwargs):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(*broken, fail)
    with pytest.raises(RuntimeError, match="interpreter shutdown"):
        scheduler.start()

    assert [row.state for row in SchedulerNode.objects.all()] == ["stopped"]
    assert not scheduler.is_running
    until(lambda: not own_threads(), within=5, what="the end of its threads")


def test_a_node_that_has_stopped_does_not_register_anew(scheduler, monkeypatch):
    """A sign of life that is under way when the row becomes ``stopped`` must not take that for a death."""
    monkeypatch.setattr(Heartbeat, "start", lambda self: None)
    monkeypatch.setattr(BackgroundScheduler, "start", lambda self, paused=False: None)
    scheduler.start()
    scheduler._heartbeat.stop(0)
    scheduler.node.stopped(scheduler._clock.now())
    scheduler._heartbeat._beat()

    assert [row.state for row in SchedulerNode.objects.all()] == ["stopped"]
    scheduler._recorder.stop(5)
    scheduler._housekeeping.stop(5)
    scheduler._listener.stop(5)
    for executor in scheduler._executors.values():
        executor.shutdown()
    # The sign of life has sent out a look for alerts as well, which must not meet the emptying of the tables.
    until(lambda: not own_threads(), within=5, what="the end of its threads")
