"""The five routes of the specification, to the letter."""

import pytest

SPECIFICATION = """
{
  "name": "每日数据同步",
  "func": "scheduler.module.sync_tasks:sync_project_data",
  "trigger": "cron",
  "trigger_args": {
    "hour": "2",
    "minute": "0"
  }
}
"""


@pytest.fixture
def added(client):
    answer = client.raw("task/add", SPECIFICATION.encode())
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_the_example_is_created_as_it_stands(added):
    assert added["name"] == "每日数据同步"
    assert added["func"] == "scheduler.module.sync_tasks:sync_project_data"
    assert (added["trigger"], added["trigger_args"]) == ("cron", {"hour": "2", "minute": "0"})
    assert (added["status"], added["status_display"]) == (1, "Active")
    assert added["next_run"].endswith("T02:00:00Z")
    assert added["last_run"] is None


def test_it_is_listed(client, added):
    page = client.get("task/list").json()
    assert set(page) == {"count", "next", "previous", "results"}
    assert page["results"] == [added]


def test_it_is_paused_and_resumed(client, added):
    paused = client.post(f"task/pause/{added['id']}")
    assert (paused.status_code, paused.json()["status"], paused.json()["next_run"]) == (200, 0, None)
    resumed = client.post(f"task/resume/{added['id']}")
    assert (resumed.status_code, resumed.json()["status"]) == (200, 1)
    assert resumed.json()["next_run"] == added["next_run"]


def test_it_is_run_at_once_and_its_log_read_back(client, added):
    run = client.post(f"task/run/{added['id']}")
    assert run.status_code == 202
    assert (run.json()["kind"], run.json()["status"], run.json()["task"]) == ("manual", "queued", added["id"])
    log = client.get("executions/", task=added["id"]).json()
    assert [row["id"] for row in log["results"]] == [run.json()["id"]]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_slash_at_the_end_makes_no_difference(client, task, settings, slash, method):
    settings.APPEND_SLASH = False
    paths = {
        "get": [
            *("task/list", "tasks", f"tasks/{task.pk}", f"tasks/{task.pk}/next-runs", f"tasks/{task.pk}/executions"),
            *("executions", "functions", "nodes", "stats"),
        ],
        "post": [
            *(f"task/pause/{task.pk}", f"task/resume/{task.pk}", f"task/run/{task.pk}"),
            *(f"tasks/{task.pk}/pause", f"tasks/{task.pk}/resume", f"tasks/{task.pk}/run"),
        ],
    }[method]
    for path in paths:
        assert getattr(client, method)(path + slash).status_code in (200, 202), path


def test_the_methods_are_those_of_the_specification(client, task):
    assert client.post("task/list").status_code == 405
    assert client.get("task/add").status_code == 405
    assert client.get(f"task/pause/{task.pk}").status_code == 405
