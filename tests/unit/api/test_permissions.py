"""Who may do what."""

import pytest
from django.urls import get_resolver
from rest_framework.authentication import BasicAuthentication
from rest_framework.permissions import BasePermission

from django_sched_tasks.api.base import SchedulerViewSet

from .conftest import Client

GETS = {
    "view_schedulertask": [
        "task/list",
        "tasks/",
        "tasks/{task}",
        "tasks/{task}/next-runs",
        "functions/",
        "executors/",
        "stats/",
        *("maintenance/", "exclusions/", "environment/"),
    ],
    "view_taskexecution": ["executions/", "executions/{execution}", "tasks/{task}/executions"],
    "view_schedulernode": ["nodes/", "health"],
}
POSTS = {
    "view_schedulertask": ["triggers/preview"],
    "add_schedulertask": ["task/add", "tasks/"],
    "pause_schedulertask": [
        *("task/pause/{task}", "tasks/{task}/pause"),
        *("task/resume/{task}", "tasks/{task}/resume"),
        "environment/confirm/",
    ],
    "run_schedulertask": [
        *("task/run/{task}", "tasks/{task}/run", "tasks/{task}/backfill"),
        *("executions/{execution}/cancel", "executions/{execution}/retry"),
    ],
}
OTHERS = {
    "change_schedulertask": [("put", "tasks/{task}"), ("patch", "tasks/{task}")],
    "delete_schedulertask": [("delete", "tasks/{task}")],
    "pause_schedulertask": [("put", "maintenance/"), ("delete", "maintenance/"), ("put", "exclusions/")],
}
TABLE = [
    *((codename, "get", path) for codename, paths in GETS.items() for path in paths),
    *((codename, "post", path) for codename, paths in POSTS.items() for path in paths),
    *((codename, method, path) for codename, pairs in OTHERS.items() for method, path in pairs),
]
EVERY = {codename for codename, _method, _path in TABLE}


@pytest.fixture
def call(task, client):
    """A request whose body is never the reason for an answer; answers the status."""
    execution = client.post(f"tasks/{task.pk}/run").json()["id"]

    def send(by: Client, method: str, path: str) -> int:
        """503 is how the health of a site without a scheduler is told."""
        address = "/api/scheduler/" + path.format(task=task.pk, execution=execution)
        return getattr(by.http, method)(address, format="json").status_code

    return send


@pytest.mark.parametrize("entry", TABLE, ids=" ".join)
def test_the_one_permission_opens_and_all_others_do_not(call, worker, entry):
    codename, *request = entry
    assert call(worker(*EVERY - {codename}), *request) == 403
    assert call(worker(codename), *request) in (200, 201, 202, 204, 400, 409, 503)


@pytest.mark.parametrize("entry", TABLE, ids=" ".join)
def test_others_are_refused(call, worker, visitor, entry):
    _codename, *request = entry
    assert call(worker(*EVERY, is_staff=False), *request) == 403
    assert call(Client(visitor), *request) == 403
    assert call(Client(), *request) in (401, 403)


def test_nobody_gets_401_where_the_host_asks_for_a_password(call, monkeypatch):
    monkeypatch.setattr(SchedulerViewSet, "authentication_classes", [BasicAuthentication])
    assert {call(Client(), method, path) for _codename, method, path in TABLE} == {401}


def test_a_body_is_not_even_read_for_others(visitor, db):
    assert Client(visitor).raw("task/add", b"{").status_code == 403


def test_options_need_the_permission_to_view(call, worker):
    assert call(worker("view_schedulertask"), "options", "tasks/{task}") == 200
    assert call(Client(), "options", "tasks/{task}") in (401, 403)


def test_the_site_may_put_its_own_rules(call, visitor, settings):
    settings.SCHED_TASKS = {"API_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"]}
    assert call(Client(visitor), "get", "tasks/") == 200
    assert call(Client(), "get", "tasks/") in (401, 403)


@pytest.mark.parametrize("name", ["DjangoModelPermissions", "DjangoObjectPermissions", "IsAdminUser"])
def test_drfs_own_rules_can_be_put(call, client, settings, name):
    settings.SCHED_TASKS = {"API_PERMISSION_CLASSES": [f"rest_framework.permissions.{name}"]}
    for _codename, method, path in TABLE:
        assert call(client, method, path) in (200, 201, 202, 204, 400, 404, 409, 503), path


class NoTaskAtAll(BasePermission):
    def has_object_permission(self, request, view, obj):
        return False


def test_rules_for_single_tasks_hold_for_its_verbs_too(call, client, settings):
    settings.SCHED_TASKS = {"API_PERMISSION_CLASSES": [f"{__name__}.NoTaskAtAll"]}
    below = [request for _codename, *request in TABLE if "{" in request[1] and not request[1].endswith("executions")]
    assert {call(client, *request) for request in below} == {403}


def test_every_address_stands_in_the_table(db):
    named = {path.strip("/").replace("{task}", "1").replace("{execution}", "1") for _c, _m, path in TABLE}
    root = next(p for p in get_resolver().url_patterns if getattr(p, "app_name", "") == "sched_tasks")
    for pattern in root.url_patterns:
        if pattern.name != "node-detail":
            assert any(pattern.pattern.match(path) for path in named), pattern
