"""Secrets in what is shown or kept of a run: by the names of arguments, and by the values that those have.

What a task is given stays in the database as it was given, because its function must get it. It is hidden where it is
shown (API, admin) and in what a run leaves behind (output, error, traceback).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from django_sched_tasks import conf

HIDDEN = "*****"
# A shorter value stands in too many harmless places.
SHORTEST = 4


def is_secret_name(name: str, marked: Collection[str] = ()) -> bool:
    """Whether a parameter or key of this name holds a secret: it is marked, or like a name in ``REDACT``."""
    return name in marked or bool(_names(conf.redact()).search(name.replace("-", "_")))


@lru_cache(maxsize=8)
def _names(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, words)) or "(?!)", re.IGNORECASE)


@lru_cache(maxsize=8)
def _assignments(words: tuple[str, ...]) -> re.Pattern[str]:
    """``password=…``, ``"api_key": "…"`` and the like, in running text."""
    names = "|".join(re.escape(word).replace("_", "[_-]") for word in words) or "(?!)"
    return re.compile(
        rf"""(?P<name>[\w-]*(?:{names})[\w-]*["']?\s*[=:]\s*)(?P<quote>["']?)(?:(?:Bearer|Basic)\s+)?[^\s"',;&(){{}}\[\]]+""",
        re.IGNORECASE,
    )


class Redactor:
    """Hides the secrets of one run in texts."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = sorted({value for value in values if len(value) >= SHORTEST}, key=len, reverse=True)
        self._assignments = _assignments(conf.redact())

    def hide_values(self, text: str) -> str:
        for value in self._values:
            if value in text:
                text = text.replace(value, HIDDEN)
        return text

    def hide(self, text: str) -> str:
        return self._assignments.sub(rf"\g<name>\g<quote>{HIDDEN}", self.hide_values(text))


def secret_values(
    args: Sequence[Any], kwargs: dict[str, Any], names: Sequence[str], marked: Collection[str] = ()
) -> Iterator[str]:
    """The texts among the arguments that are secret; ``names`` are those of the parameters by position."""
    for name, value in [*zip(names, args, strict=False), *kwargs.items()]:
        yield from _texts(value) if is_secret_name(name, marked) else _secret_texts(value)


def _secret_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item) if is_secret_name(str(key)) else _secret_texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secret_texts(item)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
