"""Letting queued executions through, as many as their limit has room for."""

import threading

import pytest
from django.db import connection, transaction

from django_sched_tasks import admission, operations
from django_sched_tasks.models import SchedulerTask, TaskExecution, transitions


@pytest.fixture
def queue(make, at):
    """A task with so many manual runs, of which none has been let in."""

    def queue(runs=1, **changes):
        task = make(**changes)
        executions = [operations.run_task(task.pk, now=at(number)) for number in range(runs)]
        TaskExecution.objects.filter(task=task).update(claim_rank=None)
        return task, executions

    return queue


def admitted():
    return list(TaskExecution.objects.claimable().order_by("pk").values_list("pk", flat=True))


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (2, 2), (None, 3)])
def test_as_many_are_let_in_as_there_is_room(queue, limit, count):
    task, executions = queue(3, max_instances=limit)
    assert admission.admit([task.pk], using="default") == [row.pk for row in executions[:count]]
    assert len(admitted()) == count
    assert admission.admit([task.pk], using="default") == []


def test_the_highest_priority_goes_first(queue):
    task, (_first, second) = queue(2)
    TaskExecution.objects.filter(pk=second.pk).update(priority=5)
    admission.admit([task.pk], using="default")
    assert admitted() == [second.pk]


def test_what_runs_takes_room_and_what_ended_does_not(queue, at):
    task, (first, _second) = queue(2)
    TaskExecution.objects.filter(pk=first.pk).update(status="running")
    assert admission.admit([task.pk], using="default") == []
    TaskExecution.objects.filter(pk=first.pk).update(status="succeeded", finished_at=at(9))
    assert len(admission.admit([task.pk], using="default")) == 1


def test_a_key_shares_one_limit_between_tasks(queue):
    one, _ = queue(2, concurrency_key="printer", max_instances=2)
    other, _ = queue(2, concurrency_key="printer", max_instances=2)
    assert len(admission.admit([one.pk], keys=["printer"], using="default")) == 2
    assert admission.admit([other.pk], keys=["printer"], using="default") == []


def test_a_key_gives_no_room_to_tasks_without_it(queue):
    keyed, _ = queue(1, concurrency_key="printer")
    plain, (row,) = queue(1)
    admission.admit([keyed.pk], keys=["printer"], using="default")
    assert row.pk not in admitted()
    admission.admit([plain.pk], using="default")
    assert row.pk in admitted()


def test_a_run_that_gathers_fire_times_is_not_let_in(queue):
    task, _ = queue(1)
    TaskExecution.objects.update(reason="coalescing")
    assert admission.admit([task.pk], using="default") == []
    assert admission.admit_all(using="default") == []


def test_admit_all_mends_what_was_left_behind(queue):
    _, (one,) = queue(1)
    _, (other,) = queue(1, concurrency_key="k")
    assert sorted(admission.admit_all(using="default")) == [one.pk, other.pk]
    assert admission.admit_all(using="default") == []


def test_nothing_waiting_costs_one_query(make, django_assert_num_queries):
    task = make()
    with django_assert_num_queries(1):
        assert admission.admit([task.pk], using="default") == []


@pytest.mark.usefixtures("two_connections")
@pytest.mark.parametrize("key", ["", "printer"])
def test_two_nodes_never_grant_the_same_room(queue, key):
    tasks = [queue(4, concurrency_key=key)[0].pk for _ in range(2)]
    keys = [key] if key else []
    for _ in range(6):
        barrier = threading.Barrier(2)

        def admit(ids, barrier=barrier):
            connection.ensure_connection()
            barrier.wait(10)
            admission.admit(ids, keys=keys, using="default")
            connection.close()

        threads = [threading.Thread(target=admit, args=[ids]) for ids in (tasks, tasks[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert TaskExecution.objects.claimable().count() == (1 if key else 2)
        TaskExecution.objects.claimable().update(claim_rank=None)
    assert SchedulerTask.objects.count() == 2


@pytest.mark.usefixtures("two_connections")
def test_who_grants_room_waits_for_whoever_is_granting_it(queue):
    task, (first, second) = queue(2)
    TaskExecution.objects.filter(pk=second.pk).update(priority=5)

    def admit():
        admission.admit([task.pk], using="default")
        connection.close()

    thread = threading.Thread(target=admit)
    with transaction.atomic():
        SchedulerTask.objects.select_for_update().get(pk=task.pk)
        transitions.admit([first.pk], using="default")  # by somebody who has not seen the second yet
        thread.start()
        thread.join(0.3)
    thread.join(20)
    assert admitted() == [first.pk]
