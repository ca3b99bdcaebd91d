"""How a trigger is refused: say what was given, what is allowed and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches

from django.utils.translation import gettext as _

from django_sched_tasks.exceptions import InvalidTrigger

_LONGEST = 60


def refused(text: str, *, field: str = "trigger_args") -> InvalidTrigger:
    return InvalidTrigger({field: text})


def shown(value: object) -> str:
    """A value as an error may quote it: short, printable, whatever JSON held (deep, huge, NUL, lone surrogates)."""
    if isinstance(value, str):
        text = repr(value[:_LONGEST])
        return text if len(value) <= _LONGEST else f"{text[:-1]}…{text[-1]}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):  # str() of a huge one is slow and then refused by Python itself
        return str(value) if abs(value) < 10**18 else _("a very large number")
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return _("an object")
    if isinstance(value, list | tuple):
        return _("a list") if value else _("an empty list")
    return _("a value of type %(type)s") % {"type": type(value).__name__}


def as_json(value: object) -> str:
    """One of our own examples, as it would be typed."""
    return json.dumps(value, ensure_ascii=False)


def nearest(name: object, known: Iterable[str]) -> list[str]:
    """The known name closest to this one, if any is close."""
    if not isinstance(name, str):
        return []
    by_lower = {candidate.lower(): candidate for candidate in known}
    return [by_lower[match] for match in get_close_matches(name[:64].lower(), by_lower, n=1)]


def unknown_name(name: object, known: Iterable[str], *, text: str, field: str) -> InvalidTrigger:
    """An unknown kind or argument; names the nearest, else all."""
    names = list(known)
    guess = nearest(name, names)
    hint = (
        _("Did you mean '%(name)s'?") % {"name": guess[0]}
        if guess
        else _("Allowed: %(names)s.") % {"names": ", ".join(names)}
    )
    return refused(f"{text} {hint}", field=field)
