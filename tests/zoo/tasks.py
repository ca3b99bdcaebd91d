"""A zoo of task functions: what people write, and what goes wrong.

Anything a test cannot show with these belongs here as one more animal, not into the test.
"""

import asyncio
import sys
import time
from dataclasses import asdict
from datetime import date
from typing import Any, Literal

from django.db import DatabaseError, connection, transaction
from django.utils import timezone, translation

from django_sched_tasks import current_execution

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


# The ones that raise.


def raises(message: str = "the task raised") -> None:
    raise RuntimeError(message)


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
