"""One execution: its function is called, and whatever happens becomes an outcome."""

import json
import sys
import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone, translation

from django_sched_tasks import database, live, registry, runner
from django_sched_tasks.exceptions import RunCancelled, RunTimedOut
from django_sched_tasks.models.transitions import Claim
from tests.support.waiting import until
from tests.zoo.models import Effect

pytestmark = pytest.mark.django_db

FIRE_AT = datetime(2026, 1, 1, tzinfo=UTC)


def claim(func, *args, **kwargs):
    return Claim(
        id=7,
        task_id=3,
        task_name="T",
        job_id="job",
        func=f"tests.zoo.tasks:{func}",
        kind="schedule",
        fire_at=FIRE_AT,
        run_at=FIRE_AT,
        request="",
        attempt=1,
        args=list(args),
        kwargs=kwargs,
        executor="default",
        executor_options={},
        misfire_grace_time=None,
        timeout=None,
        transactional=False,
        handed_back_at=None,
        queue="default",
        concurrency_key="key",
        parent_id=None,
        retry_on=[],
        node_id=uuid.UUID(int=1),
    )


def run(func, *args, **kwargs):
    taken = claim(func, *args, **kwargs)
    return runner.run(taken, registry.resolve(taken.func))


@pytest.mark.parametrize(
    ("func", "args", "result"),
    [
        ("ok", (), "ok"),
        ("add", (2, 3), 5),
        ("returns_none", (), None),
        ("async_ok", (), "async ok"),
        ("prints", (), None),
    ],
)
def test_the_tame_ones(func, args, result):
    outcome = run(func, *args)
    assert (outcome.status, outcome.result, outcome.error, outcome.traceback) == ("succeeded", result, "", "")
    assert outcome.duration >= 0


def test_an_outcome_says_whose_it_is():
    outcome = run("ok")
    assert (outcome.execution_id, outcome.task_id, outcome.job_id) == (7, 3, "job")
    assert (outcome.node_id, outcome.concurrency_key) == (uuid.UUID(int=1), "key")


@pytest.mark.parametrize(
    ("func", "error"),
    [
        ("raises", "RuntimeError: the task raised"),
        ("raises_chained", "RuntimeError: the import failed"),
        ("raises_nul", "RuntimeError: before\ufffdafter \ufffd"),
        ("raises_unprintable", "Unprintable: <its str() raised RuntimeError>"),
        ("system_exit", "SystemExit: 3"),
        ("keyboard_interrupt", "KeyboardInterrupt"),
        ("recurses", "RecursionError: maximum recursion depth exceeded"),
        ("add", "TypeError: add() missing 1 required positional argument: 'a'"),
    ],
)
def test_the_ones_that_raise(func, error):
    outcome = run(func)
    assert outcome.status == "failed"
    assert outcome.error.startswith(error)
    assert outcome.result is None


def test_a_traceback_shows_the_functions_own_lines_and_causes():
    text = run("raises_chained").traceback
    assert "_read_the_file" in text
    assert "The above exception was the direct cause" in text
    assert "runner.py" not in text


@pytest.mark.parametrize(
    "func",
    [
        "returns_object",
        "returns_nan",
        "returns_nul",
        "returns_surrogate",
        "returns_10mb",
        "returns_circle",
        "returns_unprintable",
    ],
)
def test_a_result_that_is_hard_to_store_is_made_fit(func):
    outcome = run(func)
    assert outcome.status == "succeeded"
    text = json.dumps(outcome.result, allow_nan=False)
    assert len(text) < 70_000
    assert "\\u0000" not in text
    assert "\\ud8" not in text


def test_the_function_knows_its_execution():
    outcome = run("context")
    assert outcome.result == {
        "id": 7,
        "task_id": 3,
        "job_id": "job",
        "kind": "schedule",
        "fire_at": "2026-01-01T00:00:00Z",
        "attempt": 1,
        "idempotency_key": "job:schedule:2026-01-01T00:00:00+00:00",
        "deadline": None,
        "parent": None,
    }


def test_an_executors_limit_is_around_the_call():
    seen = []

    def limit(seconds):
        seen.append(seconds)
        raise ZeroDivisionError

    outcome = runner.run(claim("ok"), registry.resolve("tests.zoo.tasks:ok"), limit=limit)
    assert (seen, outcome.status, outcome.error) == ([None], "failed", "ZeroDivisionError")


def test_what_a_function_activates_does_not_outlive_it():
    run("speaks_chinese_in_tokyo")
    assert translation.get_language() == "en"
    assert timezone.get_current_timezone_name() == "UTC"


# What a function does to the database. In a thread with a connection of its own, as in an executor.


def in_thread(*calls):
    """Call one after the other in one fresh thread; answers what they answered."""
    answers = []

    def work():
        try:
            answers.extend(call() for call in calls)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    return answers


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("func", "result"),
    [
        ("closes_connection", "closed"),
        ("leaves_transaction_broken", "broken"),
        ("leaves_atomic_open", "open"),
        ("sets_autocommit_off", "autocommit off"),
        ("spoils_connection", "spoilt"),
    ],
)
def test_the_next_run_finds_a_clean_connection(func, result):
    def is_clean():
        return not connection.in_atomic_block and connection.get_autocommit() and connection.is_usable()

    bad, good, clean = in_thread(lambda: run(func), lambda: run("effect"), is_clean)
    assert (bad.status, bad.result) == ("succeeded", result)
    assert (good.status, clean) == ("succeeded", True)
    assert list(Effect.objects.values_list("task", flat=True)) == ["effect"]  # what was left open is rolled back


def test_a_callers_transaction_is_left_alone():
    with transaction.atomic():
        assert run("effect").status == "succeeded"
        assert connection.in_atomic_block
    assert Effect.objects.count() == 1


# What it tells, and is told.


def test_what_it_prints_and_logs_is_its_output():
    told = run("chatters", "a", 2).output.splitlines()
    assert [told[0], told[2]] == ["a prints 0", "a prints 1"]
    assert [line.split(" ", 2)[2] for line in (told[1], told[3])] == [
        "INFO zoo.chatter: a logs 0",
        "INFO zoo.chatter: a logs 1",
    ]


@override_settings(SCHED_TASKS={"OUTPUT_LIMIT": 1000, "OUTPUT_LEVEL": "ERROR"})
def test_its_output_is_limited_as_the_settings_say():
    outcome = run("chatters", "a", 500)
    assert outcome.output.startswith("a prints 0\na prints 1\n")
    assert outcome.output.endswith("a prints 499\n")
    assert "characters left out" in outcome.output
    assert len(outcome.output) < 1100


def test_fifty_at_once_keep_their_lines_apart():
    """All of them, and nothing else; threads and coroutines mixed."""
    outcomes = {}

    def work(number):
        kind = "chatters_async" if number % 2 else "chatters"
        outcomes[number] = run(kind, f"run{number}", 40)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 50
    for number, outcome in outcomes.items():
        lines = [line.split(f"run{number} ")[-1] for line in outcome.output.splitlines()]
        assert lines == [f"{verb} {line}" for line in range(40) for verb in ("prints", "logs")]


def test_its_last_progress_is_told():
    assert run("counts", 3, 0).progress == {"done": 2, "total": 3, "message": "number 2"}
    assert run("ok").progress is None


def test_it_knows_its_deadline_and_what_set_it_off():
    taken = replace(claim("context"), timeout=60, parent_id=5)
    result = runner.run(taken, registry.resolve(taken.func)).result
    assert result["parent"] == 5
    left = (datetime.fromisoformat(result["deadline"]) - datetime.now(UTC)).total_seconds()
    assert 50 < left <= 60


def test_secrets_do_not_come_out():
    outcome = run("leaks_password", "hunter22")
    assert "hunter22" not in outcome.output + outcome.error + outcome.traceback
    assert outcome.error == "RuntimeError: refused: *****"
    assert "logging in with *****" in outcome.output


def test_who_has_seen_that_it_is_to_end_and_ends_is_cancelled():
    def cancel():
        until(lambda: live.cancel(7) or done, within=10)

    done = []
    thread = threading.Thread(target=cancel)
    thread.start()
    outcome = run_watched("asks_politely")
    done.append(True)
    thread.join()
    assert (outcome.status, outcome.reason, outcome.result) == ("cancelled", "requested", "tidied up")


def test_a_coroutine_ends_wherever_it_runs():
    """In a worker there is nobody to interrupt a thread."""
    done = []
    thread = threading.Thread(target=lambda: until(lambda: live.cancel(7) or done, within=10))
    thread.start()
    outcome = run_watched("loops_async")
    done.append(True)
    thread.join()
    assert (outcome.status, outcome.error) == ("cancelled", "It was cancelled while it ran.")


@pytest.mark.django_db(transaction=True)
def test_a_database_in_memory_outlives_an_interrupted_run():
    if not database.shares_memory(connection):
        pytest.skip("for a database in memory")

    def function():
        transaction.atomic().__enter__()
        Effect.objects.create(task="left open")
        raise RunCancelled

    taken = claim("ok")
    runner.run(taken, replace(registry.resolve(taken.func), callable=function))
    assert not connection.in_atomic_block
    assert Effect.objects.count() == 0
    with transaction.atomic():
        Effect.objects.create(task="after")
    assert Effect.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [None, ValueError, RunCancelled, RunTimedOut])
def test_a_connection_on_which_a_run_was_interrupted_is_not_used_again(error):
    if database.shares_memory(connection):
        pytest.skip("a database in memory goes with its connection")

    def function():
        connection.ensure_connection()
        connection.close_at = None  # as with CONN_MAX_AGE: it would stay
        used.append(connection.connection)
        if error is not None:
            raise error

    used = []
    taken = claim("ok")
    runner.run(taken, replace(registry.resolve(taken.func), callable=function))
    connection.ensure_connection()
    was_interrupted = error in (RunCancelled, RunTimedOut)
    assert (connection.connection is not used[0]) is was_interrupted


def run_watched(func):
    """In a thread of its own, that is in no transaction of a test."""
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(run(func)))
    thread.start()
    thread.join(20)
    return outcomes[0]


@pytest.mark.parametrize(
    ("names", "may_retry"),
    [
        ([], True),
        (["RuntimeError"], True),
        (["Exception"], True),
        (["builtins.RuntimeError"], True),
        (["OSError", "ValueError"], False),
        (["no.such.module.Error"], False),
    ],
)
def test_it_is_tried_again_for_the_exceptions_named(names, may_retry):
    taken = replace(claim("raises"), retry_on=names)
    assert runner.run(taken, registry.resolve(taken.func)).may_retry is may_retry


class Base(Exception):
    pass


class Derived(Base):
    pass


@pytest.mark.parametrize("name", ["Base", "Derived", "Alias"])
def test_an_exception_is_known_by_the_names_of_its_classes_in_any_module(name, monkeypatch):
    module = ModuleType("a_library")
    module.Alias = Base
    monkeypatch.setitem(sys.modules, "a_library", module)
    where = "a_library" if name == "Alias" else Base.__module__
    assert runner.matches(Derived(), [f"{where}.{name}"])
    assert not runner.matches(Exception(), [f"{where}.{name}"])


@pytest.mark.django_db(transaction=True)
def test_coroutines_leave_no_connection_behind():
    """Nor a thread, and none waits for another's."""
    before = {thread.ident for thread in threading.enumerate()}
    taken = claim("async_effect")
    for _ in range(20):
        assert runner.run(taken, registry.resolve(taken.func)).status == "succeeded"
    assert Effect.objects.count() == 20

    def rest():
        new = [thread for thread in threading.enumerate() if thread.ident not in before]
        return [thread for thread in new if thread.name != "sched-tasks-monitor"]

    until(lambda: not rest(), within=10)
