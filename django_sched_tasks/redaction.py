"""Secrets in what is shown or kept of a run: by the names of arguments, and by the values that those have.

What a task is given stays in the database as it was given, because its function must get it. It is hidden where it is
shown (API, admin) and in what a run leaves behind (output, error, traceback).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django_sched_tasks import conf

HIDDEN = "*****"
# A shorter value stands in too many harmless places.
SHORTEST = 4


def is_secret_name(name: str, marked: Collection[str] = ()) -> bool:
    """Whether a parameter or key of this name holds a secret: it is marked, or like a name in ``REDACT``."""
    return name in marked or _has_a_word(name, conf.redact())


@lru_cache(maxsize=1024)
def _has_a_word(name: str, words: tuple[str, ...]) -> bool:
    return bool(_names(words).search(name.replace("-", "_")))


@lru_cache(maxsize=8)
def _names(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, words)) or "(?!)", re.IGNORECASE)


@lru_cache(maxsize=8)
def _assignments(words: tuple[str, ...]) -> re.Pattern[str]:
    """``password=…``, ``"api_key": "…"`` and the like, in running text.

    It is tried once for each word, at its beginning: otherwise a word of some thousand letters, such as a picture in
    base64, would take minutes.
    """
    names = "|".join(re.escape(word).replace("_", "[_-]") for word in words) or "(?!)"
    return re.compile(
        rf"""(?P<name>(?<![\w-])(?=[\w-]*?(?:{names}))[\w-]++["']?\s*[=:]\s*)(?P<quote>["']?)(?:(?:Bearer|Basic)\s+)?[^\s"',;&(){{}}\[\]]+""",
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


class MissingSecret(ValueError):
    """``*****`` was given where nothing is stored that it could stand for."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is secret of a function's arguments.

    Args:
        names: of its parameters by position.
        marked: those of its parameters that were marked as secret.
    """

    names: Sequence[str] = ()
    marked: Collection[str] = ()

    def hidden(self, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """To be shown: each secret is ``*****``."""
        shown = [_hidden(value, self._is_secret(index)) for index, value in enumerate(args)]
        return shown, {name: _hidden(value, self._is_secret(name)) for name, value in kwargs.items()}

    def restored_args(self, given: list[Any], stored: list[Any]) -> list[Any]:
        """What was shown and given back: ``*****`` stands for the stored secret. Raises MissingSecret."""
        return [
            _restored(value, stored[index] if index < len(stored) else None, self._is_secret(index))
            for index, value in enumerate(given)
        ]

    def restored_kwargs(self, given: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
        return {name: _restored(value, stored.get(name), self._is_secret(name)) for name, value in given.items()}

    def secret_texts(self, args: list[Any], kwargs: dict[str, Any]) -> Iterator[str]:
        """The secrets themselves, as they might be printed."""
        for index, value in enumerate(args):
            yield from _secret_texts(value, self._is_secret(index))
        for name, value in kwargs.items():
            yield from _secret_texts(value, self._is_secret(name))

    def _is_secret(self, place: int | str) -> bool:
        if isinstance(place, int):
            if place >= len(self.names):
                return False
            place = self.names[place]
        return is_secret_name(place, self.marked)


def _hidden(value: Any, is_secret: bool) -> Any:
    if is_secret:
        return None if value is None else HIDDEN
    if isinstance(value, dict):
        return {key: _hidden(item, is_secret_name(key)) for key, item in value.items()}
    return [_hidden(item, False) for item in value] if isinstance(value, list) else value


def _restored(given: Any, stored: Any, is_secret: bool) -> Any:
    if is_secret and given == HIDDEN:
        if stored is None:
            raise MissingSecret
        return stored
    if isinstance(given, dict) and not is_secret:
        inner = stored if isinstance(stored, dict) else {}
        return {
            key: _restored(item, inner.get(key), isinstance(key, str) and is_secret_name(key))
            for key, item in given.items()
        }
    if isinstance(given, list) and not is_secret:
        parts = stored if isinstance(stored, list) else []
        return [_restored(item, parts[i] if i < len(parts) else None, False) for i, item in enumerate(given)]
    return given


def _secret_texts(value: Any, is_secret: bool) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secret_texts(item, is_secret or is_secret_name(key))
    elif isinstance(value, list):
        for item in value:
            yield from _secret_texts(item, is_secret)
    elif is_secret and value is not None and not isinstance(value, bool):
        yield str(value)
