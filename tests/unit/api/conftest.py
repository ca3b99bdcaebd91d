"""Requests as people make them: an address below the mount point, and JSON."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from django_sched_tasks import operations

ROOT = "/api/scheduler/"
FUNC = "tests.zoo.tasks:ok"


class Client:
    """A logged-in client that speaks JSON and knows where the API is."""

    def __init__(self, user=None) -> None:
        self.http = APIClient()
        self.http.force_authenticate(user)

    def get(self, path, /, **query):
        return self.http.get(ROOT + path, query)

    def post(self, path, body=None, /, **headers):
        return self.send("POST", path, body, **headers)

    def put(self, path, body, /):
        return self.send("PUT", path, body)

    def patch(self, path, body, /):
        return self.send("PATCH", path, body)

    def send(self, method, path, body, /, **headers):
        data = b"" if body is None else json.dumps(body).encode()  # DRF's own encoder refuses lone surrogates
        return self.http.generic(method, ROOT + path, data, content_type="application/json", headers=headers)

    def delete(self, path, /):
        return self.http.delete(ROOT + path)

    def raw(self, path, body: bytes, /, content_type="application/json"):
        return self.http.generic("POST", ROOT + path, body, content_type=content_type)


@pytest.fixture
def client(staff) -> Client:
    return Client(staff)


@pytest.fixture
def worker(django_user_model):
    """A client for a staff user who holds the permissions named, and no others."""

    def make(*codenames: str, is_staff: bool = True) -> Client:
        user = django_user_model.objects.create_user(username=uuid.uuid4().hex, is_staff=is_staff)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return Client(user)

    return make


@pytest.fixture
def definition():
    """What makes a task, with changes."""

    def make(**changes):
        return {"name": "Nightly", "func": FUNC, "trigger": "interval", "trigger_args": {"hours": 1}, **changes}

    return make


@pytest.fixture
def add(db, definition):
    """A task, made by the operation."""

    def make(**changes):
        return operations.add_task(**definition(**changes))

    return make


@pytest.fixture
def task(add):
    return add()


@pytest.fixture
def instant():
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
