"""A limit on the runs of a schedule: exact, whoever plans, and lifted by an edit."""

import threading

import pytest
from django.db import connections

from django_sched_tasks import operations, planning, signals
from django_sched_tasks.exceptions import InvalidDefinition, StateConflict
from django_sched_tasks.models import TaskExecution

ACTIVE, PAUSED, FINISHED = 1, 0, 2
AT_ONCE = {"trigger": "cron", "trigger_args": {"second": "*"}}


@pytest.fixture
def heard(django_capture_on_commit_callbacks):
    """The tasks that were told as finished while something was done."""

    def heard(act, *args, **options):
        finished = []

        def hear(task, **payload):
            finished.append(task.pk)

        signals.task_finished.connect(hear)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                act(*args, **options)
        finally:
            signals.task_finished.disconnect(hear)
        return finished

    return heard


def runs(task, **conditions):
    return TaskExecution.objects.filter(task=task, kind="schedule", attempt=1, started_at__isnull=False, **conditions)


def test_a_task_finishes_with_its_last_run(make, node, at, stored, heard):
    task = make(max_runs=2)
    finished = heard(node.run_until, at(600))

    done = stored(task)
    assert (done.status, done.next_run, done.planned_runs, done.run_count) == (FINISHED, None, 2, 2)
    assert [row.fire_at for row in runs(task).order_by("fire_at")] == [at(60), at(120)]
    assert finished == [task.pk]


def test_retries_and_what_people_ask_for_do_not_count(make, node, at, stored):
    task = make("raises", max_runs=2, max_retries=1, retry_delay=1)
    operations.run_task(task.pk, now=at(1))
    node.run_until(at(600))

    done = stored(task)
    assert (done.status, done.planned_runs) == (FINISHED, 2)
    assert done.run_count == 6  # each of the three twice


@pytest.mark.parametrize("limit", [3, None])
def test_a_higher_limit_makes_it_active_again(make, node, at, stored, limit):
    task = make(max_runs=2)
    node.run_until(at(600))
    operations.update_task(task.pk, {"max_runs": limit}, now=at(610))

    assert (stored(task).status, stored(task).next_run) == (ACTIVE, at(660))
    node.run_until(at(660))
    assert runs(task).count() == 3
    assert stored(task).status == (FINISHED if limit else ACTIVE)


def test_a_higher_limit_does_not_wake_what_has_no_fire_time_left(make, node, at, stored):
    task = make(trigger="date", trigger_args={"run_date": "2026-01-01T00:01:00Z"}, max_runs=1)
    node.run_until(at(120))
    operations.update_task(task.pk, {"max_runs": 9}, now=at(130))

    assert stored(task).status == FINISHED


def test_a_lower_limit_finishes_it_at_once(make, node, at, stored, heard):
    task = make(max_runs=5)
    node.run_until(at(200))
    finished = heard(operations.update_task, task.pk, {"max_runs": 2}, now=at(205))

    assert (stored(task).status, stored(task).next_run) == (FINISHED, None)
    assert finished == [task.pk]


def test_beyond_the_limit_it_is_not_resumed(make, node, at, stored):
    task = make(max_runs=3)
    node.run_until(at(130))
    operations.pause_task(task.pk, now=at(131))
    operations.update_task(task.pk, {"max_runs": 1}, now=at(132))

    assert stored(task).status == PAUSED
    with pytest.raises(StateConflict, match="max_runs"):
        operations.resume_task(task.pk, now=at(140))
    operations.update_task(task.pk, {"max_runs": 3}, now=at(150))
    assert stored(task).status == PAUSED
    assert operations.resume_task(task.pk, now=at(160)).status == ACTIVE


def test_a_finished_one_says_what_lifts_the_limit(make, node, at, staff_api):
    task = make(max_runs=1)
    node.run_until(at(61))
    answer = staff_api.post(f"/api/scheduler/task/resume/{task.pk}")

    assert answer.status_code == 409
    assert "Raise or clear max_runs" in answer.json()["detail"]


def test_a_burst_of_catch_up_never_has_more(make, node, at, stored):
    task = make(max_runs=3, coalesce=False, max_catch_up=50, max_instances=None)
    node.now = at(3600)
    node.tick()

    assert (stored(task).status, stored(task).planned_runs) == (FINISHED, 3)
    assert TaskExecution.objects.filter(task=task, status="succeeded").count() == 3


def test_a_task_that_follows_another_counts_its_runs_too(make, node, at, stored):
    first = make()
    follower = make(trigger="after", trigger_args={"job_id": first.job_id}, max_runs=2)
    node.run_until(at(400))

    assert (stored(follower).status, stored(follower).planned_runs) == (FINISHED, 2)
    assert runs(follower).count() == 2
    assert stored(first).status == ACTIVE
    operations.update_task(follower.pk, {"max_runs": 3}, now=at(401))
    assert stored(follower).status == ACTIVE


def test_a_gathering_run_that_was_cancelled_is_not_begun_again_beyond_the_limit(make, at, monkeypatch, stored):
    monkeypatch.setattr(planning.decision, "SETTLE_LIMIT", 4)
    task = make(**AT_ONCE, max_runs=1)
    planning.plan(at(6), using="default")
    TaskExecution.objects.filter(task=task).update(reason="", status="cancelled", finished_at=at(6), claim_rank=None)
    planning.plan(at(6), using="default")

    assert (TaskExecution.objects.filter(task=task).count(), stored(task).status) == (1, FINISHED)


@pytest.mark.parametrize("limit", [0, -1, 10**10, "many", True])
def test_a_limit_that_is_none_is_refused(make, limit):
    with pytest.raises(InvalidDefinition) as caught:
        make(max_runs=limit)
    assert list(caught.value.errors) == ["max_runs"]


def test_two_planners_never_plan_more(two_connections, make, at, stored):
    task = make(**AT_ONCE, max_runs=7, coalesce=False, max_instances=None)

    def race():
        for second in range(1, 21):
            planning.plan(at(second), using="default")
        connections.close_all()

    threads = [threading.Thread(target=race) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (stored(task).status, stored(task).planned_runs) == (FINISHED, 7)
    assert TaskExecution.objects.filter(task=task).count() == 7
