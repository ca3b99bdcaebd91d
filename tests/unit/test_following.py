"""Tasks that run after another."""

import pytest

from django_sched_tasks import operations, planning, runner
from django_sched_tasks.engine import recovery
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import Reason, SchedulerTask, TaskExecution
from django_sched_tasks.testing import ManualScheduler

NEVER = {"trigger": "cron", "trigger_args": {"year": 2090}}


@pytest.fixture
def first(make):
    """The task that others follow; it runs when it is asked to."""

    def first(func="ok", **changes):
        return make(func, job_id="first", **NEVER, **changes)

    return first


@pytest.fixture
def follow(make):
    def follow(job_id="first", outcome=None, func="ok", **changes):
        args = {"job_id": job_id} | ({} if outcome is None else {"outcome": outcome})
        return make(func, trigger="after", trigger_args=args, **changes)

    return follow


@pytest.fixture
def end(node, at):
    """Run a task once, and all that this leads to; answers what ran, as pairs of name and status."""

    def end(task):
        operations.run_task(task.pk, now=node.now)
        return [(run.task_id, run.status) for run in node.tick()]

    return end


def test_it_is_active_without_a_next_run(first, follow):
    first()
    task = follow()
    assert (task.status, task.next_run, task.follows, task.schedule_error) == (1, None, "first", "")


def test_it_runs_when_the_other_has_succeeded_and_knows_which(first, follow, end, rows):
    one, two = first(), follow(func="context")
    assert end(one) == [(one.pk, "succeeded"), (two.pk, "succeeded")]
    row = TaskExecution.objects.get(task=two)
    cause = TaskExecution.objects.get(task=one)
    assert (row.parent_id, row.kind, row.fire_at) == (cause.pk, "schedule", cause.finished_at)
    assert SchedulerTask.objects.get(pk=two.pk).fire_count == 1


@pytest.mark.parametrize(("func", "outcomes"), [("ok", {"succeeded", "finished"}), ("raises", {"failed", "finished"})])
def test_the_outcome_that_is_waited_for(first, follow, end, func, outcomes):
    one = first(func)
    followers = {follow(outcome=outcome).pk: outcome for outcome in ("succeeded", "failed", "finished")}
    assert {followers[task] for task, _ in end(one)[1:]} == outcomes


def test_a_failure_counts_when_no_retry_is_left(first, follow, end):
    one, two = first("raises", max_retries=1, retry_delay=0), follow(outcome="failed")
    assert end(one) == [(one.pk, "failed"), (one.pk, "failed"), (two.pk, "succeeded")]


def test_a_chain(first, follow, end):
    one, two, three = first(), follow(job_id="first"), None
    SchedulerTask.objects.filter(pk=two.pk).update(job_id="second")
    three = follow(job_id="second")
    assert [task for task, _ in end(one)] == [one.pk, two.pk, three.pk]


def test_a_paused_one_does_not_follow(first, follow, end, node):
    one, two = first(), follow()
    operations.pause_task(two.pk, now=node.now)
    assert end(one) == [(one.pk, "succeeded")]
    operations.resume_task(two.pk, now=node.now)
    assert (two.pk, "succeeded") in end(one)


def test_an_edit_by_sql_is_followed_from_the_next_pass(first, follow, end, node, make):
    one, two, other = first(), follow(), make(job_id="other", **NEVER)
    SchedulerTask.objects.filter(pk=two.pk).update(trigger_args={"job_id": "other"})
    node.plan()
    assert end(one) == [(one.pk, "succeeded")]
    assert (two.pk, "succeeded") in end(other)


def test_each_end_counts_once(first, follow, node, at):
    one, two = first(), follow(max_instances=None)
    execution = operations.run_task(one.pk, now=node.now)
    ended = [operations.Ended(execution.pk, "first", "succeeded")]
    assert len(operations.queue_followers(ended, at(1), using="default")) == 1
    assert operations.queue_followers(ended, at(2), using="default") == []
    assert TaskExecution.objects.filter(task=two).count() == 1


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        ({"overlap": "skip"}, [("queued", "", True), ("skipped", "overlap", False), ("skipped", "overlap", False)]),
        ({"overlap": "queue"}, [("queued", "", True), ("queued", "", False), ("queued", "", False)]),
        (
            {"overlap": "queue", "max_catch_up": 1},
            [("queued", "", True), ("queued", "", False), ("skipped", "queue_full", False)],
        ),
        ({"overlap": "replace"}, [("queued", "", True), ("cancelled", "replaced", False), ("queued", "", False)]),
        ({"max_instances": None}, [("queued", "", True)] * 3),
    ],
)
def test_its_limit_holds(first, follow, at, policy, found):
    first()
    two = follow(**policy)
    for number in (1, 2, 3):
        operations.queue_followers([operations.Ended(number, "first", "succeeded")], at(number), using="default")
    rows = TaskExecution.objects.filter(task=two).order_by("pk")
    assert [(row.status, row.reason, row.claim_rank is not None) for row in rows] == found
    counted = SchedulerTask.objects.get(pk=two.pk)
    assert (counted.fire_count, counted.skipped_count) == (3, sum(status == "skipped" for status, _, _ in found))


def test_a_lost_run_is_a_failure(first, follow, node, at):
    one, two = first(), follow(outcome="failed")
    operations.run_task(one.pk, now=node.now)
    node.start(node.claim())
    runs = TaskExecution.objects.filter(task=one)
    recovery.lose_runs(runs, at(1), "default", reason=Reason.NODE_DIED)
    assert TaskExecution.objects.get(task=two).status == "queued"


def test_a_transactional_run_sets_off_its_followers_with_its_end(first, follow, node, at):
    one, two = first("effect", transactional=True), follow()
    operations.run_task(one.pk, now=node.now)
    ((claim, function),) = node.start(node.claim())
    runner.run(claim, function, clock=lambda: at(1))
    assert TaskExecution.objects.get(task=two).parent_id == claim.id
    node.tick()
    assert TaskExecution.objects.filter(task=two).count() == 1


def test_a_function_that_nobody_has_is_a_failure(first, follow, at, settings):
    settings.SCHED_TASKS = {"NODE_TIMEOUT": 10}
    one, two = first(), follow(outcome="failed")
    SchedulerTask.objects.filter(pk=one.pk).update(func="tests.zoo.tasks:gone")
    operations.run_task(one.pk, now=at(0))
    node = ManualScheduler(now=at(0))
    for seconds in (0, 5, 11, 30):
        node.now = at(seconds)
        node.tick()
    assert TaskExecution.objects.get(task=one).reason == "unresolved"
    assert TaskExecution.objects.get(task=two).status == "succeeded"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({}, "Give job_id"),
        ({"job_id": 5}, "Give job_id"),
        ({"job_id": "first", "outcome": "late"}, "Allowed: succeeded, failed, finished"),
        ({"job_id": "nobody"}, "no task with the job id 'nobody'"),
        ({"job": "first"}, "job_id"),
    ],
)
def test_refusals(first, make, args, says):
    first()
    with pytest.raises(InvalidDefinition) as error:
        make(trigger="after", trigger_args=args)
    assert says in error.value.errors["trigger_args"][0]
    assert SchedulerTask.objects.count() == 1


def test_it_cannot_be_one_of_several(first, make):
    first()
    parts = [{"trigger": "after", "trigger_args": {"job_id": "first"}}]
    with pytest.raises(InvalidDefinition, match="make a task of its own"):
        make(trigger="or", trigger_args={"triggers": parts})


def test_a_circle_is_refused(first, follow):
    one, two = first(), follow(job_id="first")
    SchedulerTask.objects.filter(pk=two.pk).update(job_id="second")
    with pytest.raises(InvalidDefinition, match="without an end"):
        operations.update_task(one.pk, {"trigger": "after", "trigger_args": {"job_id": "second"}})
    assert SchedulerTask.objects.get(pk=one.pk).trigger == "cron"


def test_an_idle_pass_leaves_it_alone(first, follow, node, at):
    first(), follow()
    assert planning.plan(at(10_000), using="default").tasks == 0
