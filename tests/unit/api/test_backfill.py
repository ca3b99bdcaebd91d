"""``tasks/{id}/backfill/``."""

from datetime import UTC, datetime

import pytest

from django_sched_tasks.models import TaskExecution

RANGE = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T05:00:00Z"}


@pytest.fixture
def hourly(add):
    task = add(max_instances=None)
    type(task).objects.update(anchor=datetime(2026, 1, 1, tzinfo=UTC))
    return task


def test_it_queues_and_tells_what(client, hourly):
    answer = client.post(f"tasks/{hourly.pk}/backfill/", RANGE)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["count"], body["left_out"], body["dry_run"]) == (6, 0, False)
    assert body["fire_times"][0] == "2026-01-01T00:00:00Z"
    assert TaskExecution.objects.filter(kind="backfill", request=body["request"]).count() == 6


def test_a_dry_run(client, hourly, staff):
    answer = client.post(f"tasks/{hourly.pk}/backfill", {**RANGE, "dry_run": True})
    assert (answer.status_code, answer.json()["count"]) == (200, 6)
    assert not TaskExecution.objects.exists()


def test_a_key_that_is_repeated(client, hourly):
    for _ in range(2):
        answer = client.post(f"tasks/{hourly.pk}/backfill/", RANGE, **{"Idempotency-Key": "once"})
        assert answer.json()["request"] == "once"
    assert TaskExecution.objects.count() == 6


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start": None}, "start"),
        ({"end": "tomorrow"}, "end"),
        ({"end": "2999-01-01T00:00:00Z"}, "end"),
        ({"limit": 5}, "limit"),
        ({"limit": "5"}, "limit"),
        ({"limit": True}, "limit"),
        ({"reprocess": ["none"]}, "reprocess"),
        ({"reprocess": "some"}, "reprocess"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"dryrun": True}, "dryrun"),
    ],
)
def test_refusals(client, hourly, changes, field):
    answer = client.post(f"tasks/{hourly.pk}/backfill/", {**RANGE, **changes})
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not TaskExecution.objects.exists()


def test_it_needs_the_permission_to_run(worker, hourly):
    may_not = worker("view_schedulertask", "change_schedulertask")
    assert may_not.post(f"tasks/{hourly.pk}/backfill/", RANGE).status_code == 403
    may = worker("run_schedulertask")
    assert may.post(f"tasks/{hourly.pk}/backfill/", RANGE).status_code == 202
