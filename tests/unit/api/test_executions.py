"""Executions as a resource."""

from datetime import timedelta

import pytest
from django.utils import timezone

from django_sched_tasks import operations
from django_sched_tasks.models import SchedulerNode, TaskExecution

CONTRACT = {
    *("id", "task", "job_id", "task_name", "func", "kind", "fire_at", "run_at", "attempt", "status", "reason"),
    *("covers", "args", "kwargs", "queued_at", "started_at", "finished_at", "duration", "node", "result", "error"),
    *("traceback", "output", "progress", "requested_by"),
}


@pytest.fixture
def execution(client, task):
    return client.post(f"tasks/{task.pk}/run").json()


def test_an_execution_has_the_names_of_the_contract(client, execution):
    assert execution.keys() >= CONTRACT
    assert client.get(f"executions/{execution['id']}").json() == execution


def test_an_ended_execution_tells_all(client, execution, instant):
    node = SchedulerNode.objects.create(host="a", pid=1, started_by="test", started_at=instant, heartbeat_at=instant)
    TaskExecution.objects.filter(pk=execution["id"]).update(
        status="failed",
        reason="late",
        started_at=instant,
        finished_at=instant + timedelta(seconds=1.5),
        duration=1.5,
        node=node,
        result={"rows": [1, None]},
        error="RuntimeError: no",
        traceback="Traceback",
        output="hello",
        progress={"done": 1},
    )
    told = client.get(f"executions/{execution['id']}").json()
    assert told["started_at"] == "2026-01-02T03:04:05Z"
    assert told["finished_at"] == "2026-01-02T03:04:06.500000Z"
    assert (told["duration"], told["node"], told["result"]) == (1.5, str(node.pk), {"rows": [1, None]})
    assert (told["error"], told["traceback"], told["output"]) == ("RuntimeError: no", "Traceback", "hello")
    assert (told["progress"], told["status_display"]) == ({"done": 1}, "Failed")
    assert told["reason_display"]


def test_the_row_of_a_node_may_be_gone(client, execution):
    TaskExecution.objects.update(node_id="12345678123456781234567812345678")
    assert client.get("executions/").json()["results"][0]["node"] == "12345678-1234-5678-1234-567812345678"


def test_executions_are_read_only(client, execution):
    path = f"executions/{execution['id']}"
    answers = [client.post("executions/", {}), client.put(path, {}), client.patch(path, {}), client.delete(path)]
    assert {answer.status_code for answer in answers} == {405}


def test_a_queued_execution_can_be_cancelled_once(client, execution):
    cancelled = client.post(f"executions/{execution['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["reason"] == "requested"
    again = client.post(f"executions/{execution['id']}/cancel")
    assert again.status_code == 409
    assert "cancelled" in again.json()["detail"].lower()


def test_an_ended_execution_can_be_tried_again(client, execution):
    assert client.post(f"executions/{execution['id']}/retry").status_code == 409
    TaskExecution.objects.update(status="failed", finished_at=timezone.now(), claim_rank=None)
    again = client.post(f"executions/{execution['id']}/retry")
    assert again.status_code == 202
    assert (again.json()["attempt"], again.json()["status"]) == (2, "queued")
    assert again.json()["fire_at"] == execution["fire_at"]


def test_an_execution_of_a_deleted_task_cannot_be_tried_again(client, execution, task):
    client.delete(f"tasks/{task.pk}")
    assert client.post(f"executions/{execution['id']}/retry").status_code == 409


def test_a_task_lists_its_own_executions(client, execution, add):
    other = add()
    client.post(f"tasks/{other.pk}/run")
    listed = client.get(f"tasks/{execution['task']}/executions").json()
    assert [row["id"] for row in listed["results"]] == [execution["id"]]
    assert client.get(f"tasks/{execution['task']}/executions", status="failed").json()["count"] == 0


def test_a_running_execution_is_asked_to_end(client, execution):
    TaskExecution.objects.update(status="running", claim_rank=None, started_at=timezone.now())
    for _ in range(2):
        asked = client.post(f"executions/{execution['id']}/cancel")
        assert (asked.status_code, asked.json()["status"]) == (200, "running")
        assert asked.json()["cancel_requested_at"]
        assert asked.json()["cancel_requested_by"] == "staff"


def test_a_retry_may_bring_other_arguments(client, definition):
    task = client.post("tasks/", definition(func="tests.zoo.tasks:add", args=["one"])).json()
    execution = client.post(f"tasks/{task['id']}/run").json()
    TaskExecution.objects.update(status="failed", finished_at=timezone.now(), claim_rank=None)
    path = f"executions/{execution['id']}/retry"
    refused = client.post(path, {"kwargs": {"c": 1}})
    assert (refused.status_code, list(refused.json())) == (400, ["kwargs"])
    assert client.post(path, {"args": None}).status_code == 400
    assert client.post(path, {"arg": []}).status_code == 400
    again = client.post(path, {"args": [1], "kwargs": {"b": 2}})
    assert again.status_code == 202
    assert (again.json()["attempt"], again.json()["args"], again.json()["kwargs"]) == (2, [1], {"b": 2})


def test_secrets_among_the_arguments_are_not_shown(client, definition):
    given = definition(func="tests.zoo.tasks:leaks_password", args=["hunter22"], kwargs={"token": "t"})
    task = client.post("tasks/", given).json()
    hidden = (["*****"], {"token": "*****"})
    assert (task["args"], task["kwargs"]) == hidden
    execution = client.post(f"tasks/{task['id']}/run").json()
    assert (execution["args"], execution["kwargs"]) == hidden
    assert b"hunter22" not in client.get("tasks/").content + client.get("executions/").content
    assert TaskExecution.objects.get().args == ["hunter22"]
    answer = client.put(f"tasks/{task['id']}", {**task, "name": "Other"})  # what was read can be sent back
    assert (answer.status_code, answer.json()["name"]) == (200, "Other")
    assert operations.run_task(task["id"]).args == ["hunter22"]
    assert client.post("tasks/", {**given, "args": ["*****"]}).status_code == 400
