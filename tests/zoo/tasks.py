"""A zoo of task functions: what people write, and what goes wrong.

Anything a test cannot show with these belongs here as one more animal, not into the test.
"""

import asyncio
import logging
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, Literal

from django.db import DatabaseError, connection, transaction
from django.utils import timezone, translation

from django_sched_tasks import current_execution, schedulable
from django_sched_tasks.exceptions import RunCancelled

from .models import Effect

# The tame ones.


def ok() -> str:
    """Return a word."""
    return "ok"


def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


def keywords_only(kind: str, *, since: str | None = None) -> dict[str, str | None]:
    return {"kind": kind, "since": since}


def report(
    kind: Literal["sales", "stock"], *, day: date | None = None, copies: int = 1, draft: bool = False, more: Any = None
) -> str:
    """Write a report.

    It wants at least one copy.
    """
    if copies < 1:
        raise ValueError(f"copies is {copies}; a report needs at least one.")
    return f"{copies} x {kind}"


def returns_none() -> None:
    pass


async def async_ok() -> str:
    await asyncio.sleep(0)
    return "async ok"


def prints(text: str = "hello") -> None:
    print(text)
    print(f"{text}, on stderr", file=sys.stderr)


def sleeps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def effect(label: str = "effect") -> str:
    """Leave one row per call, with the fire time and the key of the execution that called."""
    execution = current_execution()
    if execution is None:
        Effect.objects.create(task=label)
    else:
        Effect.objects.create(task=label, key=execution.idempotency_key, fire_at=execution.fire_at)
    return label


def context() -> dict[str, Any]:
    """What the execution says about itself."""
    execution = current_execution()
    return {} if execution is None else asdict(execution)


def speaks_chinese_in_tokyo() -> None:
    """Change what Django keeps for each thread, and never change it back."""
    translation.activate("zh-hans")
    timezone.activate("Asia/Tokyo")


def slow_effect(label: str = "slow", seconds: float = 1.0) -> str:
    time.sleep(seconds)
    return effect(label)


# The talkative ones.


def chatters(label: str, lines: int = 100) -> None:
    """Print and log in turns, slowly enough to mix with others."""
    for number in range(lines):
        print(f"{label} prints", number)
        logging.getLogger("zoo.chatter").info("%s logs %d", label, number)
        time.sleep(0.001)


async def chatters_async(label: str, lines: int = 100) -> None:
    for number in range(lines):
        print(f"{label} prints", number)
        logging.getLogger("zoo.chatter").info("%s logs %d", label, number)
        await asyncio.sleep(0.001)


def counts(total: int = 1000, pause: float = 0.05) -> int:
    """Tell how far it is, and print it."""
    execution = current_execution()
    assert execution is not None
    for number in range(total):
        execution.set_progress(number, total, f"number {number}")
        print("number", number)
        time.sleep(pause)
    return total


def leaks_password(password: str, token: str = "") -> None:
    """Print what it should not, and raise it."""
    print(f"logging in with {password}")
    raise RuntimeError(f"refused: {password}")


@schedulable(secrets=["pin"])
def keeps_pin(user: str, pin: int) -> str:
    return f"{user} knows it"


# The ones that go on until somebody stops them.


def loops() -> None:
    while True:
        time.sleep(0.01)


async def loops_async() -> None:
    while True:
        await asyncio.sleep(0.01)


async def loops_without_await() -> None:
    while True:
        time.sleep(0.01)


def asks_politely() -> str:
    """Look whether it is to end, and end by itself."""
    execution = current_execution()
    assert execution is not None
    while not execution.cancel_requested:
        time.sleep(0.01)
    return "tidied up"


def is_stubborn(seconds: float = 3.0) -> str:
    """Swallow whatever is raised in it, until it has had its time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            time.sleep(0.01)
        except BaseException as error:
            print("swallowed", type(error).__name__)
    return "done all the same"


async def async_effect(label: str = "async") -> str:
    await Effect.objects.acreate(task=label)
    return label


# The ones that raise.


def effect_then_raises() -> None:
    effect()
    raise RuntimeError("after its effect")


def effect_rolled_back() -> None:
    """Break the transaction that it is called in, and say nothing of it."""
    effect()
    with suppress(DatabaseError), transaction.atomic(savepoint=False):
        raise DatabaseError("not so bad")


def fails_first() -> int:
    """Succeed at the second attempt."""
    execution = current_execution()
    assert execution is not None
    if execution.attempt == 1:
        raise ValueError("the first attempt")
    return execution.attempt


def raises(message: str = "the task raised") -> None:
    raise RuntimeError(message)


def raises_cancelled() -> None:
    """End as a function does that has seen that it is to."""
    raise RunCancelled


def raises_chained() -> None:
    try:
        _read_the_file()
    except FileNotFoundError as error:
        raise RuntimeError("the import failed") from error


def _read_the_file() -> None:
    raise FileNotFoundError("projects.csv")


def raises_nul() -> None:
    raise RuntimeError("before\0after \ud800")


def raises_unprintable() -> None:
    raise Unprintable


class Unprintable(Exception):
    """An exception that fails again when it is put into words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


def system_exit(code: int = 3) -> None:
    sys.exit(code)


def keyboard_interrupt() -> None:
    raise KeyboardInterrupt


def recurses() -> None:
    recurses()


# The ones whose result is hard to store.


def returns_object() -> object:
    return object()


def returns_nan() -> float:
    return float("nan")


def returns_nul() -> str:
    return "before\0after"


def returns_surrogate() -> str:
    return "\ud800"


def returns_10mb() -> str:
    return "x" * (10 * 1024 * 1024)


def returns_circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def returns_unprintable() -> object:
    return Unprintable()


# The ones that treat the database badly. Each says what it did, so the execution itself has succeeded.


def closes_connection() -> str:
    connection.ensure_connection()
    connection.close()
    return "closed"


def leaves_transaction_broken() -> str:
    """Enter a transaction, break it, and never leave it."""
    transaction.atomic().__enter__()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")
    except DatabaseError:
        connection.set_rollback(True)
    return "broken"


def leaves_atomic_open() -> str:
    """Enter a transaction, write to it, and never leave it."""
    transaction.atomic().__enter__()
    Effect.objects.create(task="leaves_atomic_open")
    return "open"


def spoils_connection() -> str:
    """Leave a connection that fails whatever is asked of it."""
    connection.ensure_connection()
    connection.close_if_unusable_or_obsolete = None  # type: ignore[method-assign,assignment]
    return "spoilt"


def sets_autocommit_off() -> str:
    transaction.set_autocommit(False)
    return "autocommit off"


def logs() -> None:
    logging.getLogger("tests.zoo").warning("said in a run")


async def logs_async() -> None:
    logs()


def traces() -> None:
    from opentelemetry import trace

    with trace.get_tracer("the site").start_as_current_span("inner"):
        pass


async def traces_async() -> None:
    traces()


def raises_its_secret(password: str) -> None:
    kept = Path(password)
    raise ValueError(f"wrong password {kept}")
