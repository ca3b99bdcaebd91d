"""Rows are told as REST framework's own fields would tell them."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.serializers import ModelSerializer

from django_sched_tasks import operations
from django_sched_tasks.api.serializers import ExecutionSerializer, NodeSerializer, TaskSerializer
from django_sched_tasks.models import SchedulerNode, TaskExecution


@pytest.fixture
def task(add):
    return add(args=[], kwargs={}, retry_backoff=2, timeout=5, description="每日", concurrency_key="k")


@pytest.fixture
def execution(task):
    made = operations.run_task(task.pk)
    TaskExecution.objects.filter(pk=made.pk).update(
        started_at=timezone.now(), duration=1.5, result={"rows": [1, None]}, error="\x07", status="failed"
    )
    made.refresh_from_db()
    return made


@pytest.fixture
def scheduler(db):
    now = timezone.now()
    return SchedulerNode.objects.create(host="web-1", pid=1, started_at=now, heartbeat_at=now - timedelta(hours=1))


@pytest.mark.parametrize(
    ("serializer", "name"),
    [(TaskSerializer, "task"), (ExecutionSerializer, "execution"), (NodeSerializer, "scheduler")],
)
def test_a_row_is_told_as_the_fields_of_rest_framework_tell_it(request, serializer, name):
    row = request.getfixturevalue(name)
    row.refresh_from_db()
    assert serializer(row).data == ModelSerializer.to_representation(serializer(), row)


def test_a_trigger_is_described_in_the_language_of_the_reader_and_in_the_sites_zone(client, task, settings):
    def described(**headers):
        return client.http.get(f"/api/scheduler/tasks/{task.pk}/", headers=headers).json()["trigger_description"]

    operations.update_task(task.pk, {"trigger": "cron", "trigger_args": {"hour": 2}})
    in_utc, in_chinese = described(), described(**{"Accept-Language": "zh-hans"})
    settings.TIME_ZONE = "Asia/Shanghai"
    assert "UTC" in in_utc
    assert in_chinese != in_utc
    assert "Asia/Shanghai" in described()


def test_a_row_of_a_list_is_the_row_alone(client, task, execution):
    for path, row in (("tasks/", task), ("executions/", execution)):
        [listed] = client.get(path).json()["results"]
        assert listed == client.get(f"{path}{row.pk}/").json()


def test_a_declared_task_shows_its_drift_in_a_list(client, task):
    type(task).objects.filter(pk=task.pk).update(declared={"name": "Other"})
    [listed] = client.get("tasks/").json()["results"]
    assert listed["drift"] == client.get(f"tasks/{task.pk}/").json()["drift"] is not None


def test_a_page_costs_the_same_statements_however_many_rows_it_has(client, add, django_assert_num_queries):
    for _ in range(30):
        add()
    with django_assert_num_queries(2):
        assert len(client.get("tasks/").json()["results"]) == 30
