"""What a function can learn about the execution that is calling it."""

import asyncio
import threading
from dataclasses import FrozenInstanceError

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
