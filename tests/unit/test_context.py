"""What a function can learn about the execution that is calling it."""

import asyncio
import pickle
import threading
from dataclasses import FrozenInstanceError, asdict

import pytest

from django_sched_tasks import current_execution
from django_sched_tasks.context import ExecutionContext, enter, leave
from tests.unit.conftest import NOW


@pytest.fixture
def execution():
    context = ExecutionContext(
        id=1, task_id=None, job_id="j", kind="manual", fire_at=NOW, attempt=2, idempotency_key="k"
    )
    token = enter(context)
    yield context
    leave(token)


def test_outside_a_run_there_is_none():
    assert current_execution() is None


def test_inside_a_run_it_is_there(execution):
    assert current_execution() is execution
    assert (execution.fire_at.tzinfo, execution.attempt) == (NOW.tzinfo, 2)


def test_a_coroutine_sees_it_and_a_thread_beside_it_does_not(execution):
    async def ask():
        return current_execution()

    seen = []
    thread = threading.Thread(target=lambda: seen.append(current_execution()))
    thread.start()
    thread.join()
    assert (asyncio.run(ask()), seen) == (execution, [None])


def test_a_function_cannot_change_it(execution):
    with pytest.raises(FrozenInstanceError):
        execution.attempt = 1


def test_without_a_live_side_it_takes_everything_and_asks_for_nothing(execution):
    """As in a test that calls a function with a context of its own."""
    execution.set_progress(1)
    execution.logger.info("to nowhere")
    assert not execution.cancel_requested


def test_it_can_be_copied_and_turned_into_a_dict():
    class Side:
        cancel_requested = True

    context = ExecutionContext(
        id=1, task_id=None, job_id="j", kind="manual", fire_at=NOW, attempt=2, idempotency_key="k", side=Side()
    )
    assert context.cancel_requested
    assert "side" not in asdict(context)
    copied = pickle.loads(pickle.dumps(context))
    assert copied == context
    assert not copied.cancel_requested


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((1,), {"done": 1, "total": None, "message": ""}),
        ((0.5, 2.0, "half"), {"done": 0.5, "total": 2.0, "message": "half"}),
        ((1, 2, "x" * 300), {"done": 1, "total": 2, "message": "x" * 254 + "…"}),
    ],
)
def test_progress_is_told(given, told):
    class Side:
        def set_progress(self, progress):
            seen.append(progress)

    seen = []
    context = ExecutionContext(
        id=1, task_id=None, job_id="j", kind="manual", fire_at=NOW, attempt=2, idempotency_key="k", side=Side()
    )
    context.set_progress(*given)
    assert seen == [told]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (("1",), TypeError, "done is '1'; it must be a number"),
        ((True,), TypeError, "done is True"),
        ((1, "2"), TypeError, "total is '2'"),
        ((1, 2, 3), TypeError, "message is 3; it must be text"),
        ((-1,), ValueError, "done is -1"),
        ((float("nan"),), ValueError, "done is nan"),
        ((1, float("inf")), ValueError, "total is inf"),
        ((10**400,), ValueError, "from 0 to 1e"),
    ],
)
def test_what_is_no_progress_is_refused(execution, given, error, says):
    with pytest.raises(error) as refused:
        execution.set_progress(*given)
    assert says in str(refused.value)
