"""The rules: what may be done to tasks and executions, and what follows from it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from django_sched_tasks import operations, planning
from django_sched_tasks.exceptions import InvalidDefinition, StateConflict
from django_sched_tasks.models import SchedulerTask, TaskExecution, transitions
from django_sched_tasks.testing import ManualScheduler

ADD = "tests.zoo.tasks:add"


@pytest.fixture
def busy(node, at):
    """One run of a task has started at its first fire time and goes on."""

    def start(task):
        node.now = task.next_run
        node.plan()
        return node.start(node.claim())

    return start


# Adding.


def test_a_new_task_is_planned_at_once(make, now, at):
    task = make(user="ada")
    assert (task.status, task.next_run, task.anchor, task.planned_through) == (1, at(60), now, now)
    assert (task.source, task.created_by, task.updated_by, task.created_at) == ("api", "ada", "ada", now)


def test_now_is_the_databases_when_left_out(db):
    task = operations.add_task(name="T", func=ADD, args=[1], trigger="interval", trigger_args={"hours": 1})
    assert abs(timezone.now() - task.created_at) < timedelta(minutes=1)


def test_a_job_id_is_made_up_and_unique(make):
    assert make().job_id != make().job_id
    make(job_id="nightly")
    with pytest.raises(InvalidDefinition, match="job id 'nightly' already") as caught:
        make(job_id="nightly")
    assert list(caught.value.errors) == ["job_id"]


def test_nothing_is_kept_of_a_refused_task(make):
    with pytest.raises(InvalidDefinition):
        make(trigger_args={"minutes": 0})
    assert not SchedulerTask.objects.exists()


# Updating.


def test_an_edit_of_the_when_settles_what_was_due_and_starts_anew(make, at, rows):
    task = make()
    edited = operations.update_task(task.pk, {"trigger_args": {"hours": 1}}, now=at(130))
    assert edited.next_run == at(3600)
    assert rows("fire_at", "covers") == [(at(120), 2)]


def test_other_edits_leave_the_next_run_alone(make, at, rows):
    task = make()
    edited = operations.update_task(task.pk, {"name": "New", "priority": 3}, user="ada", now=at(30))
    assert (edited.name, edited.priority, edited.next_run) == ("New", 3, at(60))
    assert (edited.updated_by, edited.updated_at) == ("ada", at(30))
    assert rows() == []


def test_what_repeats_the_stored_values_changes_nothing(make, at):
    task = make()
    same = operations.update_task(task.pk, {"name": "Task", "trigger_args": {"minutes": 1}}, user="ada", now=at(30))
    assert (same.updated_by, same.updated_at) == ("", task.updated_at)


def test_a_stored_trigger_that_is_past_may_be_repeated(make, at):
    date = {"trigger": "date", "trigger_args": {"run_date": "2026-01-01T00:01:00Z"}}
    task = make(**date)
    operations.update_task(task.pk, {"name": "New", **date}, now=at(3600))
    with pytest.raises(InvalidDefinition, match="past"):
        operations.update_task(task.pk, {"trigger_args": {"run_date": "2026-01-01T00:02:00Z"}}, now=at(3600))


@pytest.mark.parametrize("pause", [False, True])
def test_a_trigger_with_a_future_makes_a_finished_task_active_and_leaves_a_paused_one_paused(make, at, pause):
    task = make(trigger="date", trigger_args={"run_date": "2026-01-01T00:01:00Z"})
    if pause:
        operations.pause_task(task.pk, now=at(1))
    planning.plan(at(60), using="default")
    edited = operations.update_task(task.pk, {"trigger": "interval", "trigger_args": {"minutes": 1}}, now=at(100))
    assert (edited.status, edited.next_run) == ((0, None) if pause else (1, at(120)))


def test_restarts_and_edits_do_not_shift_the_phase(make, at):
    task = make(trigger_args={"minutes": 7})
    for number in range(4):
        moment = at(1000 * number + 13)
        ManualScheduler(now=moment).tick()
        operations.update_task(task.pk, {"trigger_args": {"minutes": 7 + number % 2}}, now=moment)
    edited = operations.update_task(task.pk, {"trigger_args": {"minutes": 7}}, now=at(10_000))
    assert (edited.next_run - task.anchor).total_seconds() % 420 == 0


def test_a_raised_limit_lets_waiting_executions_in(make, at, django_capture_on_commit_callbacks):
    task = make()
    for _ in range(3):
        operations.run_task(task.pk, now=at(1))
    assert TaskExecution.objects.claimable().count() == 1
    with django_capture_on_commit_callbacks(execute=True):
        operations.update_task(task.pk, {"max_instances": 2}, now=at(2))
    assert TaskExecution.objects.claimable().count() == 2


# Pausing and resuming.


def test_a_pause_settles_what_was_due_and_says_how_many_wait(make, at, rows):
    task = make()
    result = operations.pause_task(task.pk, note=" lunch ", now=at(61))
    assert (result.changed, result.waiting) == (True, 1)
    assert (result.task.status, result.task.pause_note, result.task.next_run) == (0, "lunch", None)
    assert rows("fire_at", "status") == [(at(60), "queued")]


def test_a_second_pause_changes_only_the_note(make, at):
    task = make()
    operations.pause_task(task.pk, note="one", now=at(1))
    assert operations.pause_task(task.pk, now=at(2)).task.pause_note == "one"
    again = operations.pause_task(task.pk, note="two", now=at(3))
    assert (again.changed, again.task.pause_note) == (False, "two")


def test_what_is_queued_still_runs_after_a_pause(make, node, at):
    task = make()
    operations.pause_task(task.pk, now=at(61))
    node.now = at(62)
    assert [run.status for run in node.tick()] == ["succeeded"]


def test_paused_time_is_not_made_up(make, at, rows):
    task = make()
    operations.pause_task(task.pk, now=at(10), note="why")
    resumed = operations.resume_task(task.pk, now=at(3610))
    assert (resumed.status, resumed.next_run, resumed.pause_note) == (1, at(3660), "")
    assert rows() == []


def test_resuming_an_active_task_changes_nothing(make, at):
    task = make()
    assert operations.resume_task(task.pk, now=at(10)).updated_at == task.updated_at


def test_a_finished_task_can_be_neither_paused_nor_resumed(make, at):
    task = make(trigger="date", trigger_args={"run_date": "2026-01-01T00:01:00Z"})
    planning.plan(at(60), using="default")
    for verb in (operations.pause_task, operations.resume_task):
        with pytest.raises(StateConflict, match="has finished"):
            verb(task.pk, now=at(70))


def test_a_paused_date_whose_time_is_past_cannot_be_resumed(make, at):
    task = make(trigger="date", trigger_args={"run_date": "2026-01-01T00:01:00Z"})
    operations.pause_task(task.pk, now=at(1))
    with pytest.raises(StateConflict, match="no fire time left"):
        operations.resume_task(task.pk, now=at(61))


@pytest.mark.parametrize(
    "verb",
    [
        operations.pause_task,
        operations.resume_task,
        operations.run_task,
        operations.remove_task,
        lambda pk: operations.update_task(pk, {"name": "x"}),
    ],
)
@pytest.mark.django_db
def test_a_task_that_is_not_there(verb):
    with pytest.raises(SchedulerTask.DoesNotExist):
        verb(4711)


# Running now.


def test_a_manual_run_takes_its_arguments_for_this_once(make, node, at):
    task = make("add", args=[1])
    execution = operations.run_task(task.pk, args=[5], kwargs={"b": 6}, user="ada", now=at(1))
    assert (execution.kind, execution.fire_at, execution.requested_by) == ("manual", at(1), "ada")
    node.now = at(1)
    assert [run.result for run in node.tick()] == [11]
    assert SchedulerTask.objects.get().args == [1]


def test_a_manual_run_with_wrong_arguments_is_refused(make, at):
    with pytest.raises(InvalidDefinition):
        operations.run_task(make("add", args=[1]).pk, kwargs={"c": 1}, now=at(1))
    assert not TaskExecution.objects.exists()


def test_a_paused_and_a_finished_task_run_when_asked(make, node, at):
    task = make()
    operations.pause_task(task.pk, now=at(1))
    operations.run_task(task.pk, now=at(2))
    done = make(trigger="date", trigger_args={"run_date": "2026-01-01T00:00:01Z"})
    planning.plan(at(2), using="default")
    operations.run_task(done.pk, now=at(3))
    node.now = at(3)
    assert sorted(run.kind for run in node.tick()) == ["manual", "manual", "schedule"]


def test_an_idempotency_key_answers_the_same_execution(make, at):
    task = make("add", args=[1])
    first = operations.run_task(task.pk, idempotency_key="k", args=[2], now=at(1))
    assert operations.run_task(task.pk, idempotency_key="k", args=[2], now=at(9)).pk == first.pk
    with pytest.raises(StateConflict, match="other arguments"):
        operations.run_task(task.pk, idempotency_key="k", args=[3], now=at(9))
    assert operations.run_task(make().pk, idempotency_key="k", now=at(9)).pk != first.pk


def test_a_manual_run_waits_for_room_and_is_never_skipped(make, node, busy, at):
    task = make()
    held = busy(task)
    execution = operations.run_task(task.pk, now=at(61))
    node.now = at(61)
    assert node.claim() == []
    node.finish(held)
    assert [run.pk for run in node.tick()] == [execution.pk]


def test_a_manual_run_counts_against_the_limit(make, at, rows):
    operations.run_task(make().pk, now=at(1))
    planning.plan(at(60), using="default")
    assert rows("kind", "status") == [("manual", "queued"), ("schedule", "skipped")]


# Retrying and cancelling.


def test_a_retry_is_a_new_row_with_the_next_attempt(make, node, at):
    make("raises")
    node.now = at(60)
    (failed,) = node.tick()
    retry = operations.retry_execution(failed.pk, user="ada", now=at(70))
    assert (retry.attempt, retry.fire_at, retry.run_at, retry.requested_by) == (2, at(60), at(70), "ada")
    with pytest.raises(StateConflict, match="has not ended"):
        operations.retry_execution(failed.pk, now=at(71))
    node.now = at(72)
    node.tick()
    assert operations.retry_execution(failed.pk, now=at(73)).attempt == 3


@pytest.mark.parametrize("kind", ["manual", "schedule"])
def test_a_retry_keeps_what_the_execution_ran_with(make, node, at, kind):
    task = make("add", args=[1], priority=4)
    if kind == "manual":
        operations.run_task(task.pk, args=[9], now=at(1))
    node.now = at(1 if kind == "manual" else 60)
    (ran,) = node.tick()
    operations.update_task(task.pk, {"args": [100], "priority": 0}, now=at(65))
    retry = operations.retry_execution(ran.pk, now=at(70))
    assert (retry.args, retry.priority, retry.kind, retry.request) == (ran.args, 4, kind, ran.request)


def test_a_retry_with_other_arguments_takes_those_this_once(make, node, at, stored):
    task = make("add", args=["one"], kwargs={"b": 2})
    node.now = at(60)
    (failed,) = node.tick()
    retry = operations.retry_execution(failed.pk, args=[1], now=at(70))
    assert (retry.args, retry.kwargs, retry.overrides) == ([1], {"b": 2}, {"args": [1]})
    node.now = at(71)
    (again,) = node.tick()
    assert (again.status, again.result, again.attempt) == ("succeeded", 3, 2)
    assert stored(task).args == ["one"]
    with pytest.raises(InvalidDefinition, match="Unknown: 'c'"):
        operations.retry_execution(again.pk, kwargs={"c": 1}, now=at(72))


def test_a_secret_that_is_given_back_hidden_stays_what_it_is(make, stored, at):
    task = make("leaks_password", args=["hunter22"], kwargs={"token": "t"})
    operations.update_task(task.pk, {"name": "Other", "args": ["*****"], "kwargs": {"token": "*****"}}, now=at(1))
    assert (stored(task).name, stored(task).args, stored(task).kwargs) == ("Other", ["hunter22"], {"token": "t"})
    operations.update_task(task.pk, {"args": ["new"], "kwargs": {}}, now=at(2))
    assert (stored(task).args, stored(task).kwargs) == (["new"], {})
    run = operations.run_task(task.pk, args=["*****"], now=at(3))
    assert (run.args, run.overrides) == (["new"], {"args": ["new"]})
    with pytest.raises(InvalidDefinition, match="stands for a secret"):
        operations.update_task(task.pk, {"kwargs": {"token": "*****"}}, now=at(4))


def test_a_new_task_cannot_begin_with_a_hidden_secret(make):
    with pytest.raises(InvalidDefinition, match="stands for a secret"):
        make("leaks_password", args=["*****"])


def test_an_execution_without_a_task_cannot_be_tried_again(make, node, at):
    task = make()
    node.now = at(60)
    (ran,) = node.tick()
    operations.remove_task(task.pk, now=at(61))
    with pytest.raises(StateConflict, match="deleted"):
        operations.retry_execution(ran.pk, now=at(62))


def test_what_has_not_started_can_be_cancelled(make, at, django_capture_on_commit_callbacks):
    task = make()
    first, second = (operations.run_task(task.pk, now=at(second)) for second in (1, 2))
    with django_capture_on_commit_callbacks(execute=True):
        cancelled = operations.cancel_execution(first.pk, now=at(3))
    assert (cancelled.status, cancelled.reason, cancelled.finished_at) == ("cancelled", "requested", at(3))
    assert list(TaskExecution.objects.claimable()) == [second]


def test_what_runs_is_asked_to_end_and_what_has_ended_cannot_be_cancelled(make, node, busy, at, staff):
    held = busy(make())
    execution = TaskExecution.objects.get()
    for second in (61, 62):  # asking again changes nothing
        asked = operations.cancel_execution(execution.pk, user=staff, now=at(second))
        told = (asked.status, asked.cancel_requested_at, asked.cancel_requested_by)
        assert told == ("running", at(61), "staff")
    node.finish(held)
    with pytest.raises(StateConflict, match="Succeeded"):
        operations.cancel_execution(execution.pk, now=at(63))


def test_a_failed_run_that_was_to_end_is_not_tried_again(make, node, at, rows):
    make("raises", max_retries=3)
    node.now = at(60)
    node.plan()
    held = node.start(node.claim())
    operations.cancel_execution(held[0][0].id, now=at(61))
    node.finish(held)
    assert rows("status", "attempt", attempt=1) == [("failed", 1)]
    assert not TaskExecution.objects.filter(attempt=2).exists()


# Removing.


def test_history_outlives_its_task(make, node, busy, at, rows):
    task = make()
    held = busy(task)
    operations.run_task(task.pk, now=at(61))
    operations.remove_task(task.pk, now=at(62))
    node.finish(held)
    assert rows("task", "task_name", "status", "reason") == [
        (None, "Task", "succeeded", ""),
        (None, "Task", "cancelled", "task_removed"),
    ]


def test_removing_a_task_makes_room_for_others_with_its_key(make, at, django_capture_on_commit_callbacks):
    one, other = make(concurrency_key="k"), make(concurrency_key="k")
    for task in (one, other):
        with django_capture_on_commit_callbacks(execute=True):
            operations.run_task(task.pk, now=at(1))
    assert TaskExecution.objects.claimable().get().task == one
    with django_capture_on_commit_callbacks(execute=True):
        operations.remove_task(one.pk, now=at(2))
    assert TaskExecution.objects.claimable().get().task == other


# After failures, and pruning.


def test_a_task_is_paused_after_so_many_failures_in_a_row(make, node, at, stored):
    task = make("raises", pause_on_failure=2, kwargs={"message": "no disk"})
    node.run_until(at(60))
    assert stored(task).status == 1
    node.run_until(at(600))
    paused = stored(task)
    assert (paused.status, paused.pause_note) == (0, "2 failures in a row, the last: RuntimeError: no disk")
    assert TaskExecution.objects.count() == 2


def test_a_success_in_between_begins_the_count_anew(make, node, at, stored):
    task = make("raises", pause_on_failure=2)
    for func, seconds in (("raises", 60), ("ok", 120), ("raises", 180)):
        SchedulerTask.objects.update(func=f"tests.zoo.tasks:{func}")
        node.run_until(at(seconds))
    assert stored(task).status == 1


def test_what_is_pruned_stays_counted(make, node, at, stored):
    task = make()
    node.run_until(at(240))
    operations.run_task(task.pk, now=at(241))
    node.now = at(241)
    node.tick()
    assert operations.prune(60 / 86_400, now=at(200)) == 2
    assert operations.prune(0, now=at(300)) == 3
    assert (stored(task).purged_covers, TaskExecution.objects.count()) == (4, 0)


def test_pruning_leaves_what_is_open_and_stops_when_told(make, at):
    operations.run_task(make().pk, now=at(1))
    assert operations.prune(0, now=at(1000)) == 0
    transitions.cancel(TaskExecution.objects.all(), at(2), using="default", reason="requested")
    assert operations.prune(0, now=at(1000), until=lambda: True) == 0
    assert operations.prune(0, now=at(1000)) == 1
