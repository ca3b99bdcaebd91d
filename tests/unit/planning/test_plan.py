"""Planning in the database: due tasks become rows and move on."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from django_sched_tasks import operations, planning, signals
from django_sched_tasks.models import SchedulerTask, TaskExecution
from django_sched_tasks.planning import decision, store


def plan(now):
    return planning.plan(now, using="default")


def test_a_fire_time_becomes_one_row_with_all_it_needs(make, at, now, rows):
    task = make("add", args=[1], kwargs={"b": 2}, queue="slow", priority=7, timeout=9, on_crash="retry")
    result = plan(at(60))
    assert (result.tasks, result.queued) == (1, 1)
    row = TaskExecution.objects.get()
    assert (row.kind, row.fire_at, row.run_at, row.queued_at, row.attempt) == ("schedule", at(60), at(60), at(60), 1)
    assert (row.task_name, row.job_id, row.func) == (task.name, task.job_id, task.func)
    assert (row.args, row.kwargs, row.queue, row.priority, row.claim_rank) == ([1], {"b": 2}, "slow", 7, -7)
    assert (row.timeout, row.on_crash, row.misfire_grace_time) == (9, "retry", 86_400)


def test_a_planned_task_moves_on(make, at, stored):
    task = make()
    plan(at(61))
    moved = stored(task)
    assert (moved.next_run, moved.planned_through, moved.fire_count) == (at(120), at(60), 1)
    assert moved.version > task.version
    assert plan(at(61)).tasks == 0


def test_the_counters_tell_what_became_of_the_fire_times(make, node, at, stored):
    task = make(misfire_grace_time=90)
    plan(at(600))  # eight are too old, two are run as one
    plan(at(660))  # that one is still waiting
    counted = stored(task)
    assert (counted.fire_count, counted.missed_count, counted.skipped_count) == (11, 8, 1)


def test_a_task_that_has_no_more_fire_times_is_finished(make, at, stored):
    task = make(trigger="date", trigger_args={"run_date": "2026-01-01T00:05:00Z"})
    plan(at(300))
    finished = stored(task)
    assert (finished.status, finished.next_run, finished.plan_at) == (2, None, None)


@pytest.mark.parametrize(
    ("change", "seconds"),
    [
        ({"trigger_args": {"seconds": 20}}, 100),
        ({"trigger": "cron", "trigger_args": {"second": 5}}, 125),
        ({"timezone": "Asia/Tokyo"}, 120),
        ({"status": 0}, None),
    ],
)
def test_an_edit_by_queryset_update_is_seen_by_the_next_pass(make, at, stored, change, seconds):
    task = make()
    SchedulerTask.objects.filter(pk=task.pk).update(**change)
    plan(at(80))
    assert stored(task).next_run == (None if seconds is None else at(seconds))
    assert stored(task).fire_count == 1  # due before anybody saw the edit
    assert plan(at(80)).tasks == 0


@pytest.mark.parametrize("text", ['{"seconds":20}', '{ "seconds" : 20.0 }', '{"seconds": 20, "timezone": "UTC"}'])
def test_an_edit_in_sql_is_planned_once_however_it_is_written(make, at, stored, text):
    task = make()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sys_scheduler_task SET trigger_args = %s", [text])
    plan(at(10))
    assert stored(task).next_run == at(20)
    assert plan(at(10)).tasks == 0


def test_a_date_set_a_moment_ahead_by_update_still_fires(make, at, stored, rows):
    task = make(trigger_args={"hours": 1})
    date = {"trigger": "date", "trigger_args": {"run_date": "2026-01-01T00:00:05Z"}}
    SchedulerTask.objects.filter(pk=task.pk).update(**date)
    plan(at(6))
    assert rows("fire_at", "status") == [(at(5), "queued")]
    assert stored(task).status == 2


def test_one_bad_row_spoils_one_row(make, at, stored, rows):
    bad, good = make(), make()
    SchedulerTask.objects.filter(pk=bad.pk).update(trigger_args={"minuts": 1})
    plan(at(10))
    plan(at(60))
    assert rows("task") == [good.pk]
    assert "minuts" in stored(bad).schedule_error
    assert stored(bad).next_run is None


def test_an_error_nobody_thought_of_spoils_one_row(make, at, stored, rows, monkeypatch):
    bad, good = make(name="bad"), make()

    def decide(task, *args):
        return 1 / 0 if task.id == bad.pk else decision.decide(task, *args)

    monkeypatch.setattr(planning, "decide", decide)
    plan(at(60))
    assert rows("task") == [good.pk]
    assert stored(bad).schedule_error == "ZeroDivisionError: division by zero"


def test_consecutive_skips_share_a_row_and_the_next_run_has_its_own(make, node, at, rows):
    make()
    for seconds in (60, 120, 180):
        plan(at(seconds))
    assert rows("fire_at", "status", "covers") == [(at(60), "queued", 1), (at(120), "skipped", 2)]
    node.now = at(200)
    node.tick()
    plan(at(240))
    assert rows("fire_at", "status", "covers")[2:] == [(at(240), "queued", 1)]


def test_replace_cancels_what_waits_and_asks_what_runs_to_end(make, node, at, rows):
    make(overlap="replace")
    node.now = at(60)
    node.plan()
    node.start(node.claim())
    plan(at(120))
    plan(at(180))
    assert rows("fire_at", "status", "reason", "cancel_requested_at", "cancel_requested_by") == [
        (at(60), "running", "", at(120), "overlap: replace"),
        (at(120), "cancelled", "replaced", None, ""),
        (at(180), "queued", "", None, ""),
    ]


def test_replace_asks_one_of_several_runs_and_never_a_manual_one(make, node, at, rows):
    task = make(overlap="replace", max_instances=3)
    manual = operations.run_task(task.pk, now=at(1))
    for seconds in (60, 120):
        node.now = at(seconds)
        node.plan()
        node.start(node.claim())
    plan(at(180))
    plan(at(240))
    asked = rows("fire_at", "status", cancel_requested_at__isnull=False)
    assert asked == [(at(60), "running")]
    manual.refresh_from_db()
    assert manual.status == "running"


def test_what_starts_next_is_what_replaced_the_run_that_has_ended(make, node, at, rows):
    make("raises_cancelled", overlap="replace")
    node.now = at(60)
    node.plan()
    held = node.start(node.claim())
    node.now = at(120)
    node.plan()
    node.finish(held)
    assert [run.fire_at for run in node.tick()] == [at(120)]
    assert rows("fire_at", "status", "reason")[0] == (at(60), "cancelled", "requested")


@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_other_policies_ask_nobody(make, node, at, rows, overlap):
    make(overlap=overlap)
    node.now = at(60)
    node.plan()
    node.start(node.claim())
    plan(at(120))
    assert rows("cancel_requested_at", status="running") == [None]


@pytest.fixture
def short_passes(monkeypatch):
    monkeypatch.setattr(decision, "SETTLE_LIMIT", 20)


@pytest.mark.usefixtures("short_passes")
class TestMoreThanAPassSettles:
    @pytest.fixture
    def secondly(self, make):
        return lambda **changes: make(trigger="cron", trigger_args={"second": "*"}, **changes)

    def test_the_next_pass_goes_on_and_adds_to_the_same_row(self, secondly, at, rows):
        task = secondly()
        assert plan(at(50)).unfinished == [task.pk]
        assert rows() == [("queued", "coalescing", 20)]
        assert plan(at(50)).unfinished == [task.pk]
        assert plan(at(50)).unfinished == []
        assert rows() == [("queued", "", 50)]
        assert rows("fire_at", "claim_rank") == [(at(50), 0)]

    def test_the_others_are_planned_in_the_same_pass(self, secondly, make, at, rows):
        secondly()
        other = make()
        plan(at(65))
        assert rows("status", task=other.pk) == ["queued"]

    def test_a_run_that_gathers_cannot_be_claimed(self, secondly, node, at, rows):
        secondly(max_instances=None)
        node.now = at(50)
        node.plan()
        assert node.claim() == []
        assert [run.covers for run in node.tick()] == [50]

    def test_a_pause_settles_everything_at_once(self, secondly, at, rows):
        operations.pause_task(secondly().pk, now=at(50))
        assert rows() == [("queued", "", 50)]

    def test_a_run_cancelled_while_it_gathers_keeps_what_it_has(self, secondly, at, rows):
        secondly()
        plan(at(50))
        operations.cancel_execution(TaskExecution.objects.get().pk, now=at(50))
        plan(at(50))
        plan(at(50))
        assert rows() == [("cancelled", "requested", 20), ("queued", "", 30)]

    def test_a_cancel_between_reading_and_writing_loses_no_fire_time(self, secondly, at, rows):
        secondly()
        plan(at(50))
        due = store.read_due(at(50), using="default", limit=1, ids=None, skip=())
        decided = planning._decide_all(due, at(50), using="default")
        operations.cancel_execution(TaskExecution.objects.get().pk, now=at(50))
        store.write(decided, at(50), using="default")
        assert rows() == [("cancelled", "requested", 20), ("queued", "coalescing", 20)]

    def test_a_manual_run_in_between_does_not_strand_it(
        self, secondly, node, at, rows, django_capture_on_commit_callbacks
    ):
        task = secondly()
        node.now = at(50)
        node.plan()
        with django_capture_on_commit_callbacks(execute=True):
            operations.run_task(task.pk, now=at(50))
        held = node.start(node.claim())
        assert [claim.kind for claim, _ in held] == ["manual"]
        while node.plan().unfinished:
            pass
        node.finish(held)
        node.tick()
        assert rows(kind="schedule") == [("succeeded", "", 20), ("skipped", "overlap", 30)]

    @pytest.mark.parametrize("change", [{"coalesce": False}, {"concurrency_key": "new"}, {"misfire_grace_time": 3}])
    def test_an_edit_in_between_does_not_strand_it(self, secondly, node, at, rows, change):
        task = secondly(concurrency_key="old")
        node.now = at(50)
        node.plan()
        SchedulerTask.objects.filter(pk=task.pk).update(**change)
        node.tick()
        assert not TaskExecution.objects.open().exists()
        assert sum(rows("covers")) == 50


# Against other planners.


def test_a_decision_that_another_planner_was_faster_with_is_dropped(make, at, rows):
    make()
    due = store.read_due(at(60), using="default", limit=1, ids=None, skip=())
    decided = planning._decide_all(due, at(60), using="default")
    assert plan(at(60)).queued == 1
    assert store.write(decided, at(60), using="default") == []
    assert rows("fire_at") == [at(60)]


@pytest.mark.parametrize("status", [0, 2])
def test_a_status_set_between_reading_and_writing_is_not_overwritten(make, at, stored, status):
    task = make()
    due = store.read_due(at(60), using="default", limit=1, ids=None, skip=())
    SchedulerTask.objects.filter(pk=task.pk).update(status=status)
    assert store.write(planning._decide_all(due, at(60), using="default"), at(60), using="default") == []
    assert stored(task).status == status


def test_a_manual_run_between_counting_and_writing_is_counted(make, at, rows):
    task = make()
    due = store.read_due(at(60), using="default", limit=1, ids=None, skip=())
    decided = planning._decide_all(due, at(60), using="default")
    operations.run_task(task.pk, now=at(60))
    assert store.write(decided, at(60), using="default") == []
    plan(at(60))
    assert rows("kind", "status") == [("manual", "queued"), ("schedule", "skipped")]


def race(*jobs):
    """Run the jobs at the same moment, each in a thread with a connection of its own; answers what they answered."""
    barrier = threading.Barrier(len(jobs))
    answers = [None] * len(jobs)

    def run(index, job):
        try:
            connection.ensure_connection()
            barrier.wait(10)
            answers[index] = job()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return answers


@pytest.mark.usefixtures("two_connections")
class TestRaces:
    def test_two_planners_make_one_row_of_a_fire_time(self, make, at, rows):
        for _ in range(5):
            make(coalesce=False)
        for minute in range(1, 9):
            instant = at(60 * minute)
            race(lambda instant=instant: plan(instant), lambda instant=instant: plan(instant))
        assert sum(rows("covers")) == 5 * 8

    def test_a_manual_run_and_a_planner_never_both_find_room(self, make, at):
        tasks = [make() for _ in range(8)]
        for task in tasks:
            now = at(60)
            race(
                lambda task=task, now=now: operations.run_task(task.pk, now=now),
                lambda task=task, now=now: planning.plan(now, using="default", ids=[task.pk]),
            )
        plan(at(60))
        for task in tasks:
            assert TaskExecution.objects.claimable().filter(task=task).count() <= 1
            assert TaskExecution.objects.filter(task=task, kind="schedule").count() == 1


# Signals.


def test_what_was_planned_is_told(make, at, django_capture_on_commit_callbacks):
    told = []

    def hear(signal, **payload):
        told.append((payload["job_id"], payload["status"], payload["reason"]))

    task = make(misfire_grace_time=60)
    for signal in (signals.execution_queued, signals.execution_finished):
        signal.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            plan(at(180))
            assert told == []  # nothing before the commit
    finally:
        for signal in (signals.execution_queued, signals.execution_finished):
            signal.disconnect(hear)
    assert told == [(task.job_id, "missed", "grace"), (task.job_id, "queued", "")]


def test_a_task_planned_years_late_is_planned_in_one_go(make, at, now, rows):
    make(trigger_args={"seconds": 1}, misfire_grace_time=None)
    plan(now + timedelta(days=366))
    assert rows() == [("queued", "", 366 * 86_400)]
