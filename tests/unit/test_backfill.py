"""Runs for fire times of the past."""

from datetime import timedelta

import pytest

from django_sched_tasks import operations
from django_sched_tasks.exceptions import InvalidDefinition, StateConflict
from django_sched_tasks.models import SchedulerTask, TaskExecution


@pytest.fixture
def task(make):
    """Fires every minute."""
    return make(max_instances=None)


@pytest.fixture
def hour(task, at):
    """Backfill the hour before NOW's first, which has the 10 fire times of 9 minutes, with changes."""

    def hour(begin=-540, end=0, **options):
        return operations.backfill(task.pk, at(begin), at(end), now=at(1), **options)

    return hour


def test_both_ends_are_included(hour, at, rows):
    result = hour()
    assert result.fire_times == [at(60 * minute) for minute in range(-9, 1)]
    assert rows("kind", "fire_at", "run_at") == [("backfill", fire_at, at(1)) for fire_at in result.fire_times]
    assert set(rows("request")) == {result.request}


def test_they_run_once_each_and_do_not_count_as_fire_times(hour, node, at, rows):
    hour()
    node.now = at(1)
    assert len(node.tick()) == 10
    assert set(rows("status")) == {"succeeded"}
    assert SchedulerTask.objects.get().fire_count == 0


def test_a_dry_run_tells_the_same_and_queues_nothing(hour):
    dry = hour(dry_run=True)
    assert not TaskExecution.objects.exists()
    assert hour().fire_times == dry.fire_times


def test_what_has_run_is_left_out(hour, node, at):
    hour(-540, -300)
    result = hour()
    assert (len(result.fire_times), result.left_out) == (5, 5)


def test_what_was_missed_or_skipped_has_not_run(hour, at, rows):
    hour()
    TaskExecution.objects.update(status="missed", kind="schedule", finished_at=at(1), claim_rank=None, request="")
    assert len(hour().fire_times) == 10


def test_failures_run_again_where_that_is_asked_for(make, node, at):
    task = make("raises", max_instances=None)
    operations.backfill(task.pk, at(-120), at(0), now=at(1))
    node.now = at(1)
    node.tick()
    again = {
        word: len(operations.backfill(task.pk, at(-120), at(0), reprocess=word, now=at(2)).fire_times)
        for word in ("none", "failed", "all")
    }
    assert again == {"none": 0, "failed": 3, "all": 3}


def test_the_limit_guards_against_a_slip(hour):
    assert len(hour(limit=10).fire_times) == 10
    TaskExecution.objects.all().delete()
    with pytest.raises(InvalidDefinition) as error:
        hour(limit=9)
    assert "More than 9 fire times" in error.value.errors["limit"][0]
    assert not TaskExecution.objects.exists()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"begin": 0, "end": -60}, "start"),
        ({"end": 2}, "end"),
        ({"limit": 0}, "limit"),
        ({"limit": 100_001}, "limit"),
        ({"reprocess": "some"}, "reprocess"),
        ({"idempotency_key": "x" * 65}, "Idempotency-Key"),
    ],
)
def test_refusals(hour, options, field):
    with pytest.raises(InvalidDefinition) as error:
        hour(**options)
    assert list(error.value.errors) == [field]


def test_a_range_without_fire_times(hour):
    assert hour(-50, -10).fire_times == []


@pytest.mark.django_db
def test_no_such_task(at):
    with pytest.raises(SchedulerTask.DoesNotExist):
        operations.backfill(99, at(-60), at(0), now=at(1))


def test_a_broken_trigger(hour, task):
    SchedulerTask.objects.filter(pk=task.pk).update(trigger="lunar")
    with pytest.raises(StateConflict):
        hour()


def test_a_key_queues_once(hour):
    first = hour(idempotency_key="k")
    second = hour(idempotency_key="k")
    assert second.fire_times == first.fire_times
    assert TaskExecution.objects.count() == 10
    with pytest.raises(StateConflict):
        hour(-60, 0, idempotency_key="k")


def test_under_a_limit_they_go_one_after_another(make, node, at, rows):
    task = make(max_instances=1)
    operations.backfill(task.pk, at(-540), at(0), now=at(1))
    node.now = at(1)
    node.plan()
    assert len(node.claim()) == 1
    assert TaskExecution.objects.waiting().count() == 9


def test_they_come_after_all_else(hour, make, node, at):
    hour()
    other = make(priority=-100)
    operations.run_task(other.pk, now=at(2))
    node.now = at(2)
    assert [claim.kind for claim, _ in node.claim()] == ["manual"] + ["backfill"] * 10


def test_a_retry_of_one_stays_behind_too(make, node, at):
    task = make("raises", max_instances=None, max_retries=1, retry_delay=0)
    operations.backfill(task.pk, at(-60), at(-60), now=at(1))
    node.now = at(1)
    node.finish(node.start(node.claim()))
    retry = TaskExecution.objects.get(attempt=2)
    assert (retry.kind, retry.claim_rank) == ("backfill", 1000)


def test_thousands_are_queued_in_few_statements(make, at, django_assert_max_num_queries):
    task = make(trigger_args={"seconds": 1}, max_instances=None)
    with django_assert_max_num_queries(250):
        result = operations.backfill(task.pk, at(0) - timedelta(hours=1), at(0), limit=3601, now=at(1))
    assert len(result.fire_times) == TaskExecution.objects.count() == 3601
