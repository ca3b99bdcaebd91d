"""Whether schedules are being kept."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError

from django_sched_tasks import operations
from django_sched_tasks.models import NodeState, SchedulerNode, SchedulerTask
from django_sched_tasks.testing import ManualScheduler


def look(at, seconds=0):
    return operations.health(at(seconds))


def change(**values):
    SchedulerNode.objects.update(**values)


def test_a_node_that_works(node, make, at):
    make()
    found = look(at)
    assert found.is_healthy
    assert (found.problems, found.warnings, found.nodes, found.oldest_waiting) == ([], [], 1, None)


@pytest.mark.django_db
def test_no_node(at):
    (problem,) = look(at).problems
    assert "runscheduler" in problem


@pytest.mark.parametrize("state", [NodeState.DEAD, NodeState.STOPPED, NodeState.STOPPING])
def test_a_node_that_is_gone_or_going(node, at, state):
    change(state=state)
    assert not look(at).is_healthy


def test_a_silent_node(node, at):
    assert look(at, 30).is_healthy
    assert not look(at, 31).is_healthy


def test_a_loop_that_has_stalled_is_told_even_while_another_works(node, at):
    change(loop_at=at(-60))
    (problem,) = look(at).problems
    assert "no complete pass for 60 s" in problem
    ManualScheduler(now=at(0))
    assert not look(at).is_healthy


def test_slots_that_are_all_stuck(node, at):
    change(stuck_slots=99)
    assert look(at).is_healthy
    change(stuck_slots=100)
    assert "could not be ended" in look(at).problems[0]


def test_a_node_that_stands_aside_is_a_problem_only_alone(node, at):
    change(problem="The database has migrations that this release does not know.")
    assert "does not know" in look(at).problems[0]
    ManualScheduler(now=at(0))
    found = look(at)
    assert (found.is_healthy, len(found.warnings)) == (True, 1)


def test_a_due_task_that_nobody_plans(node, make, at):
    make()
    change(heartbeat_at=at(100))
    assert look(at, 80).is_healthy
    (problem,) = look(at, 100).problems
    assert "due for 40 s" in problem


def test_paused_tasks_are_not_due(node, make, at):
    task = make()
    operations.pause_task(task.pk, now=at(1))
    change(heartbeat_at=at(1000))
    assert look(at, 1000).is_healthy


def test_what_waits_too_long_is_a_warning(node, make, at):
    operations.run_task(make().pk, now=at(0))
    found = look(at, 20)
    assert (found.warnings, found.oldest_waiting) == ([], 20)
    change(heartbeat_at=at(70))
    operations.pause_task(SchedulerTask.objects.get().pk, now=at(1))
    found = look(at, 70)
    assert found.is_healthy
    assert "waited 70 s" in found.warnings[0]


def test_a_trigger_that_cannot_be_planned_is_a_warning(node, make, at):
    task = make()
    SchedulerTask.objects.filter(pk=task.pk).update(trigger="lunar")
    node.plan()
    found = look(at)
    assert "1 task has a trigger" in found.warnings[0]


@pytest.mark.django_db
def test_a_database_without_tables(at, monkeypatch):
    error = DatabaseError("no such table: sys_scheduler_node")
    monkeypatch.setattr("django_sched_tasks.operations.monitoring._look", raising(error))
    assert "migrate" in look(at).problems[0]


def test_a_database_that_does_not_answer(at, monkeypatch):
    error = OperationalError("connection refused")
    monkeypatch.setattr("django_sched_tasks.operations.monitoring._look", raising(error))
    assert look(at).problems == ["The database cannot be asked: connection refused"]


def raising(error):
    def look(*args):
        raise error

    return look


def test_it_asks_as_often_whatever_there_is(node, make, at, django_assert_num_queries):
    for _ in range(5):
        make()
        ManualScheduler(now=at(0))
    with django_assert_num_queries(5):
        operations.health(at(0) + timedelta(seconds=1))


def test_a_queue_that_no_live_node_serves(at, make):
    ManualScheduler(now=at(0), queues=["default", "mail"])
    make(queue="mail")
    etl = make(queue="etl")
    operations.run_task(etl.pk, now=at(0))
    (problem,) = look(at).problems
    assert problem == "Queue 'etl' is served by no live node; executions that wait in it: 1."
    assert operations.unserved_queues(at(0)) == ["etl"]
    ManualScheduler(now=at(0), queues=["etl"])
    assert look(at).is_healthy


def test_a_node_for_all_queues_serves_every_one(node, at, make):
    make(queue="etl")
    assert operations.unserved_queues(at(0)) == []
