"""A task module with everything that the registry has to tell apart."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from operator import itemgetter
from subprocess import call  # imported on purpose: may not be scheduled from here
from typing import TYPE_CHECKING, Any

from guild.shop.tasks import sell

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["call", "itemgetter", "os", "sell"]


def restock(kind: str, *, since: str | None = None, price: Decimal | None = None, at: date = date.min) -> str:
    """Fill the shelves.

    More about shelves.
    """
    return f"{kind} {since}"


async def fetch(url: str) -> str:
    """Fetch something."""
    return url


def noisy(func: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that keeps what it wraps."""

    @functools.wraps(func)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return inner


@noisy
def count(shelf: int, /, step: int = 1) -> int:
    """Count a shelf."""
    return shelf + step


wipe = noisy(shutil.rmtree)


def disguised_wipe(*args: Any) -> None:
    """Local by its looks; the function below it is foreign."""


disguised_wipe.__wrapped__ = shutil.rmtree  # type: ignore[attr-defined]


def _secret() -> None:
    """Private."""


def lines() -> Iterator[str]:
    """A generator: a call runs nothing."""
    yield "line"


class Clerk:
    """A class, and its instances can be called."""

    def __call__(self) -> None: ...

    def greet(self) -> None: ...


clerk = Clerk()
greet = clerk.greet
short = lambda: None  # noqa: E731
partial = functools.partial(restock, "bolts")
cached = functools.lru_cache(restock)
length = len
number = 3
