"""With a million executions in the database, nothing that a node or a page does reads them all."""

import json
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from benchmarks.site.history import CLAIMED, TASKS, fill, prune_a_batch
from django_sched_tasks import database, operations, planning
from django_sched_tasks.engine import recovery
from django_sched_tasks.engine.wakeup import peek
from django_sched_tasks.models import SchedulerTask, TaskExecution
from django_sched_tasks.testing import ManualScheduler

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL, which tells its plans"),
]

EXECUTIONS = 1_000_000
EXPLAINED = ("SELECT", "UPDATE", "DELETE", "WITH")


@pytest.fixture(scope="module")
def history(django_db_setup, django_db_blocker):
    """The executions of a hundred tasks, for all tests of the module."""
    with django_db_blocker.unblock():
        User.objects.create_superuser("root")
        now = database.now()
        for number in range(TASKS):
            operations.add_task(
                name=f"Task {number}", func="tests.zoo.tasks:ok", trigger="interval", trigger_args={"days": 1}, now=now
            )
        fill(EXECUTIONS, now)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        yield now
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE sys_scheduler_task, auth_user CASCADE")


@pytest.fixture
def reads_all(history, db):
    """What the block has had read from end to end: a list of statements."""

    @contextmanager
    def watch():
        found = []

        def explain(execute, sql, params, many, context):
            if sql.lstrip().upper().startswith(EXPLAINED):
                with connection.connection.cursor() as cursor:
                    cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                    (plan,) = cursor.fetchone()
                if reads_history(plan if isinstance(plan, list) else json.loads(plan)):
                    found.append(sql)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(explain):
            yield found

    return watch


def reads_history(plan):
    if isinstance(plan, list):
        return any(reads_history(part) for part in plan)
    if not isinstance(plan, dict):
        return False
    is_scan = plan.get("Node Type") == "Seq Scan" and plan.get("Relation Name") == TaskExecution._meta.db_table
    return is_scan or any(reads_history(part) for part in plan.values())


def test_a_scan_is_seen(reads_all):
    with reads_all() as statements:
        TaskExecution.objects.filter(error="x").exists()
    assert len(statements) == 1


def test_a_node(reads_all, history):
    for task in SchedulerTask.objects.all()[:CLAIMED]:
        operations.run_task(task.pk)
    node = ManualScheduler(now=history + timedelta(days=2))
    with reads_all() as statements:
        peek("default")
        planning.plan(node.now, using="default")
        claims = node.claim()
        node.start(claims)
        recovery.recover(node.node, node.now)
        recovery.sweep(node.node, node.now)
    assert len(claims) >= CLAIMED
    assert statements == []


@pytest.mark.parametrize(
    "address",
    [
        "/api/scheduler/executions/",
        "/api/scheduler/executions/?page=200",
        "/api/scheduler/tasks/",
        "/api/scheduler/tasks/{task}/",
        "/api/scheduler/tasks/{task}/executions/",
        "/api/scheduler/health/",
        "/admin/django_sched_tasks/taskexecution/",
        "/admin/django_sched_tasks/schedulertask/",
        "/admin/django_sched_tasks/schedulertask/{task}/change/",
    ],
)
def test_a_page(reads_all, address):
    site = Client()
    site.force_login(User.objects.get())
    with reads_all() as statements:
        answer = site.get(address.format(task=SchedulerTask.objects.order_by("pk")[TASKS // 2].pk))
    assert answer.status_code == (503 if "health" in address else 200)  # no node is alive
    assert statements == []


def test_a_purge(reads_all, history):
    with reads_all() as statements:
        assert prune_a_batch(1, count=1_000, now=history) == 500
    assert statements == []
