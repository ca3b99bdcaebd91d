"""Taking executions for a node, and giving back what it cannot run."""

import threading

import pytest
from django.db import connection
from django.test import override_settings

from django_sched_tasks import operations
from django_sched_tasks.models import SchedulerTask, TaskExecution
from django_sched_tasks.testing import ManualScheduler

GONE = "tests.zoo.tasks:renamed_since"


@pytest.fixture
def queue(make, at):
    """So many executions that may be claimed."""

    def queue(count=1, **changes):
        task = make(max_instances=None, **changes)
        return [operations.run_task(task.pk, now=at(number)) for number in range(count)]

    return queue


@pytest.fixture
def gone(queue):
    """An execution of a function that a deploy has taken away."""
    (execution,) = queue()
    TaskExecution.objects.filter(pk=execution.pk).update(func=GONE)
    return execution


def take(node, limit=10):
    return [claim.id for claim, _ in node._claims.take("default", limit, node.now)]


def test_what_is_claimed_comes_with_its_function(queue, node, at):
    (execution,) = queue(func="add", args=[1])
    node.now = at(1)
    ((claim, function),) = node.claim()
    assert (claim.id, claim.args, function.callable(*claim.args)) == (execution.pk, [1], 2)


def test_no_more_is_taken_than_asked_for(queue, node, at):
    queue(5)
    node.now = at(60)
    assert [len(take(node, limit)) for limit in (2, 2, 2)] == [2, 2, 1]


def test_a_node_takes_from_its_queues_only(queue, at):
    (execution,) = queue(queue="slow")
    assert ManualScheduler(now=at(9), queues=["fast"]).claim() == []
    assert [claim.id for claim, _ in ManualScheduler(now=at(9), queues=["slow"]).claim()] == [execution.pk]


def test_what_cannot_be_resolved_goes_back(gone, node, at, rows):
    node.now = at(5)
    assert take(node) == []
    assert rows("status", "node", "claim_rank", "handed_back_at") == [("queued", None, 0, at(5))]


def test_another_function_is_not_held_up(gone, queue, node, at):
    (good,) = queue()
    node.now = at(5)
    assert take(node) == [good.pk]


def test_the_function_is_left_alone_for_a_growing_delay(gone, node, at):
    tried_at = []
    for second in range(16):
        node.now = at(second)
        tried_at += [] if node._claims._left_alone(node.now) else [second]
        take(node)
    assert tried_at == [0, 1, 3, 7, 15]


def test_a_function_that_is_back_runs_when_the_delay_is_over(gone, node, at):
    take(node)
    TaskExecution.objects.update(func="tests.zoo.tasks:ok")
    node.now = at(1)
    assert take(node) == [gone.pk]


def test_a_clock_that_goes_back_does_not_prolong_the_delay(gone, node, at):
    node.now = at(3600)
    take(node)
    node.now = at(5)
    assert node._claims._left_alone(node.now) == []


def test_after_the_time_out_it_fails_and_the_task_stays(gone, node, at):
    for second in range(30):
        node.now = at(second)
        take(node)
    assert TaskExecution.objects.get().status == "queued"
    node.now = at(31)
    take(node)
    row = TaskExecution.objects.get()
    assert (row.status, row.reason, row.finished_at) == ("failed", "unresolved", at(31))
    assert "renamed_since" in row.error
    assert SchedulerTask.objects.get().status == 1


@override_settings(SCHED_TASKS={"TASK_MODULES": ["sched_tasks"]})
def test_a_function_that_may_not_be_scheduled_any_more_goes_back_too(queue, node, at, rows):
    with override_settings(SCHED_TASKS={}):
        queue()
    node.now = at(1)
    assert take(node) == []
    assert rows("status") == ["queued"]


def test_only_the_nodes_own_claims_are_given_back(queue, node, at, rows):
    queue(2)
    other = ManualScheduler(now=at(5))
    node.now = at(5)
    mine, others = take(node, 1), take(other, 1)
    node._claims.give_back([*mine, *others], node.now)
    assert rows("pk", "status") == [(mine[0], "queued"), (others[0], "claimed")]


@pytest.mark.usefixtures("two_connections")
def test_two_nodes_never_claim_the_same(queue, at):
    queue(40)
    nodes = [ManualScheduler(now=at(100)) for _ in range(2)]
    taken = [[], []]
    barrier = threading.Barrier(2)

    def claim(index):
        connection.ensure_connection()
        barrier.wait(10)
        while ids := take(nodes[index], 3):
            taken[index] += ids
        connection.close()

    threads = [threading.Thread(target=claim, args=[index]) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not set(taken[0]) & set(taken[1])
    assert TaskExecution.objects.filter(status="claimed").count() == len(taken[0]) + len(taken[1])
