"""What dead nodes leave behind."""

import subprocess
import sys
import uuid

import pytest

from django_sched_tasks import operations
from django_sched_tasks.engine import process, recovery
from django_sched_tasks.models import SchedulerNode, TaskExecution
from django_sched_tasks.testing import ManualScheduler


@pytest.fixture
def other(db, now):
    """The node that stays."""
    return ManualScheduler(now=now)


@pytest.fixture
def runs(make, node, at):
    """A task with one run under way on ``node``."""

    def runs(**changes):
        make(**changes)
        node.now = at(60)
        node.plan()
        return node.start(node.claim())

    return runs


def silence(node, other, seconds=31):
    """``node`` is not heard of for so long."""
    SchedulerNode.objects.filter(pk=node.node.id).update(heartbeat_at=node.now)
    other.now = node.now
    other.advance(seconds)


def state_of(node):
    return SchedulerNode.objects.get(pk=node.node.id).state


@pytest.mark.parametrize(("seconds", "state"), [(29, "alive"), (31, "dead")])
def test_a_silent_node_is_dead_after_the_time_out(node, other, seconds, state):
    silence(node, other, seconds)
    other.recover()
    assert (state_of(node), state_of(other)) == (state, "alive")


def test_nobody_is_judged_by_silence_when_that_is_forbidden(node, other):
    silence(node, other)
    assert not recovery.recover(other.node, other.now, by_timeout=False)
    assert state_of(node) == "alive"


def test_a_node_whose_process_is_gone_is_dead_at_once(node, other):
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = process.started(gone.pid)
    gone.communicate(b"\n")
    SchedulerNode.objects.filter(pk=node.node.id).update(pid=gone.pid, pid_started=started or "1")
    assert recovery.recover(other.node, other.now, by_timeout=False)
    assert state_of(node) == "dead"


def test_a_process_of_another_machine_is_not_judged_by_its_pid(node, other):
    SchedulerNode.objects.filter(pk=node.node.id).update(machine="elsewhere", pid=2**22 + 1, pid_started="1")
    assert not recovery.recover(other.node, other.now, by_timeout=False)


def test_a_claim_goes_back_and_runs_elsewhere(make, node, other, at, rows):
    make()
    node.now = at(60)
    node.plan()
    accepted = node.claim()
    silence(node, other)
    other.recover()
    assert rows("status", "node") == [("queued", None)]
    assert [run.status for run in other.tick() if run.fire_at == at(60)] == ["succeeded"]
    assert node.start(accepted) == []  # the zombie never calls it


def test_a_run_is_lost_and_not_begun_again(runs, node, other, at, rows):
    runs()
    silence(node, other)
    other.recover()
    assert rows("status", "reason", "attempt", "finished_at") == [("lost", "node_died", 1, at(91))]


def test_a_run_that_may_crash_is_begun_again(runs, node, other, at, rows):
    runs(on_crash="retry", priority=2)
    silence(node, other)
    other.recover()
    assert rows("status", "attempt", "run_at", "claim_rank") == [("lost", 1, at(60), None), ("queued", 2, at(91), -2)]
    assert [run.attempt for run in other.tick()] == [2]


@pytest.mark.parametrize(("attempt", "max_retries", "again"), [(3, 0, True), (4, 0, False), (4, 9, True)])
def test_a_function_that_kills_its_process_does_not_do_so_for_ever(runs, other, attempt, max_retries, again):
    runs(on_crash="retry", max_retries=max_retries)
    TaskExecution.objects.update(attempt=attempt)
    other.advance(91)
    other.recover()
    assert TaskExecution.objects.filter(attempt=attempt + 1).exists() == again


def test_a_zombies_late_finish_is_recorded_as_what_it_was(runs, node, other, at, rows):
    started = runs()
    silence(node, other)
    other.recover()
    node.now = at(200)
    node.finish(started)
    assert rows("status", "reason", "finished_at") == [("succeeded", "late", at(200))]


def test_what_waited_for_the_lost_run_is_let_in(runs, node, other, at):
    ((claim, _),) = runs()
    waiting = operations.run_task(claim.task_id, now=at(61))
    silence(node, other)
    other.recover()
    assert TaskExecution.objects.claimable().get() == waiting


def test_losses_count_as_failures(runs, node, other, stored):
    ((claim, _),) = runs(pause_on_failure=1)
    silence(node, other)
    other.recover()
    task = TaskExecution.objects.get(pk=claim.id).task
    assert (task.status, "1 failures in a row" in task.pause_note) == (0, True)


def test_a_sign_of_life_between_looking_and_burying_saves_it(runs, node, other, rows, caplog):
    runs()
    silence(node, other)
    (seen,) = recovery._dead_nodes(other.node.others(), other.now, by_timeout=True, session=None)
    node.node.beat(other.now)
    assert not recovery._bury(seen, other.now, "default")
    assert (state_of(node), rows("status")) == ("alive", ["running"])
    assert "is dead" not in caplog.text


def test_a_node_given_up_comes_back_under_a_new_name(node, other):
    silence(node, other)
    other.recover()
    before = node.node.id
    assert not node.node.beat(other.now)
    node.node.begin_anew(other.now)
    assert node.node.id != before
    assert state_of(node) == "alive"
    assert node.node.beat(other.now)


def test_a_stopped_node_leaves_no_claim_behind(make, node, at, rows):
    make()
    node.now = at(60)
    node.plan()
    node.claim()
    node.node.stopping(at(61))
    node.node.stopped(at(62))
    assert (state_of(node), rows("status", "node")) == ("stopped", [("queued", None)])


# The sweep.


def test_a_follow_up_that_a_crash_cut_off_is_mended(make, node, other, at):
    task = make()
    operations.run_task(task.pk, now=at(1))
    TaskExecution.objects.update(claim_rank=None)
    assert recovery.sweep(other.node, at(2))
    assert TaskExecution.objects.claimable().count() == 1
    assert not recovery.sweep(other.node, at(3))


def test_what_no_node_has_an_executor_for_fails_after_the_time_out(make, other, at, rows):
    operations.run_task(make().pk, now=at(0))
    TaskExecution.objects.update(executor="gpu")
    assert not recovery.sweep(other.node, at(29))
    assert recovery.sweep(other.node, at(31))
    assert rows("status", "reason") == [("failed", "no_executor")]


@pytest.fixture
def claimed_after_burial(make, node, other, at):
    """A node that was given up claims and starts before it notices."""

    def claimed_after_burial():
        silence(node, other)
        other.recover()
        make("ok", max_instances=None)
        make("ok", max_instances=None)
        node.now = at(60)
        node.plan()
        accepted = node.claim()
        node.start(accepted[:1])
        return node.node.id

    return claimed_after_burial


def test_what_a_node_took_after_its_burial_is_mended_once_its_process_is_gone(claimed_after_burial, other, at, rows):
    buried = claimed_after_burial()
    SchedulerNode.objects.filter(pk=buried).update(pid_started="long ago")
    assert recovery.sweep(other.node, at(90))
    assert sorted(rows("status")) == ["lost", "queued"]


def test_what_a_node_took_after_its_burial_ends_where_its_process_lives_on(claimed_after_burial, node, other, at, rows):
    claimed_after_burial()
    node.node.begin_anew(at(61))
    recovery.sweep(other.node, at(90))
    assert sorted(rows("status")) == ["queued", "running"]


def test_the_row_of_a_node_says_what_it_is(node):
    row = SchedulerNode.objects.get(pk=node.node.id)
    assert (row.started_by, row.queues, row.executors, row.slots) == ("testing", None, ["default"], 100)
    assert set(row.versions) == {"python", "django", "apscheduler", "django-sched-tasks"}
    assert isinstance(row.pk, uuid.UUID)


# What runs outside the nodes.


@pytest.fixture
def elsewhere(make, node, at):
    """An execution without a node, in a state, with changes."""

    def elsewhere(status, **changes):
        task = make("effect", on_crash=changes.pop("on_crash", "lose"))
        execution = operations.run_task(task.pk, now=at(0))
        TaskExecution.objects.filter(pk=execution.pk).update(status=status, claim_rank=None, **changes)
        return execution

    return elsewhere


def sweep(node, now, **options):
    recovery.sweep(node.node, now, **options)


def test_a_worker_without_a_sign_of_life_has_lost_its_run(elsewhere, node, at, rows):
    elsewhere("running", started_at=at(0), alive_at=at(0), worker="host:7")
    sweep(node, at(30))
    assert rows("status") == ["running"]
    sweep(node, at(31))
    assert rows("status") == ["lost"]
    assert "host:7" in TaskExecution.objects.get().error


@pytest.mark.parametrize("given", [None, 100, "soon"])
def test_what_no_worker_starts_is_lost(elsewhere, node, at, given):
    patience = given if isinstance(given, int) else 3600
    run = elsewhere("dispatched", dispatched_at=at(0), executor_options={"dispatch_timeout": given} if given else {})
    sweep(node, at(patience))
    run.refresh_from_db()
    assert run.status == "dispatched"
    sweep(node, at(patience + 1))
    run.refresh_from_db()
    assert run.status == "lost"


def test_the_executor_may_say_how_long_that_takes(elsewhere, node, at, rows, settings):
    options = {"dispatch_timeout": 10}
    settings.SCHED_TASKS = {"EXECUTORS": {"default": {"BACKEND": "no.matter", "OPTIONS": options}}}
    elsewhere("dispatched", dispatched_at=at(0))
    sweep(node, at(11))
    assert rows("status") == ["lost"]


def test_a_lost_run_elsewhere_runs_again_where_it_may(elsewhere, node, at, rows):
    elsewhere("running", started_at=at(0), alive_at=at(0), on_crash="retry", message_id="first")
    sweep(node, at(31))
    assert rows("attempt", "status", "message_id", "worker") == [(1, "lost", "first", ""), (2, "queued", "", "")]


def test_after_an_outage_nobody_elsewhere_is_judged_by_silence(elsewhere, node, at, rows):
    elsewhere("running", started_at=at(0), alive_at=at(0))
    sweep(node, at(31), by_timeout=False)
    assert rows("status") == ["running"]


def test_a_message_on_its_way_dies_with_its_node_and_is_sent_anew(elsewhere, node, other, at, rows):
    elsewhere("dispatched", dispatched_at=at(0), node_id=node.node.id, message_id="first")
    silence(node, other)
    recovery.recover(other.node, other.now)
    assert rows("status", "message_id", "node") == [("queued", "", None)]
