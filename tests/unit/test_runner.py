"""One execution: its function is called, and whatever happens becomes an outcome."""

import json
import threading
import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.utils import timezone, translation

from django_sched_tasks import registry, runner
from django_sched_tasks.models.transitions import Claim
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
