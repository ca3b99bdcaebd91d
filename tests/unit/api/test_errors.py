"""Errors as answers, and what a browser sees."""

import pytest
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, InterfaceError, OperationalError
from rest_framework.test import APIClient

from django_sched_tasks.api.errors import as_api_exception
from django_sched_tasks.api.media import JSONRenderer
from django_sched_tasks.exceptions import InvalidDefinition, StateConflict
from django_sched_tasks.models import SchedulerTask


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidDefinition({"name": "No."}), 400),
        (StateConflict("No."), 409),
        (SchedulerTask.DoesNotExist("No."), 404),
        (RequestDataTooBig("No."), 413),
        (OperationalError("No."), 503),
        (InterfaceError("No."), 503),
    ],
)
def test_each_error_has_its_status(error, status):
    assert as_api_exception(error).status_code == status


@pytest.mark.parametrize("error", [ValueError("a bug"), DatabaseError("a bug")])
def test_a_bug_stays_one(error):
    assert as_api_exception(error) is error


def test_names_of_fields_are_shortened_and_printable():
    error = as_api_exception(InvalidDefinition({"\ud800" + "x" * 1000: "No."}))
    (name,) = error.detail
    assert len(name) <= 100
    assert name.startswith("\ufffd")


def test_what_an_error_quotes_is_shortened(client, definition):
    answer = client.post("task/add", definition(overlap="x" * 1_000_000, timeout="9" * 1_000_000))
    assert set(answer.json()) == {"overlap", "timeout"}
    assert len(answer.content) < 3000


def test_many_unknown_names_are_not_all_told(client):
    answer = client.post("triggers/preview", {f"name{number}": 1 for number in range(1000)})
    assert answer.status_code == 400
    assert len(answer.json()) <= 20


def test_an_outage_is_a_503_that_says_when_to_come_back(client, task, monkeypatch):
    def gone(self):
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("django_sched_tasks.api.views.TaskViewSet.get_queryset", gone)
    answer = client.get("tasks/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "server closed" not in answer.content.decode()


def test_a_text_that_utf_8_cannot_hold_is_escaped():
    assert JSONRenderer().render({"a": "\ud800"}) == b'{"a":"\\ud800"}'
    assert JSONRenderer().render({"a": "每"}) == '{"a":"每"}'.encode()


PAGES = [
    *("task/list", "tasks/", "tasks/{task}", "tasks/{task}/next-runs", "tasks/{task}/executions"),
    *("tasks/{task}/pause", "tasks/{task}/run", "tasks/99", "tasks/?ordering=x"),
    *("executions/", "executions/{execution}", "executions/{execution}/cancel"),
    *("functions/", "executors/", "nodes/", "stats/", "triggers/preview"),
    *("maintenance/", "exclusions/", "environment/", "environment/confirm/"),
]


@pytest.mark.parametrize("page", PAGES)
def test_a_browser_gets_a_page(client, staff, task, page):
    execution = client.post(f"tasks/{task.pk}/run").json()["id"]
    client.http.force_authenticate(None)
    client.http.force_login(staff)
    path = "/api/scheduler/" + page.format(task=task.pk, execution=execution)
    answer = client.http.get(path, headers={"Accept": "text/html"})
    assert answer.status_code in (200, 400, 404, 405)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert client.http.options(path).status_code in (200, 404)


@pytest.mark.parametrize(("address", "fields"), [("maintenance", {"until", "note"}), ("exclusions", {"exclusions"})])
def test_what_is_there_once_tells_what_may_be_put(client, db, address, fields):
    answer = client.http.options(f"/api/scheduler/{address}/")
    assert (answer.status_code, set(answer.json()["actions"]["PUT"])) == (200, fields)


def test_json_is_the_default(client, task):
    answer = client.http.get("/api/scheduler/tasks/", headers={"Accept": "*/*"})
    assert answer.headers["Content-Type"] == "application/json"


def test_a_session_needs_its_csrf_token(staff, task):
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(staff)
    assert browser.post(f"/api/scheduler/task/pause/{task.pk}").status_code == 403
