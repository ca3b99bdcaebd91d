"""Tasks of Django's task framework, in a module that is no task module of this package."""

import asyncio
from datetime import date
from typing import Any

from django.db import transaction

from django_sched_tasks import current_execution, schedulable
from django_sched_tasks.framework import task

from .models import Effect


class Declined(Exception):
    """A failure of the site's own."""

    class Twice(Exception):
        """One whose class stands in another."""


@task
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@task(priority=10, queue_name="mail")
def send(address: str, *, subject: str = "Hello") -> dict[str, Any]:
    print("sent to", address)
    Effect.objects.create(task="send", key=address)
    return {"sent": [address, subject]}


@task()
async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "rested"


@task(takes_context=True)
def tell(context: Any, word: str) -> dict[str, Any]:
    result, execution = context.task_result, current_execution()
    return {
        "word": word,
        "attempt": context.attempt,
        "id": result.id,
        "status": result.status.value,
        "args": result.args,
        "workers": len(result.worker_ids),
        "request": execution and execution.idempotency_key,
    }


@task
def decline(text: str = "no") -> None:
    raise Declined(text)


@task
def decline_twice() -> None:
    try:
        raise KeyError("first")
    except KeyError:
        raise Declined.Twice("Declined.Twice: of the text") from None


@task
def decline_together() -> None:
    raise ExceptionGroup("several", [ValueError("one"), Declined("two")])


@task
def divide(by: float) -> float:
    return 1 / by


@task(takes_context=True)
def succeed_at(context: Any, attempt: int) -> int:
    """Fail before the attempt with this number."""
    if context.attempt < attempt:
        raise Declined(f"attempt {context.attempt}")
    return int(context.attempt)


@task
def double_dictionary(key: Any) -> dict[Any, Any]:
    return {key: key * 2}


@task
def return_unfit() -> date:
    return date(2026, 1, 1)


@task
def return_much(characters: int) -> str:
    return "x" * characters


@task
def return_nothing() -> None:
    pass


@task
def enqueue_within(fail: bool) -> str:
    with transaction.atomic():
        result = add.enqueue(1)
        if fail:
            raise Declined("rolled back")
    return result.id


@task
def _private(word: str) -> str:
    return word


@task
@schedulable(secrets=["pin"])
def unlock(pin: str) -> None:
    raise Declined(f"wrong pin {pin}")


def plain() -> None:
    """No task at all."""


def other_name() -> str:
    return "other"


# The function goes by another name than its task, so nobody finds it.
named_otherwise = task(other_name)
globals()["other_name"] = plain
