"""One transaction about runs: what has ended, what starts, and what follows from both."""

from dataclasses import replace
from datetime import timedelta

import pytest

from django_sched_tasks import operations, recording
from django_sched_tasks.models import SchedulerTask, TaskExecution
from django_sched_tasks.models.transitions import Outcome
from django_sched_tasks.recording import Group


def write(ended, starts, now):
    return recording.write(Group(ended, starts), now, "default")


def outcome(claim, now, status="succeeded", **changes):
    return Outcome(
        execution_id=claim.id,
        task_id=claim.task_id,
        job_id=claim.job_id,
        node_id=claim.node_id,
        concurrency_key=claim.concurrency_key,
        status=status,
        finished_at=now,
        **changes,
    )


@pytest.fixture
def claimed(make, node, at):
    """The claims of a task whose first fire time is due."""

    def claimed(**changes):
        make(**changes)
        node.now = at(60)
        node.plan()
        return node.claim()

    return claimed


@pytest.fixture
def running(claimed, at):
    def running(**changes):
        accepted = claimed(**changes)
        write([], accepted, at(60))
        return accepted[0][0]

    return running


def test_a_start_is_marked_and_noted_at_the_task(claimed, at, rows):
    accepted = claimed()
    result = write([], accepted, at(61))
    assert result.started == [accepted[0][0]]
    assert rows("status", "started_at") == [("running", at(61))]
    task = SchedulerTask.objects.get()
    assert (task.last_run, task.run_count) == (at(61), 1)


def test_a_row_that_was_taken_away_is_not_started(claimed, at):
    accepted = claimed()
    operations.cancel_execution(accepted[0][0].id, now=at(61))
    assert write([], accepted, at(62)).started == []
    assert SchedulerTask.objects.get().run_count == 0


def test_a_start_that_comes_too_late_is_missed(claimed, node, at, rows):
    accepted = claimed(misfire_grace_time=10)
    result = write([], accepted, at(71))
    assert (result.started, result.missed) == ([], [accepted[0][0]])
    assert rows() == [("missed", "grace", 1)]
    assert SchedulerTask.objects.get().missed_count == 1


def test_a_miss_at_the_start_makes_a_planner_that_has_counted_before_count_anew(claimed, at):
    accepted = claimed(misfire_grace_time=10)
    version = SchedulerTask.objects.get().version
    write([], accepted, at(71))
    assert SchedulerTask.objects.get().version > version


def test_an_end_lets_in_who_waited(running, node, at):
    claim = running()
    waiting = operations.run_task(claim.task_id, now=at(61))
    result = write([outcome(claim, at(62))], [], at(62))
    assert result.let_in
    assert TaskExecution.objects.claimable().get() == waiting


def test_an_end_lets_in_others_of_its_key(running, make, at):
    claim = running(concurrency_key="k")
    waiting = operations.run_task(make(concurrency_key="k").pk, now=at(61))
    write([outcome(claim, at(62))], [], at(62))
    assert TaskExecution.objects.claimable().get() == waiting


def test_an_end_of_a_deleted_tasks_run_lets_in_others_of_its_key(running, make, at):
    claim = running(concurrency_key="k")
    waiting = operations.run_task(make(concurrency_key="k").pk, now=at(61))
    operations.remove_task(claim.task_id, now=at(61))
    write([outcome(claim, at(62))], [], at(62))
    assert TaskExecution.objects.claimable().get() == waiting


@pytest.mark.parametrize("status", ["failed", "timed_out"])
def test_a_failure_with_retries_left_is_tried_again(running, at, rows, status):
    claim = running(max_retries=2, retry_delay=10, retry_backoff=3.0, args=[], priority=4)
    result = write([outcome(claim, at(61), status)], [], at(61))
    assert result.let_in
    assert rows("attempt", "status", "run_at", "claim_rank") == [
        (1, status, at(60), None),
        (2, "queued", at(71), -4),
    ]


def test_each_further_delay_is_longer_until_there_is_no_retry_left(make, node, at, rows):
    make("raises", trigger="date", trigger_args={"run_date": at(60).isoformat()}, max_retries=2, retry_backoff=2.0)
    node.run_until(at(3600))
    assert rows("attempt", "status", "started_at") == [
        (1, "failed", at(60)),
        (2, "failed", at(120)),
        (3, "failed", at(240)),
    ]


@pytest.mark.parametrize("status", ["succeeded", "cancelled"])
def test_other_ends_are_not_tried_again(running, at, rows, status):
    claim = running(max_retries=2)
    write([outcome(claim, at(61), status)], [], at(61))
    assert rows("attempt") == [1]


def test_an_exception_that_is_not_named_is_not_tried_again(running, at, rows):
    claim = running(max_retries=2)
    write([outcome(claim, at(61), "failed", may_retry=False)], [], at(61))
    assert rows("attempt") == [1]


def test_only_named_exceptions_are_tried_again(make, node, at, rows):
    make("raises", trigger="date", trigger_args={"run_date": at(60).isoformat()}, max_retries=1, retry_on=["OSError"])
    make("raises", trigger="date", trigger_args={"run_date": at(70).isoformat()}, max_retries=1, retry_on=["Exception"])
    node.run_until(at(3600))
    assert rows("fire_at", "attempt") == [(at(60), 1), (at(70), 1), (at(70), 2)]
    assert rows("retry_on", attempt=2) == [["Exception"]]


def test_chance_adds_a_share_to_a_delay(running, at, monkeypatch):
    monkeypatch.setattr(recording.random, "random", lambda: 0.5)
    claim = running(max_retries=2, retry_delay=10, retry_jitter=0.4)
    write([outcome(claim, at(61), "failed")], [], at(61))
    retry = TaskExecution.objects.get(attempt=2)
    assert (retry.run_at, retry.retry_jitter) == (at(61 + 12), 0.4)


def test_the_outcome_of_another_process_keeps_what_the_run_has_told(running, at, rows):
    """A node tells the end of a process that it has killed, and does not know what that has printed."""
    claim = running()
    TaskExecution.objects.update(output="printed", progress={"done": 1})
    write([outcome(claim, at(61), "timed_out")], [], at(61))
    assert rows("status", "output", "progress") == [("timed_out", "printed", {"done": 1})]


def test_the_last_word_of_a_run_is_kept(running, at, rows):
    claim = running()
    TaskExecution.objects.update(output="printed", progress={"done": 1})
    write([outcome(claim, at(61), output="printed more", progress={"done": 2})], [], at(61))
    assert rows("output", "progress") == [("printed more", {"done": 2})]


def test_a_backoff_never_leaves_the_calendar(running, at):
    claim = running(max_retries=1000, retry_delay=366 * 86_400, retry_backoff=100.0)
    TaskExecution.objects.update(attempt=90)
    write([outcome(claim, at(61), "failed")], [], at(61))
    assert TaskExecution.objects.get(attempt=91).run_at == at(61) + timedelta(days=366)


def test_a_retry_takes_the_place_of_what_failed(running, at):
    claim = running(max_retries=1)
    waiting = operations.run_task(claim.task_id, now=at(61))
    write([outcome(claim, at(62), "failed")], [], at(62))
    assert TaskExecution.objects.claimable().get().attempt == 2
    waiting.refresh_from_db()
    assert waiting.claim_rank is None


def test_a_retry_of_a_deleted_task_is_none(running, at, rows):
    claim = running(max_retries=1)
    operations.remove_task(claim.task_id, now=at(61))
    write([outcome(claim, at(62), "failed")], [], at(62))
    assert rows("attempt") == [1]


def test_ends_and_starts_are_written_together(running, make, node, at):
    first = running()
    make()
    node.now = at(120)
    node.plan()
    accepted = node.claim()
    result = write([outcome(first, at(121))], accepted, at(121))
    assert [ended.execution_id for ended in result.ended] == [first.id]
    assert result.started == [claim for claim, _ in accepted]


def test_a_group_written_twice_starts_once_and_ends_once(claimed, at):
    accepted = claimed()
    assert write([], accepted, at(61)).started == write([], accepted, at(62)).started
    ended = [outcome(accepted[0][0], at(63))]
    assert len(write(ended, [], at(63)).ended) == 1
    assert write(ended, [], at(63)).ended == []


def test_a_value_that_the_database_refuses_leaves_nothing_half_done(running, make, node, at):
    claim = running()
    bad = outcome(claim, at(61), error="x", duration="no number")
    with pytest.raises(Exception, match="no number"):
        write([bad], [], at(61))
    assert TaskExecution.objects.get().status == "running"


# Halves, to find the one row that cannot be written.


@pytest.mark.parametrize(
    ("ended", "starts", "halves"),
    [
        ("ab", "xy", [("ab", ""), ("", "xy")]),
        ("abc", "", [("a", ""), ("bc", "")]),
        ("", "xyz", [("", "x"), ("", "yz")]),
    ],
)
def test_halves(ended, starts, halves):
    parts = Group(list(ended), list(starts)).halves()
    assert [("".join(part.ended), "".join(part.starts)) for part in parts] == halves
    assert Group.join(parts) == Group(list(ended), list(starts))


def test_only_more_than_one_can_be_split():
    assert not Group(["a"], []).can_split
    assert Group(["a"], ["x"]).can_split
    assert Group([], ["x"]).is_single


def test_an_outcome_of_another_node_is_not_recorded(running, node, at):
    claim = running()
    stranger = replace(outcome(claim, at(61)), node_id=claim.node_id.__class__(int=9))
    assert write([stranger], [], at(61)).ended == []
