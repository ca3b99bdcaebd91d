"""How long history is kept: by age and by number, for the site and for each task."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_sched_tasks import operations
from django_sched_tasks.engine.housekeeping import Housekeeping
from django_sched_tasks.models import SchedulerTask, TaskExecution

DAY = timedelta(days=1)


@pytest.fixture
def history(make, now):
    """A task with so many ended executions, a day apart, the latest a day ago; every second was a run of two times."""

    def history(count, **fields):
        task = make(**fields)
        days = range(count, 0, -1)
        TaskExecution.objects.bulk_create(
            ended(task, fire_at=now - DAY * day, covers=1 + day % 2, finished_at=now - DAY * day) for day in days
        )
        return task

    return history


def ended(task, *, fire_at, finished_at, **fields):
    given = {"kind": "schedule", "status": "succeeded", "run_at": fire_at, "queued_at": fire_at, **fields}
    return TaskExecution(
        task=task, task_name="T", job_id="t", func="f", fire_at=fire_at, finished_at=finished_at, **given
    )


def queue_in_order():
    """Give the executions of several tasks ids that grow with time, as they do where a scheduler makes them."""
    rows = list(TaskExecution.objects.order_by("fire_at"))
    TaskExecution.objects.all().delete()
    for row in rows:
        row.pk = None
    TaskExecution.objects.bulk_create(rows)


def kept(task, now):
    """How many days ago the executions of a task fired."""
    return sorted((now - fire_at).days for fire_at in task.executions.values_list("fire_at", flat=True))


def test_by_age(history, now):
    task = history(5)
    assert operations.prune(2.5, now=now) == 3
    assert kept(task, now) == [1, 2]


def test_by_number(history, now):
    task, other = history(5), history(2)
    assert operations.prune(count=2, now=now) == 3
    assert (kept(task, now), kept(other, now)) == ([1, 2], [1, 2])


def test_by_both(history, now):
    task = history(5)
    assert operations.prune(3.5, count=4, now=now) == 2
    assert operations.prune(4.5, count=1, now=now) == 2
    assert kept(task, now) == [1]


def test_a_task_has_its_own(history, now):
    long, short, few, many = (
        history(6, **own)
        for own in ({"retention_days": 5}, {"retention_days": 1}, {"retention_count": 1}, {"retention_count": 5})
    )
    operations.prune(3.5, count=2, now=now)
    assert (kept(long, now), kept(short, now)) == ([1, 2], [1])
    assert (kept(few, now), kept(many, now)) == ([1], [1, 2, 3])


def test_a_tasks_own_counts_where_the_site_keeps_all(history, now):
    days, count, neither = history(6, retention_days=2), history(6, retention_count=2), history(6)
    assert operations.prune(now=now) == 4 + 4
    assert (kept(days, now), kept(count, now), kept(neither, now)) == ([1, 2], [1, 2], [1, 2, 3, 4, 5, 6])


def test_what_deleted_tasks_have_left_goes_by_age(history, now):
    task = history(5)
    SchedulerTask.objects.filter(pk=task.pk).delete()
    assert operations.prune(count=1, now=now) == 0
    assert operations.prune(2.5, now=now) == 3
    assert TaskExecution.objects.filter(task=None).count() == 2


def test_what_is_open_or_ended_lately_stays_however_long_ago_it_fired(history, now):
    task = history(0)
    rows = [
        ended(task, fire_at=now - 50 * DAY, finished_at=None, status="running"),
        ended(task, fire_at=now - 40 * DAY, finished_at=now),
        ended(task, fire_at=now - 70 * DAY, finished_at=now - 20 * DAY, kind="backfill", queued_at=now - 20 * DAY),
        ended(task, fire_at=now - 60 * DAY, finished_at=now, kind="backfill", queued_at=now),
    ]
    TaskExecution.objects.bulk_create(rows)
    assert operations.prune(10, now=now) == 1
    assert kept(task, now) == [40, 50, 60]
    task.retention_days = 10
    task.save()
    assert operations.prune(now=now) == 0


def test_the_latest_by_number_are_those_that_fired_last_with_the_attempts_of_one_in_their_order(history, now):
    task = history(0)
    attempts = [ended(task, fire_at=now - DAY, finished_at=now, attempt=attempt) for attempt in (1, 2, 3)]
    backfilled = ended(task, fire_at=now - 9 * DAY, finished_at=now, kind="backfill", request="x")
    TaskExecution.objects.bulk_create([*attempts, backfilled])
    assert operations.prune(count=2, now=now) == 2
    assert list(task.executions.order_by("attempt").values_list("attempt", flat=True)) == [2, 3]


@pytest.mark.parametrize(("days", "count"), [(2.5, None), (None, 2), (4.5, 2), (2.5, 4)])
def test_what_is_deleted_stays_counted_to_the_last_fire_time(history, now, days, count):
    task = history(7)
    before = sum(task.executions.values_list("covers", flat=True))
    operations.prune(days, count=count, now=now)
    task.refresh_from_db()
    assert task.purged_covers > 0
    assert task.purged_covers + sum(task.executions.values_list("covers", flat=True)) == before


@pytest.mark.parametrize(("days", "count"), [(2.5, None), (None, 2), (4.5, 2), (2.5, 4), (None, None)])
def test_a_dry_run_says_how_many_and_deletes_none(history, now, days, count):
    tasks = [history(7), history(6, retention_days=3), history(6, retention_count=3)]
    queue_in_order()
    told = operations.prune(days, count=count, dry_run=True, now=now)
    assert [task.executions.count() for task in tasks] == [7, 6, 6]
    assert operations.prune(days, count=count, now=now) == told


def test_large_parts_go_in_batches_and_it_stops_between_two(history, now, monkeypatch):
    monkeypatch.setattr("django_sched_tasks.operations.history.PRUNE_BATCH", 2)
    monkeypatch.setattr("django_sched_tasks.operations.history._WINDOW", 3)
    task = history(9)
    answers = iter([False, False, True])
    assert operations.prune(0.5, now=now, until=lambda: next(answers, True)) in (2, 3, 4)
    operations.prune(4.5, count=2, now=now)
    assert kept(task, now) == [1, 2]


def test_ids_that_do_not_grow_with_time_only_put_it_off(history, now):
    """A table that was filled by hand: what is old and has a late id goes once its neighbours are old."""
    task = history(3)
    old = ended(task, fire_at=now - 99 * DAY, finished_at=now - 99 * DAY)
    old.save()
    operations.prune(50, now=now)
    operations.prune(0, now=now)
    assert kept(task, now) == []


def test_only_tasks_that_ran_since_are_counted(history, now):
    idle, busy = history(5), history(5)
    SchedulerTask.objects.update(updated_at=now - DAY, last_run=now - DAY)
    SchedulerTask.objects.filter(pk=busy.pk).update(last_run=now)
    operations.prune(count=2, active_since=now - timedelta(hours=1), now=now)
    assert (len(kept(idle, now)), len(kept(busy, now))) == (5, 2)


def test_a_look_at_a_history_that_is_all_kept_costs_a_few_statements(history, now):
    history(400)
    with CaptureQueriesContext(connection) as captured:
        assert operations.prune(500, now=now) == 0
    assert len(captured) < 25


@pytest.mark.parametrize("case", [({"days": 2.5}, 2), ({"count": 3}, 3), ({"days": 4.5, "count": 1}, 1), (None, 5)])
def test_housekeeping_keeps_what_the_settings_say(history, now, settings, monkeypatch, case):
    retention, left = case
    settings.SCHED_TASKS = {"RETENTION": retention}
    monkeypatch.setattr("django_sched_tasks.engine.housekeeping.database.now", lambda: now)
    monkeypatch.setattr("django_sched_tasks.engine.housekeeping.PAUSE", 0)
    task, housekeeping = history(5), Housekeeping(is_elsewhere=lambda: False)
    housekeeping._prune()
    housekeeping._prune()
    assert len(kept(task, now)) == left
