"""What the documentation of Django's task framework promises, kept by our backend; and what is ours beside it."""

import uuid
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import override_settings

from django_sched_tasks import conf, operations, registry
from django_sched_tasks.exceptions import FunctionNotFound, RunCancelled, RunLost, RunTimedOut, StateConflict
from django_sched_tasks.models import TaskExecution
from django_sched_tasks.testing import ManualScheduler
from tests.zoo.models import Effect

if find_spec("django.tasks") is None and find_spec("django_tasks") is None:
    pytest.skip("Django's task framework is not installed", allow_module_level=True)

from django_sched_tasks import framework
from django_sched_tasks.framework import InvalidTask, TaskResultDoesNotExist, TaskResultStatus, task_backends

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OURS = "django_sched_tasks.tasks_backend.DatabaseBackend"
BACKENDS = {
    "default": {"BACKEND": OURS, "QUEUES": ["default", "mail"]},
    "patient": {
        "BACKEND": OURS,
        "QUEUES": [],
        "OPTIONS": {"max_retries": 2, "retry_delay": 30, "timeout": 60, "on_crash": "retry"},
    },
}


@pytest.fixture(autouse=True)
def backends():
    with override_settings(TASKS=BACKENDS):
        yield


@pytest.fixture
def tasks():
    """The module of tasks, imported while the backends that they name are there."""
    from tests.zoo import background

    return background


@pytest.fixture
def scheduler(db):
    with ManualScheduler(now=NOW) as scheduler:
        yield scheduler


@pytest.fixture
def told():
    """The framework's signals, as (name, id, status), in their order."""
    found, receivers = [], {}
    for name in ("task_enqueued", "task_started", "task_finished"):

        def receive(sender, task_result, name=name, **others):
            found.append((name, task_result.id, task_result.status.value))

        getattr(framework, name).connect(receive)
        receivers[name] = receive
    yield found
    for name, receive in receivers.items():
        getattr(framework, name).disconnect(receive)


def after(seconds):
    return NOW + timedelta(seconds=seconds)


def done(result):
    result.refresh()
    return result


# Enqueueing


def test_a_task_is_enqueued_and_runs(tasks, scheduler):
    result = tasks.add.enqueue(20, b=22)

    assert (result.status, result.is_finished, result.attempts) == (TaskResultStatus.READY, False, 0)
    assert (result.args, result.kwargs, result.backend) == ([20], {"b": 22}, "default")
    assert (result.enqueued_at, result.started_at, result.finished_at) == (NOW, None, None)
    assert (result.last_attempted_at, result.worker_ids, result.errors) == (None, [], [])
    scheduler.advance(5)
    (run,) = scheduler.run_due()
    scheduler.advance(5)
    result.refresh()
    assert (result.status, result.return_value, result.is_finished) == (TaskResultStatus.SUCCESSFUL, 42, True)
    assert (result.enqueued_at, result.started_at) == (NOW, after(5))
    assert (result.last_attempted_at, result.finished_at) == (after(5), after(5))
    assert (result.worker_ids, result.attempts) == ([str(scheduler.node.id)], 1)
    assert (run.kind, run.task, run.task_name, run.func) == ("enqueued", None, "add", "tests.zoo.background:add")


def test_the_row_is_an_execution_as_any_other(tasks, scheduler):
    result = tasks.send.enqueue("a@example.org")

    (row,) = TaskExecution.objects.all()
    assert (row.request, row.job_id, row.queue, row.priority) == (result.id, "", "mail", 10)
    assert (row.fire_at, row.run_at, row.queued_at, row.covers, row.claim_rank) == (NOW, NOW, NOW, 1, -10)
    scheduler.run_due()
    row.refresh_from_db()
    assert (row.status, row.output) == ("succeeded", "sent to a@example.org\n")


def test_the_id_is_a_uuid_as_text(tasks, scheduler):
    ids = [tasks.add.enqueue(number).id for number in range(3)]

    assert len(set(ids)) == 3
    assert {(uuid.UUID(result_id).version, uuid.UUID(result_id).variant) for result_id in ids} == {(8, uuid.RFC_4122)}


@pytest.mark.parametrize("moment", [NOW, NOW + timedelta(microseconds=999_999), datetime(2399, 12, 31, 23, tzinfo=UTC)])
def test_a_result_is_found_by_the_moment_in_its_id(tasks, db, moment):
    with ManualScheduler(now=moment):
        result = tasks.add.enqueue(1)

    assert tasks.add.get_result(result.id).enqueued_at == moment


def test_finding_a_result_takes_one_statement(tasks, scheduler, django_assert_num_queries):
    result = tasks.add.enqueue(1)

    with django_assert_num_queries(1):
        assert tasks.add.get_result(result.id) == result


def test_aenqueue_and_aget_result(tasks, scheduler):
    from asgiref.sync import async_to_sync

    async def enqueue():
        result = await tasks.add.aenqueue(1, 2)
        assert await tasks.add.aget_result(result.id) == result
        return result

    result = async_to_sync(enqueue)()
    scheduler.run_due()
    async_to_sync(result.arefresh)()
    assert result.return_value == 3


def test_a_coroutine_is_run(tasks, scheduler):
    result = tasks.nap.enqueue(0.01)
    scheduler.run_due()

    assert done(result).return_value == "rested"


def test_run_after_defers(tasks, scheduler):
    later = tasks.add.using(run_after=after(3600)).enqueue(1)
    (row,) = TaskExecution.objects.all()
    assert (row.fire_at, row.run_at) == (after(3600), after(3600))
    assert later.task.run_after == after(3600)

    assert scheduler.run_due(until=after(3599)) == []
    assert done(later).status == TaskResultStatus.READY
    assert tasks.add.get_result(later.id).task.run_after == after(3600)
    scheduler.run_due(until=after(3600))
    assert (done(later).status, later.started_at) == (TaskResultStatus.SUCCESSFUL, after(3600))


def test_run_after_in_the_past_is_now(tasks, scheduler):
    result = tasks.add.using(run_after=datetime(1950, 1, 1, tzinfo=UTC)).enqueue(1)

    assert [run.fire_at for run in scheduler.run_due()] == [NOW]
    assert done(result).status == TaskResultStatus.SUCCESSFUL


def test_larger_priorities_run_sooner(tasks, scheduler):
    for priority in (-100, 0, 100, 50):
        tasks.add.using(priority=priority).enqueue(priority)

    scheduler.slots = 1
    started = []
    while accepted := scheduler.claim():
        started += [claim.args[0] for claim, _ in accepted]
        scheduler.finish(scheduler.start(accepted))
    assert started == [100, 50, 0, -100]


def test_a_node_takes_the_queues_that_it_serves(tasks, db):
    with ManualScheduler(now=NOW, queues=["mail"]) as scheduler:
        add, send = tasks.add.enqueue(1), tasks.send.enqueue("a")
        scheduler.run_due()

    assert (done(add).status, done(send).status) == (TaskResultStatus.READY, TaskResultStatus.SUCCESSFUL)


def test_using_changes_a_copy(tasks, scheduler):
    changed = tasks.add.using(priority=5, queue_name="mail", backend="default")
    result = changed.enqueue(1)

    assert (tasks.add.priority, tasks.add.queue_name) == (0, "default")
    assert result.task == changed
    assert tasks.add.get_result(result.id).task == changed


def test_what_takes_the_context_gets_it(tasks, scheduler):
    result = tasks.tell.enqueue("word")
    scheduler.run_due()

    assert done(result).return_value == {
        "word": "word",
        "attempt": 1,
        "id": result.id,
        "status": "RUNNING",
        "args": ["word"],
        "workers": 1,
        "request": f":enqueued:{result.id}",
    }


# Arguments and return values


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ([NOW], {}, "argument 1 is a datetime that JSON does not know"),
        ([1], {"b": {1, 2}}, "argument 'b' is a set that JSON does not know"),
        ([b"\xff"], {}, "argument 1 is a bytes that JSON does not know"),
        ([float("nan")], {}, "NaN and Infinity are not JSON numbers"),
        (["\0"], {}, "U+0000"),
        (["x" * 70_000], {}, "bytes of JSON together"),
        ([1, 2, 3], {}, "3 arguments by position are given"),
        ([], {}, "Missing: 'a'"),
        ([1], {"c": 1}, "Unknown: 'c'"),
    ],
)
def test_arguments_that_are_not_json_or_do_not_fit_are_refused(tasks, scheduler, args, kwargs, text):
    with pytest.raises(TypeError, match=r"tests\.zoo\.background\.add cannot be enqueued so: ") as raised:
        tasks.add.enqueue(*args, **kwargs)

    assert text in str(raised.value)
    assert not TaskExecution.objects.exists()


def test_arguments_make_the_round_trip_through_json(tasks, scheduler):
    result = tasks.double_dictionary.enqueue((1, 2, 3))
    scheduler.run_due()

    assert done(result).args == [[1, 2, 3]]
    assert result.errors[0].exception_class is TypeError
    assert "unhashable type: 'list'" in result.errors[0].traceback


def test_a_return_value_that_is_not_json_fails(tasks, scheduler):
    result = tasks.return_unfit.enqueue()
    scheduler.run_due()

    assert done(result).status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is TypeError


@pytest.mark.parametrize(("characters", "status"), [(65_534, "SUCCESSFUL"), (65_535, "FAILED")])
def test_a_return_value_is_kept_whole_or_not_at_all(tasks, scheduler, characters, status):
    result = tasks.return_much.enqueue(characters)
    scheduler.run_due()

    assert done(result).status == status
    if status == "FAILED":
        assert result.errors[0].exception_class is ValueError
        assert "65537 characters of JSON; 65536 are kept" in result.errors[0].traceback
    else:
        assert result.return_value == "x" * characters


def test_none_is_a_return_value(tasks, scheduler):
    result = tasks.return_nothing.enqueue()
    with pytest.raises(ValueError, match="Task has not finished yet"):
        _ = result.return_value
    scheduler.run_due()

    assert done(result).return_value is None


# Errors


@pytest.mark.parametrize(
    ("name", "args", "path"),
    [
        ("decline", [], "tests.zoo.background.Declined"),
        ("decline", ["Declined: x\nValueError: no\nmodule.KeyError"], "tests.zoo.background.Declined"),
        ("decline", ["x" * 30_000], "tests.zoo.background.Declined"),
        ("decline", ["\n" + "x\n" * 15_000], "tests.zoo.background.Declined"),
        ("decline_twice", [], "tests.zoo.background.Declined.Twice"),
        ("decline_together", [], "builtins.ExceptionGroup"),
        ("divide", [0], "builtins.ZeroDivisionError"),
    ],
)
def test_errors_name_their_class(tasks, scheduler, name, args, path):
    result = getattr(tasks, name).enqueue(*args)
    scheduler.run_due()

    assert (done(result).status, len(result.errors)) == (TaskResultStatus.FAILED, 1)
    assert result.errors[0].exception_class_path == path
    with pytest.raises(ValueError, match="Task failed"):
        _ = result.return_value


def test_an_error_has_class_and_traceback(tasks, scheduler):
    result = tasks.decline.enqueue("this time")
    scheduler.run_due()

    (error,) = done(result).errors
    assert error.exception_class is tasks.Declined
    assert error.traceback.startswith("Traceback (most recent call last):")
    assert error.traceback.rstrip().endswith("tests.zoo.background.Declined: this time")


def test_secrets_stay_secret(tasks, scheduler):
    result = tasks.unlock.enqueue("4711-0815")
    (run,) = scheduler.run_due()

    assert done(result).errors[0].exception_class is tasks.Declined
    assert "4711-0815" not in result.errors[0].traceback
    assert registry.hidden_arguments(run.func, run.args, run.kwargs, enqueued=True) == (["*****"], {})


# Results


def test_results_are_found_by_task_and_by_backend(tasks, scheduler):
    result = tasks.add.enqueue(1)

    assert tasks.add.get_result(result.id) == result
    assert task_backends["default"].get_result(result.id) == result
    assert task_backends["default"].get_result(str(uuid.UUID(result.id))) == result


def test_a_result_of_another_task_is_a_mismatch(tasks, scheduler):
    result = tasks.add.enqueue(1)

    with pytest.raises(Exception, match="Task does not match") as raised:
        tasks.send.get_result(result.id)
    assert type(raised.value).__name__ == "TaskResultMismatch"


@pytest.mark.parametrize("result_id", ["", "none", "7", str(uuid.UUID(int=0)), str(uuid.UUID(int=2**128 - 1)), None])
def test_an_unknown_id_has_no_result(tasks, scheduler, result_id):
    with pytest.raises(TaskResultDoesNotExist):
        task_backends["default"].get_result(result_id)


def test_a_result_belongs_to_its_backend(tasks, scheduler):
    result = tasks.add.using(backend="patient").enqueue(1)

    assert task_backends["patient"].get_result(result.id).backend == "patient"
    with pytest.raises(TaskResultDoesNotExist):
        task_backends["default"].get_result(result.id)


def test_an_old_result_can_be_read_after_its_queue_is_gone(tasks, scheduler):
    result = tasks.add.using(queue_name="mail").enqueue(1)

    with override_settings(TASKS={"default": {"BACKEND": OURS}}):
        assert tasks.add.get_result(result.id).args == [1]


# Signals


def test_signals_of_a_run(tasks, scheduler, told):
    result = tasks.add.enqueue(1)
    assert told == [("task_enqueued", result.id, "READY")]
    scheduler.run_due()

    assert told[1:] == [("task_started", result.id, "RUNNING"), ("task_finished", result.id, "SUCCESSFUL")]


def test_signals_of_a_run_that_is_tried_again(tasks, scheduler, told):
    result = tasks.succeed_at.using(backend="patient").enqueue(2)
    scheduler.run_due()
    assert [name for name, _, _ in told] == ["task_enqueued", "task_started"]
    scheduler.run_due(until=after(30))

    assert told[2:] == [("task_started", result.id, "RUNNING"), ("task_finished", result.id, "SUCCESSFUL")]


def test_signals_of_scheduled_tasks_are_not_told(make, scheduler, told):
    make()

    assert len(scheduler.run_due(until=after(60))) == 1
    assert told == []


# Transactions


@pytest.mark.django_db(transaction=True)
def test_what_is_enqueued_takes_part_in_the_transaction(tasks, told):
    with ManualScheduler(now=NOW) as scheduler:
        with transaction.atomic():
            tasks.add.enqueue(1)
            transaction.set_rollback(True)
        assert (TaskExecution.objects.count(), told) == (0, [])

        with transaction.atomic():
            result = tasks.add.enqueue(2)
            assert told == []
        assert told == [("task_enqueued", result.id, "READY")]
        assert len(scheduler.run_due()) == 1


def test_a_task_may_enqueue_another(tasks, scheduler):
    outer, failed = tasks.enqueue_within.enqueue(False), tasks.enqueue_within.enqueue(True)
    runs = scheduler.run_due()

    assert [run.task_name for run in runs] == ["enqueue_within", "enqueue_within", "add"]
    assert tasks.add.get_result(done(outer).return_value).return_value == 2
    assert done(failed).errors[0].exception_class is tasks.Declined


# Attempts


def test_a_failed_attempt_is_tried_again(tasks, scheduler):
    result = tasks.succeed_at.using(backend="patient").enqueue(3)
    scheduler.run_due()
    assert (done(result).status, result.attempts, len(result.errors)) == (TaskResultStatus.READY, 1, 1)
    assert (result.finished_at, result.last_attempted_at) == (None, NOW)
    scheduler.run_due(until=after(60))

    assert (done(result).status, result.return_value, result.attempts) == (TaskResultStatus.SUCCESSFUL, 3, 3)
    assert [error.traceback.split()[-1] for error in result.errors] == ["1", "2"]
    assert (result.started_at, result.last_attempted_at, result.finished_at) == (NOW, after(60), after(60))


def test_retries_end(tasks, scheduler):
    result = tasks.decline.using(backend="patient").enqueue()
    scheduler.run_due(until=after(600))

    assert (done(result).status, result.attempts, len(result.errors)) == (TaskResultStatus.FAILED, 3, 3)


def test_a_failed_result_is_retried_by_hand(tasks, scheduler):
    result = tasks.divide.enqueue(0)
    (run,) = scheduler.run_due()
    again = operations.retry_execution(run.pk, args=[4], user="ann")

    assert (again.attempt, again.request, again.claim_rank) == (2, result.id, 0)
    assert done(result).status == TaskResultStatus.READY
    with pytest.raises(StateConflict, match="has not ended yet"):
        operations.retry_execution(run.pk)
    scheduler.run_due()
    assert (done(result).status, result.return_value) == (TaskResultStatus.SUCCESSFUL, 0.25)
    assert tasks.divide.get_result(result.id).args == [4]
    with pytest.raises(Exception, match="2 arguments by position are given"):
        operations.retry_execution(run.pk, args=[1, 2])


def test_a_cancelled_result_has_failed(tasks, scheduler, told):
    result = tasks.add.enqueue(1)
    operations.cancel_execution(TaskExecution.objects.get().pk, user="ann")

    assert (done(result).status, result.attempts) == (TaskResultStatus.FAILED, 0)
    assert result.errors[0].exception_class is RunCancelled
    assert told[1:] == [("task_finished", result.id, "FAILED")]
    assert scheduler.run_due() == []


def test_the_death_of_a_node_fails_the_result_or_runs_it_again(tasks, scheduler, told):
    lost, again = tasks.add.enqueue(1), tasks.add.using(backend="patient").enqueue(2)
    scheduler.start(scheduler.claim())
    assert done(lost).status == TaskResultStatus.RUNNING
    with ManualScheduler(now=after(60)) as other:
        other.recover()
        assert (done(lost).status, done(again).status) == (TaskResultStatus.FAILED, TaskResultStatus.READY)
        other.run_due()

    assert lost.errors[0].exception_class is RunLost
    assert (done(again).status, again.attempts) == (TaskResultStatus.SUCCESSFUL, 2)
    assert [error.exception_class for error in again.errors] == [RunLost]
    assert [what for what in told if what[0] == "task_finished"] == [
        ("task_finished", lost.id, "FAILED"),
        ("task_finished", again.id, "SUCCESSFUL"),
    ]


def test_a_run_over_its_timeout_has_failed(tasks, scheduler):
    result = tasks.add.enqueue(1)
    accepted = scheduler.start(scheduler.claim())
    from dataclasses import replace

    from django_sched_tasks import recording, runner

    outcome = replace(runner.failed(accepted[0][0], RunTimedOut(), 1.0), finished_at=NOW)
    recording.write(recording.Group([outcome], []), NOW, "default")

    assert done(result).errors[0].exception_class is RunTimedOut


def test_a_function_that_no_node_has_fails_its_result(tasks, scheduler, monkeypatch):
    result = tasks.add.enqueue(1)
    registry.clear_cache()
    monkeypatch.delattr(tasks, "add")
    scheduler.run_due()
    scheduler.advance(conf.node_timeout() + 60)
    scheduler.run_due()
    (row,) = TaskExecution.objects.all()
    monkeypatch.undo()

    assert (row.status, row.reason) == ("failed", "unresolved")
    assert done(result).errors[0].exception_class is FunctionNotFound
    assert "has no function 'add'" in result.errors[0].traceback


# Which functions


def test_tasks_of_any_module_of_the_sites_apps_run(tasks, scheduler):
    assert registry.resolve("tests.zoo.background:_private", enqueued=True).target is tasks._private
    result = tasks._private.enqueue("word")
    scheduler.run_due()

    assert done(result).return_value == "word"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("tests.zoo.background:plain", "is no task of Django's task framework"),
        ("tests.zoo.tasks:ok", "is no task of Django's task framework"),
        ("tests.zoo.background:missing", "has no function 'missing'"),
        ("tests.zoo.background:transaction", "is no task of Django's task framework"),
        ("os:system", "is no module of an installed app"),
        ("django_sched_tasks.executors.django_tasks:run", "is no module of an installed app"),
        ("tests.zoological:run", "is no module of an installed app"),
        ("tests.zoo.background", "is not the path of a function"),
    ],
)
def test_a_row_that_names_anything_else_does_not_run(tasks, scheduler, path, text):
    with pytest.raises(FunctionNotFound, match=text):
        registry.resolve(path, enqueued=True)


def test_a_module_beside_the_apps_is_not_imported_for_a_row():
    import sys

    with pytest.raises(FunctionNotFound):
        registry.resolve("this:s", enqueued=True)
    assert "this" not in sys.modules


def test_what_may_be_enqueued_may_not_be_scheduled_for_that(tasks, db):
    registry.resolve("tests.zoo.background:add", enqueued=True)
    with pytest.raises(FunctionNotFound, match="is not marked with @schedulable"):
        registry.resolve("tests.zoo.background:add")


def test_allowed_funcs_open_other_modules(tasks):
    with override_settings(SCHED_TASKS={"ALLOWED_FUNCS": ["django_sched_tasks.executors.django_tasks:run"]}):
        import django_sched_tasks.executors.django_tasks as module

        assert registry.resolve("django_sched_tasks.executors.django_tasks:run", enqueued=True).target is module.run


def test_a_task_that_nobody_would_find_is_refused(tasks, scheduler):
    with pytest.raises(InvalidTask, match=r"No node could run tests\.zoo\.background\.other_name"):
        tasks.named_otherwise.enqueue()


@pytest.mark.parametrize(
    "changes",
    [{"queue_name": "unknown"}, {"priority": 101}, {"priority": -101}, {"run_after": datetime(2026, 1, 1)}],
)
def test_tasks_that_the_framework_refuses(tasks, changes):
    with pytest.raises(InvalidTask):
        tasks.add.using(**changes)


# The backend


def test_what_the_backend_supports():
    backend = task_backends["default"]

    assert backend.supports_defer
    assert backend.supports_async_task
    assert backend.supports_get_result
    assert backend.supports_priority


def test_options_are_policies(tasks, scheduler):
    tasks.add.using(backend="patient", queue_name="anything").enqueue(1)

    (row,) = TaskExecution.objects.all()
    assert (row.max_retries, row.retry_delay, row.timeout, row.on_crash, row.queue) == (2, 30, 60, "retry", "anything")


def checked(**settings):
    with override_settings(**settings):
        return [(message.id, message.msg) for backend in task_backends.all() for message in backend.check()]


def test_checks_find_nothing_wrong():
    assert checked() == []


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"max_retry": 1}, ("sched_tasks.E020", "TASKS['default']['OPTIONS'] has an unknown name 'max_retry'.")),
        ({"timeout": -1}, ("sched_tasks.E021", "TASKS['default']['OPTIONS']['timeout'] is -1.")),
        ({"executor": "gpu"}, ("sched_tasks.E021", "TASKS['default']['OPTIONS']['executor'] is 'gpu'.")),
        ({"on_crash": "ignore"}, ("sched_tasks.E021", "TASKS['default']['OPTIONS']['on_crash'] is 'ignore'.")),
    ],
)
def test_options_are_checked(tasks, scheduler, options, found):
    backends = {"default": {"BACKEND": OURS, "OPTIONS": options}}

    assert checked(TASKS=backends) == [found]
    with override_settings(TASKS=backends), pytest.raises(ImproperlyConfigured, match="OPTIONS"):
        tasks.add.enqueue(1)


def test_queues_are_checked():
    text = "TASKS['default']['QUEUES'] has the queue 'mail', which no node serves by these settings."
    assert checked(SCHED_TASKS={"QUEUES": ["default"]}) == [("sched_tasks.W020", text)]
    assert checked(SCHED_TASKS={"QUEUES": ["default"], "WEB_QUEUES": {"mail": 1}}) == []

    ((number, text),) = checked(TASKS={"default": {"BACKEND": OURS, "QUEUES": ["x" * 65]}})
    assert (number, "whose name is too long" in text) == ("sched_tasks.E022", True)


def test_our_executor_does_not_send_to_our_backend():
    from django_sched_tasks.executors.django_tasks import DjangoTasksExecutor

    with pytest.raises(ImproperlyConfigured, match="hands them back to the nodes"):
        DjangoTasksExecutor("tasks", backend="default")


def test_history_of_it_is_pruned(tasks, scheduler):
    result = tasks.add.enqueue(1)
    scheduler.run_due()

    assert operations.prune(1, now=after(3 * 86_400)) == 1
    with pytest.raises(TaskResultDoesNotExist, match="old ones are deleted as RETENTION says"):
        result.refresh()


def test_effects_happen_once(tasks, scheduler):
    for number in range(20):
        tasks.send.enqueue(str(number))
    other = ManualScheduler(now=NOW, slots=7)
    while ran := [*other.claim()]:
        other.finish(other.start(ran))
        scheduler.finish(scheduler.start(scheduler.claim()))

    assert Effect.objects.count() == 20
