"""The secrets among the arguments of a task or an execution: hidden where shown, put back where given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils.translation import gettext as _

from django_sched_tasks.exceptions import FunctionNotFound, InvalidFunction
from django_sched_tasks.redaction import HIDDEN, Arguments, MissingSecret
from django_sched_tasks.registry.resolution import resolve


def hidden_arguments(func: str, args: Any, kwargs: Any, *, enqueued: bool = False) -> tuple[Any, Any]:
    """The arguments as they may be shown. Of a function that is not found here, secrets are known by name only.

    ``enqueued`` are those of an execution that Django's task framework has asked for.
    """
    secrets = _arguments_of(func, enqueued)
    shown_args, shown_kwargs = secrets.hidden(
        args if isinstance(args, list) else [], kwargs if isinstance(kwargs, dict) else {}
    )
    return (shown_args if isinstance(args, list) else args), (shown_kwargs if isinstance(kwargs, dict) else kwargs)


def restored_arguments(
    func: Any, given: dict[str, Any], args: Any, kwargs: Any, *, enqueued: bool = False
) -> dict[str, Any]:
    """What was given, with the stored secret wherever a hidden one was given back in its ``args`` or ``kwargs``.

    Raises InvalidFunction where nothing is stored that it could stand for.
    """
    secrets, restored = _arguments_of(func, enqueued), dict(given)
    if isinstance(given.get("args"), list):
        with _telling("args"):
            restored["args"] = secrets.restored_args(given["args"], args if isinstance(args, list) else [])
    if isinstance(given.get("kwargs"), dict):
        with _telling("kwargs"):
            restored["kwargs"] = secrets.restored_kwargs(given["kwargs"], kwargs if isinstance(kwargs, dict) else {})
    return restored


@contextmanager
def _telling(name: str) -> Iterator[None]:
    try:
        yield
    except MissingSecret as error:
        text = _("%(hidden)s stands for a secret that is stored already, and none is. Give its value.")
        raise InvalidFunction({name: text % {"hidden": HIDDEN}}) from error


def _arguments_of(func: Any, enqueued: bool) -> Arguments:
    try:
        return resolve(func, enqueued=enqueued).arguments
    except FunctionNotFound:
        return Arguments()
