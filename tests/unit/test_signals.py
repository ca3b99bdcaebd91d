"""A signal for every change of state, sent after the commit."""

import pytest

from django_sched_tasks import operations, planning, signals
from django_sched_tasks.engine import recovery
from django_sched_tasks.models import SchedulerNode, TaskExecution
from django_sched_tasks.testing import ManualScheduler

TASKS = ("task_added", "task_updated", "task_paused", "task_resumed", "task_finished", "task_removed")
EXECUTIONS = ("execution_queued", "execution_claimed", "execution_handed_back", "execution_finished")


@pytest.fixture
def heard(django_capture_on_commit_callbacks):
    """Do something, commit, and answer the signals that were sent: (name, payload)."""
    told = []
    receivers = []
    for name in (*TASKS, *EXECUTIONS, "schedule_changed"):

        def hear(signal, name=name, **payload):
            told.append((name, payload))

        receivers.append((getattr(signals, name), hear))
        getattr(signals, name).connect(hear)

    def heard(act, *args, **options):
        told.clear()
        with django_capture_on_commit_callbacks(execute=True):
            act(*args, **options)
        return [(name, payload) for name, payload in told if name != "schedule_changed"]

    heard.told = told
    yield heard
    for signal, hear in receivers:
        signal.disconnect(hear)


def names(heard):
    return [name for name, _ in heard]


def test_the_life_of_a_task(heard, make, at):
    assert names(heard(make, user="ada")) == ["task_added"]
    pk = heard.told[-1][1]["task"].pk
    ((name, payload),) = heard(operations.update_task, pk, {"name": "New"}, user="bob", now=at(1))
    assert (name, payload["fields"], payload["user"], payload["task"].name) == ("task_updated", ["name"], "bob", "New")
    assert names(heard(operations.pause_task, pk, now=at(2))) == ["task_paused"]
    assert names(heard(operations.resume_task, pk, now=at(3))) == ["task_resumed"]
    ((name, payload),) = heard(operations.remove_task, pk, user="eve", now=at(4))
    assert (name, payload["user"], payload["task"].name) == ("task_removed", "eve", "New")


def test_what_changes_nothing_is_not_told(heard, make, at):
    task = make()
    assert heard(operations.update_task, task.pk, {"name": "Task"}, now=at(1)) == []
    assert heard(operations.resume_task, task.pk, now=at(1)) == []
    operations.pause_task(task.pk, now=at(1))
    assert heard(operations.pause_task, task.pk, now=at(2)) == []


def test_a_last_fire_time_finishes_the_task(heard, make, at):
    make(trigger="date", trigger_args={"run_date": at(60).isoformat()})
    assert names(heard(planning.plan, at(60), using="default")) == ["task_finished", "execution_queued"]


def test_an_operation_is_told_after_its_commit_with_what_it_settled(heard, make, at):
    task = make()

    def pause():
        operations.pause_task(task.pk, now=at(61))
        assert heard.told == []

    assert names(heard(pause)) == ["execution_queued", "task_paused"]


def test_an_execution_from_its_request_to_its_cancelling(heard, make, at):
    task = make()
    ((name, payload),) = heard(operations.run_task, task.pk, now=at(1))
    assert name == "execution_queued"
    assert payload.items() >= {"task_id": task.pk, "job_id": task.job_id, "status": "queued", "reason": ""}.items()
    ((name, payload),) = heard(operations.cancel_execution, payload["execution_id"], now=at(2))
    assert (name, payload["status"], payload["reason"]) == ("execution_finished", "cancelled", "requested")
    assert names(heard(operations.retry_execution, payload["execution_id"], now=at(3))) == ["execution_queued"]


def test_what_a_removed_task_had_queued_is_told_as_cancelled(heard, make, at):
    task = make()
    operations.run_task(task.pk, now=at(1))
    (name, payload), _ = heard(operations.remove_task, task.pk, now=at(2))
    assert (name, payload["reason"]) == ("execution_finished", "task_removed")


def test_what_is_replaced_is_told_as_cancelled(heard, make, node, at):
    make(overlap="replace")
    node.now = at(60)
    node.plan()
    node.start(node.claim())
    planning.plan(at(120), using="default")
    told = heard(planning.plan, at(180), using="default")
    assert [(name, payload["reason"]) for name, payload in told] == [
        ("execution_finished", "replaced"),
        ("execution_queued", ""),
    ]


def test_a_retry_is_told_as_queued(heard, make, node, at):
    make("raises", max_retries=1)
    node.now = at(60)
    node.plan()
    started = node.start(node.claim())
    assert sorted(names(heard(node.finish, started))) == ["execution_finished", "execution_queued"]


def test_a_claim_and_a_hand_back(heard, make, node, at):
    operations.run_task(make().pk, now=at(0))
    TaskExecution.objects.update(func="tests.zoo.tasks:gone")
    assert names(heard(node.claim)) == ["execution_claimed", "execution_handed_back"]
    node.now = at(31)
    told = heard(node.claim)
    assert [(name, payload["status"]) for name, payload in told] == [
        ("execution_claimed", "claimed"),
        ("execution_finished", "failed"),
    ]


def test_a_loss_and_its_retry(heard, make, node, at):
    make(on_crash="retry")
    node.now = at(60)
    node.plan()
    node.start(node.claim())
    SchedulerNode.objects.update(heartbeat_at=at(0))
    other = ManualScheduler(now=at(60))
    told = heard(recovery.recover, other.node, at(60))
    assert sorted((name, payload["status"], payload["reason"]) for name, payload in told) == [
        ("execution_finished", "lost", "node_died"),
        ("execution_queued", "queued", ""),
    ]


def test_a_receiver_that_raises_changes_nothing(make, at, django_capture_on_commit_callbacks, caplog):
    def bad(signal, **payload):
        raise RuntimeError("a receiver's own fault")

    signals.task_added.connect(bad)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            task = make()
    finally:
        signals.task_added.disconnect(bad)
    assert task.pk
    assert "a receiver's own fault" in caplog.text


def test_a_scheduler_in_this_process_hears_of_every_change(heard, make, at):
    heard(make)
    assert "schedule_changed" in names(heard.told)
    heard(operations.run_task, heard.told[-1][1]["task"].pk, now=at(1))
    assert "schedule_changed" in names(heard.told)
