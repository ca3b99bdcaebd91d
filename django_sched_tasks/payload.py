"""What a function is given, gives back or raises, in a form that every supported database can hold.

A value comes from somebody else's code: its ``repr()`` may raise, its containers may hold themselves, its strings may
hold what PostgreSQL refuses. What keeps such a value (``to_json``, ``describe_error``) therefore never raises.
"""

from __future__ import annotations

import json
import math
import os
import re
import reprlib
from collections.abc import Iterator
from traceback import TracebackException
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import gettext as _

# MariaDB's JSON_VALID(), the check behind its JSON columns, refuses the 32nd level.
MAX_DEPTH = 31
# Python refuses to read or write integers of more than 4300 digits; no honest argument comes near.
MAX_INT_BITS = 1024
MAX_REPR = 4_000
MAX_ERROR = 1_000
MAX_TRACEBACK = 20_000

_UNFIT_CHARACTERS = re.compile("[\x00\ud800-\udfff]")
_OWN_FRAMES = os.path.dirname(os.path.abspath(__file__)) + os.sep


class _Unfit(Exception):
    """The value as a whole cannot become JSON: too large, too deep or holding itself."""


def clean_text(text: str, limit: int) -> str:
    """The text without NUL and lone surrogates, its middle left out where it is longer than the limit."""
    if len(text) > limit:
        text = _without_middle(text, limit)
    return _UNFIT_CHARACTERS.sub("\ufffd", text)


def _without_middle(text: str, limit: int) -> str:
    # The number in the marker shifts its length a little; room for the widest is enough.
    room = limit - len(_left_out(len(text)))
    if room <= 0:
        return text[:limit]
    tail = room // 2
    return text[: room - tail] + _left_out(len(text) - room) + text[len(text) - tail :]


def _left_out(count: int) -> str:
    return f" [… {count} characters left out …] "


def to_json(value: object, limit: int = 65_536) -> object:
    """The value as JSON of at most ``limit`` characters, or ``{"repr": …}`` where JSON cannot carry it."""
    if value is None or value is True or value is False:
        return value
    try:
        result = _Converter(limit).convert(value)
        if len(json.dumps(result, ensure_ascii=False)) <= limit:
            return result
    except BaseException:  # SystemExit from a __str__, RecursionError, MemoryError: the outcome must still be kept
        pass
    return {"repr": _safe_repr(value, min(MAX_REPR, limit // 2))}


class _Converter:
    """One walk over one value; the budget ends it early, also where shared parts would make it exponential."""

    def __init__(self, limit: int) -> None:
        self._budget = limit
        self._open: set[int] = set()

    def convert(self, value: object) -> Any:
        if isinstance(value, dict | list | tuple | set | frozenset):
            return self._container(value)
        self._spend(1)
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int) and value.bit_length() <= MAX_INT_BITS:
            return int.__pos__(value)
        if isinstance(value, float) and math.isfinite(value):
            return float.__pos__(value)
        return self._other(value)

    def _container(self, value: Any) -> Any:
        self._spend(2)
        if id(value) in self._open or len(self._open) >= MAX_DEPTH:
            raise _Unfit
        self._open.add(id(value))
        result: Any
        if isinstance(value, dict):
            result = {self._key(key): self.convert(item) for key, item in value.items()}
        else:
            result = [self.convert(item) for item in value]
        self._open.discard(id(value))
        return result

    def _key(self, key: object) -> str:
        converted = self.convert(key) if not isinstance(key, tuple | frozenset) else _safe_repr(key, MAX_REPR)
        if isinstance(converted, str):
            return converted
        return json.dumps(converted) if not isinstance(converted, dict) else str(converted["repr"])

    def _text(self, value: str) -> str:
        self._spend(len(value))
        return _UNFIT_CHARACTERS.sub("\ufffd", str.__str__(value))

    def _other(self, value: object) -> Any:
        if not isinstance(value, int | float):
            try:
                return self._text(DjangoJSONEncoder().default(value))
            except _Unfit:
                raise
            except BaseException:  # not one of the encoder's types, or its own __str__ raises
                pass
        if len(self._open) >= MAX_DEPTH:
            raise _Unfit
        text = _safe_repr(value, MAX_REPR)
        self._spend(len(text))
        return {"repr": text}

    def _spend(self, characters: int) -> None:
        self._budget -= characters
        if self._budget < 0:
            raise _Unfit


class _Repr(reprlib.Repr):
    """A repr of bounded length that no integer is too long for."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = self.maxdeque = 10
        self.maxstring = self.maxother = MAX_REPR

    def repr_int(self, x: int, level: int) -> str:
        return hex(x) if x.bit_length() > MAX_INT_BITS else super().repr_int(x, level)

    def repr_bytes(self, x: bytes, level: int) -> str:
        return repr(x[:MAX_REPR])  # never four characters for each byte of a large file

    def repr_instance(self, x: object, level: int) -> str:
        try:
            return repr(x)
        except BaseException as error:
            return f"<{_class_name(x)} whose repr() raised {_class_name(error)}>"


def _safe_repr(value: object, limit: int) -> str:
    try:
        return clean_text(_Repr().repr(value), limit)
    except BaseException as error:
        return clean_text(f"<{_class_name(value)} whose repr() raised {_class_name(error)}>", limit)


def _class_name(value: object) -> str:
    # Past any metaclass: a class may answer anything for its own __name__.
    return str.__str__(type.__dict__["__name__"].__get__(type(value)))


def describe_error(error: BaseException) -> tuple[str, str]:
    """The error in one line, and its traceback with its causes, from the first frame that is not ours."""
    line = clean_text(_one_line(error), MAX_ERROR)
    try:
        described = TracebackException.from_exception(error)
        for part in _chain(described):
            _drop_own_frames(part)
        return line, clean_text("".join(described.format()), MAX_TRACEBACK)
    except BaseException:  # formatting calls dir() and repr() on the function's own objects
        return line, line


def _one_line(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except BaseException as failure:
        text = f"<its str() raised {_class_name(failure)}>"
    return f"{_class_name(error)}: {text}" if text else _class_name(error)


def _chain(described: TracebackException) -> Iterator[TracebackException]:
    waiting = [described]
    while waiting:
        part = waiting.pop()
        yield part
        followers = (part.__cause__, part.__context__, *(part.exceptions or ()))
        waiting.extend(follower for follower in followers if follower is not None)


def _drop_own_frames(described: TracebackException) -> None:
    ours = 0
    for frame in described.stack:
        if not frame.filename.startswith(_OWN_FRAMES):
            break
        ours += 1
    if ours < len(described.stack):  # an error of our own keeps its frames: they are all there is to go by
        del described.stack[:ours]


def problem(value: object) -> str | None:
    """What makes this JSON value unfit for one of the supported databases, as a sentence; None where it is fit."""
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, dict | list | tuple):
            if depth > MAX_DEPTH:
                return _("It is nested more than %(limit)d levels deep.") % {"limit": MAX_DEPTH}
            if isinstance(item, dict):
                if any(not isinstance(key, str) for key in item):
                    return _("A name in an object is not a string.")
                waiting.extend((key, depth) for key in item)
            parts = item.values() if isinstance(item, dict) else item
            waiting.extend((part, depth + 1) for part in parts)
        elif sentence := _leaf_problem(item):
            return sentence
    return None


def _leaf_problem(value: object) -> str | None:
    if isinstance(value, str):
        if unfit := _UNFIT_CHARACTERS.search(value):
            text = _("A text holds the character %(character)s, which no JSON column can hold.")
            return text % {"character": f"U+{ord(unfit[0]):04X}"}
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else _("NaN and Infinity are not JSON numbers.")
    if isinstance(value, int):
        text = _("A whole number has more than %(limit)d bits.")
        return None if value.bit_length() <= MAX_INT_BITS else text % {"limit": MAX_INT_BITS}
    return None if value is None else _("A value of type %(type)s is not JSON.") % {"type": _class_name(value)}
