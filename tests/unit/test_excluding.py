"""Exclusions in the database: skipped rows that add up, for tasks and for the whole site, and where they are told."""

from datetime import timedelta

import pytest

from django_sched_tasks import operations, planning
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import SchedulerState, SchedulerTask, TaskExecution

NOON = [{"from": "2026-01-01 00:02", "until": "2026-01-01 00:05", "note": "Stocktaking"}]


@pytest.fixture(autouse=True)
def in_utc(settings):
    settings.TIME_ZONE = "UTC"


def test_excluded_fire_times_share_a_row_over_many_passes(make, node, at, rows, stored):
    task = make(exclusions=NOON)
    node.run_until(at(330))

    assert rows() == [("succeeded", "", 1), ("skipped", "excluded", 3), ("succeeded", "", 1)]
    assert rows("fire_at") == [at(60), at(120), at(300)]
    done = stored(task)
    assert (done.fire_count, done.skipped_count, done.planned_runs, done.run_count) == (5, 3, 2, 2)


def test_what_is_excluded_for_the_site_holds_for_every_task(make, node, at, rows):
    make()
    operations.set_exclusions(NOON, user="ada")
    node.run_until(at(330))

    assert rows("status", "covers") == [("succeeded", 1), ("skipped", 3), ("succeeded", 1)]


def test_what_other_hands_broke_for_the_site_keeps_no_task_from_running(make, node, at, rows):
    make()
    SchedulerState.objects.create(exclusions=[{"date": 5}])
    node.run_until(at(61))

    assert rows("status") == ["succeeded"]


def test_a_task_whose_exclusions_were_broken_goes_on_once_they_are_mended(make, node, at, stored):
    task = make()
    SchedulerTask.objects.filter(pk=task.pk).update(exclusions=["x"])
    node.run_until(at(61))
    assert "exclusions" in stored(task).schedule_error
    operations.update_task(task.pk, {"exclusions": NOON}, now=at(70))

    assert (stored(task).schedule_error, stored(task).next_run) == ("", at(120))


def test_jitter_and_retries_into_a_window_still_run(make, node, at, rows):
    make("raises", max_retries=1, retry_delay=90, exclusions=NOON)
    node.run_until(at(180))

    assert rows("status", "attempt", "fire_at") == [
        ("failed", 1, at(60)),
        ("failed", 2, at(60)),
        ("skipped", 1, at(120)),
    ]
    assert TaskExecution.objects.get(attempt=2).started_at == at(150)


def test_run_now_is_not_excluded(make, node, at, rows):
    task = make(exclusions=[{"weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}])
    operations.run_task(task.pk, now=at(1))
    node.run_until(at(300))

    assert rows("kind", "status", "covers") == [("manual", "succeeded", 1), ("schedule", "skipped", 5)]


def test_a_task_that_follows_another_is_skipped_then(make, node, at, rows):
    first = make()
    follower = make(trigger="after", trigger_args={"job_id": first.job_id}, exclusions=NOON)
    node.run_until(at(310))

    assert rows("status", "reason", task=follower) == [
        ("succeeded", ""),
        *[("skipped", "excluded")] * 3,
        ("succeeded", ""),
    ]


def test_all_is_accounted_for_after_an_outage(make, node, at, rows):
    make(exclusions=NOON, coalesce=False, misfire_grace_time=None, max_instances=None)
    node.advance(600)
    node.tick()

    assert sum(rows("covers")) == 10
    assert rows("status").count("succeeded") == 7


@pytest.mark.parametrize("value", [[{"date": "x"}], {}, "x", [5]])
def test_what_cannot_be_read_is_refused(make, value):
    with pytest.raises(InvalidDefinition) as caught:
        make(exclusions=value)
    assert list(caught.value.errors) == ["exclusions"]
    with pytest.raises(InvalidDefinition) as caught:
        operations.set_exclusions(value)
    assert list(caught.value.errors) == ["exclusions"]


def test_the_api_tells_which_fire_times_are_excluded(make, staff_api):
    task = make(exclusions=[{"from": "2026-01-01", "until": "2099-01-01", "note": "Closed"}])
    answer = staff_api.get(f"/api/scheduler/tasks/{task.pk}/next-runs/?count=2").json()

    assert answer["excluded"] == [{"fire_time": time, "note": "Closed"} for time in answer["fire_times"]]


def test_a_preview_takes_exclusions(staff_api, db):
    given = {"trigger": "cron", "trigger_args": {"hour": 2}, "after": "2026-01-01T00:00:00Z", "count": 3}
    answer = staff_api.post(
        "/api/scheduler/triggers/preview/", {**given, "exclusions": [{"date": "2026-01-02"}]}, format="json"
    )
    assert answer.json()["excluded"] == [{"fire_time": "2026-01-02T02:00:00Z", "note": ""}]
    for wrong in [[{"day": 1}], None, False, "", {}]:
        answer = staff_api.post("/api/scheduler/triggers/preview/", {**given, "exclusions": wrong}, format="json")
        assert (answer.status_code, list(answer.json())) == (400, ["exclusions"])


def test_a_pass_reads_the_list_of_the_site_once(make, at, django_assert_max_num_queries):
    for number in range(20):
        make(name=f"T{number}", exclusions=NOON)
    with django_assert_max_num_queries(16):
        planning.plan(at(60), using="default")


def test_excluded_seconds_of_a_year_leave_a_task_bounded(make, node, at, rows):
    make(trigger_args={"seconds": 1}, exclusions=[{"from": "2026-01-01", "until": "2026-12-31"}])
    node.now = at(0) + timedelta(days=300)
    node.tick()

    assert rows() == [("skipped", "excluded", 300 * 86_400)]
