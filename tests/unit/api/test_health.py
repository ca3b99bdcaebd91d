"""``health/``: who may read it, and what it answers."""

import pytest
from django.db import OperationalError

from django_sched_tasks import operations

TOKEN = "a-secret-of-a-monitor"


@pytest.fixture
def with_token(settings):
    settings.SCHED_TASKS = {"HEALTH_TOKEN": TOKEN}


@pytest.fixture
def ask(client):
    """Ask as somebody who sends this header and is not logged in."""
    client.http.force_authenticate(None)
    return lambda given: client.http.get("/api/scheduler/health/", headers={"Authorization": given})


@pytest.fixture
def found(monkeypatch):
    """Decide what the operation finds."""

    def found(*problems):
        monkeypatch.setattr("django_sched_tasks.operations.health", lambda: operations.Health(list(problems), nodes=1))

    return found


def test_well_is_200_and_ill_is_503(client, found):
    found()
    answer = client.get("health/")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer["Cache-Control"] == "no-store"
    found("It hurts.")
    answer = client.get("health")
    assert (answer.status_code, answer.json()["status"], answer.json()["problems"]) == (503, "failing", ["It hurts."])


def test_it_says_what_it_has_found(client, db):
    assert set(client.get("health/").json()) == {"status", "problems", "warnings", "nodes", "oldest_waiting"}


def test_the_token_needs_neither_account_nor_database(ask, with_token, found):
    found()
    answer = ask(f"Bearer {TOKEN}")
    assert answer.status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN} x", "Bearer ÿé"])
def test_another_token_is_none(ask, with_token, found, given):
    found()
    answer = ask(given)
    assert answer.status_code in (401, 403)


@pytest.mark.django_db
def test_without_a_token_in_the_settings_none_is_right(ask, found):
    found()
    answer = ask("Bearer None")
    assert answer.status_code in (401, 403)


def test_a_login_that_needs_the_database_is_told_that_it_is_away(client, monkeypatch):
    def away(*args):
        raise OperationalError("connection refused")

    monkeypatch.setattr("django_sched_tasks.api.base.SchedulerViewSet.get_permissions", away)
    answer = client.get("health/")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["connection refused"])


@pytest.mark.parametrize("token", ["short", 5, ""])
def test_a_token_that_can_be_guessed_is_refused_and_not_shown(settings, token):
    from django_sched_tasks import conf

    settings.SCHED_TASKS = {"HEALTH_TOKEN": token}
    ((name, sentence, hint),) = conf.problems()
    assert (name, "16 characters" in hint) == ("HEALTH_TOKEN", True)
    assert repr(token) not in sentence
    assert conf.health_token() is None
