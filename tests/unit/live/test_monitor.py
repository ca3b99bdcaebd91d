"""One thread writes down what runs tell, and reads who is to end."""

import threading
import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from django_sched_tasks import database, live
from django_sched_tasks.exceptions import RunCancelled
from django_sched_tasks.live import monitor
from django_sched_tasks.models import TaskExecution, transitions
from tests.support.waiting import until

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(monitor, "PACE", 0.05)
    monkeypatch.setattr(monitor, "TELL", 0.05)
    yield
    until(lambda: not monitors(), within=10, what="the end of the monitor")


@pytest.fixture
def running():
    def running(status="running", **changes):
        return TaskExecution.objects.create(
            task_name="T",
            job_id="job",
            func="tests.zoo.tasks:ok",
            kind="manual",
            fire_at=NOW,
            run_at=NOW,
            request=uuid.uuid4().hex,
            status=status,
            node_id=uuid.uuid4(),
            **changes,
        )

    return running


@pytest.fixture
def open_run():
    runs = []

    def open_run(row, **options):
        runs.append(run := live.open_run(row.pk, **options))
        return run

    yield open_run
    for run in runs:
        live.close_run(run)


def monitors():
    return [thread for thread in threading.enumerate() if thread.name == "sched-tasks-monitor"]


def stored(row):
    return database.retrying(TaskExecution.objects.filter(pk=row.pk).values_list("output", "progress").get)


def request_cancel(row):
    def work():
        with transaction.atomic():
            return transitions.request_cancel([row.pk], NOW, "ada", using="default")

    return database.retrying(work)


@pytest.mark.django_db(transaction=True)
class TestARunThatGoesOn:
    def test_its_output_and_progress_are_to_be_read(self, running, open_run):
        row = running()
        run = open_run(row)
        run.write("first\n")
        until(lambda: stored(row) == ("first\n", None), within=10)
        run.set_progress({"done": 1, "total": 2, "message": ""})
        run.write("second\n")
        until(lambda: stored(row) == ("first\nsecond\n", {"done": 1, "total": 2, "message": ""}), within=10)

    def test_the_output_of_a_row_that_has_ended_is_left_alone(self, running, open_run):
        ended, row = running(status="lost", output="kept", finished_at=NOW), running()
        open_run(ended).write("too late")
        open_run(row).write("in time")
        until(lambda: stored(row) == ("in time", None), within=10)
        assert stored(ended) == ("kept", None)

    def test_it_hears_that_it_is_to_end_and_is_interrupted_once(self, running, open_run):
        row, other = running(), running()
        run, neighbour = open_run(row), open_run(other)
        calls = []
        run.begin(lambda: calls.append("interrupted"))
        assert request_cancel(row) == [row.pk]
        until(lambda: run.is_cancel_requested, within=10)
        live.cancel(row.pk)
        assert calls == ["interrupted"]
        assert not neighbour.is_cancel_requested
        assert not run.cancel_noticed
        assert run.cancel_requested
        assert run.cancel_noticed

    def test_whoever_watches_a_run_elsewhere_is_told_until_it_works(self, running):
        row, calls = running(status="dispatched"), []

        def on_cancel(execution_id):
            calls.append(execution_id)
            if len(calls) == 1:
                raise ConnectionError("the broker is away")

        live.watch(row.pk, on_cancel)
        try:
            request_cancel(row)
            until(lambda: len(calls) == 2, within=10)
            other = running(status="dispatched", cancel_requested_at=NOW)
            more = []
            live.watch(other.pk, more.append)  # a further look has passed once this is told
            until(lambda: more, within=10)
            live.unwatch(other.pk)
        finally:
            live.unwatch(row.pk)
        assert calls == [row.pk, row.pk]

    def test_its_monitor_survives_a_database_that_fails(self, running, open_run, monkeypatch):
        row = running()
        tell, failures = transitions.tell, []

        def failing(*args, **options):
            if not failures:
                failures.append(1)
                raise RuntimeError("no")
            return tell(*args, **options)

        monkeypatch.setattr(transitions, "tell", failing)
        open_run(row).write("all the same")
        until(lambda: stored(row) == ("all the same", None), within=10)
        assert failures

    def test_all_runs_of_the_process_share_one_thread(self, running, open_run):
        for _ in range(5):
            open_run(running())
        assert len(monitors()) == 1


@pytest.mark.django_db
def test_without_news_nothing_is_written(running):
    row = running()
    run = live.open_run(row.pk, is_watched=False)
    assert run.news() is None
    run.write("x")
    assert run.news() == live.Told("x", None)
    assert run.news() is None
    run.forget_told()
    assert run.news() == live.Told("x", None)


@pytest.mark.django_db
def test_a_look_costs_one_statement_for_who_is_to_end(running):
    rows = [running(cancel_requested_at=NOW if number else None) for number in range(3)]
    with CaptureQueriesContext(connection) as queries:
        found = transitions.cancel_requested([row.pk for row in rows], using="default")
    assert sorted(found) == sorted(row.pk for row in rows[1:])
    assert len(queries) == 1


def test_a_run_inside_its_callers_transaction_has_no_monitor():
    until(lambda: not monitors(), within=5, what="that of an earlier test has ended")
    run = live.open_run(1, is_watched=False)
    assert not monitors()
    live.close_run(run)


def test_a_run_that_is_to_end_before_it_has_begun_does_not_begin():
    run = live.open_run(1, is_watched=False)
    run.request_cancel()
    with pytest.raises(RunCancelled):
        run.begin(None)
    live.close_run(run)


def test_nothing_is_interrupted_after_the_end():
    run, calls = live.open_run(1, is_watched=False), []
    run.begin(lambda: calls.append(1))
    run.end()
    run.request_cancel()
    assert calls == []
    live.close_run(run)
