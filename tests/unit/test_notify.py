"""PostgreSQL tells of what a node may have to act on, whoever wrote it, and of nothing else."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from django_sched_tasks import database, operations
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution

NOW = datetime(2026, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL notifies")


@pytest.fixture
def heard(transactional_db):
    """The payloads of what has been notified since the last question."""
    psycopg = pytest.importorskip("psycopg")
    params = connection.get_connection_params()
    keys = ("dbname", "host", "port", "user", "password")
    listener = psycopg.connect(autocommit=True, **{key: params[key] for key in keys if params.get(key)})
    listener.execute("LISTEN sys_scheduler")
    yield lambda: {notification.payload for notification in listener.notifies(timeout=0.3)}
    listener.close()


@pytest.fixture
def task(heard, make):
    task = make()
    assert heard() == {"task"}
    return task


@pytest.mark.parametrize(
    "change",
    [
        lambda task: operations.update_task(task.pk, {"trigger_args": {"minutes": 2}}, now=NOW),
        lambda task: operations.pause_task(task.pk, now=NOW),
        lambda task: SchedulerTask.objects.filter(pk=task.pk).update(trigger_args={"minutes": 2}),
        lambda task: SchedulerTask.objects.filter(pk=task.pk).update(status=0),
        lambda task: connection.cursor().execute("UPDATE sys_scheduler_task SET timezone = 'Asia/Shanghai'"),
        lambda task: SchedulerTask(name="t", func="f", trigger="interval", trigger_args={"hours": 1}).save(),
    ],
)
def test_a_change_of_the_when_is_told(task, heard, change):
    change(task)
    assert heard() == {"task"}


def test_a_change_of_something_else_is_not(task, heard):
    operations.update_task(task.pk, {"name": "another", "max_retries": 3}, now=NOW)
    SchedulerTask.objects.update(description="another")
    assert heard() == set()


def test_what_may_be_claimed_is_told(task, heard, at):
    operations.run_task(task.pk, now=at(1))
    assert heard() == {"execution"}


def test_what_waits_is_told_when_it_is_let_in(task, heard, node, at):
    first, second = operations.run_task(task.pk, now=at(1)), operations.run_task(task.pk, now=at(1))
    heard()
    operations.cancel_execution(first.pk, now=at(2))
    assert heard() == {"execution"}
    assert TaskExecution.objects.claimable().get() == second


def test_planning_is_told_and_running_is_not(task, heard, node, at):
    node.now = at(60)
    node.plan()
    assert heard() == {"execution"}
    node.finish(node.start(node.claim()))
    assert heard() == set()


def test_a_request_to_cancel_is_told_once(task, heard, node, at):
    node.now = at(60)
    node.plan()
    node.start(node.claim())
    heard()
    for _ in range(2):
        TaskExecution.objects.update(cancel_requested_at=database.now())
    assert heard() == {"cancel"}


def test_a_sign_of_life_is_told(heard, node, at):
    heard()
    assert node.node.beat(at(1))
    assert heard() == {f"node {SchedulerNode.objects.get().pk}"}


def test_a_rolled_back_change_is_not_told(task, heard):
    connection.set_autocommit(False)
    SchedulerTask.objects.update(status=0)
    connection.rollback()
    connection.set_autocommit(True)
    assert heard() == set()
