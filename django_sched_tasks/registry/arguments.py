"""Whether a function can be called with the arguments that are about to be saved for it."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from django_sched_tasks import conf
from django_sched_tasks.exceptions import InvalidFunction
from django_sched_tasks.payload import clean_text, problem
from django_sched_tasks.registry.resolution import ResolvedFunction
from django_sched_tasks.registry.wording import listing, signature_text

MAX_ARGUMENTS = 64 * 1024


def check_arguments(resolved: ResolvedFunction, args: object, kwargs: object) -> None:
    """Refuse arguments that no database can hold or that the function would not take."""
    if not isinstance(args, list):
        text = _("Arguments by position are a JSON list, not a %(type)s.")
        raise InvalidFunction({"args": text % {"type": type(args).__name__}})
    if not isinstance(kwargs, dict):
        text = _("Arguments by name are a JSON object, not a %(type)s.")
        raise InvalidFunction({"kwargs": text % {"type": type(kwargs).__name__}})
    if found := {key: why for key, value in (("args", args), ("kwargs", kwargs)) if (why := problem(value))}:
        raise InvalidFunction(found)
    _check_size(args, kwargs)
    if resolved.signature is None:
        return
    if found := dict(_unbound(resolved.signature, args, kwargs)):
        raise InvalidFunction(found)
    if resolved.path == conf.RUN_COMMAND:
        _check_command(args, kwargs)


def _check_command(args: list[Any], kwargs: dict[str, Any]) -> None:
    """It is refused again when it runs; now somebody is there to read why."""
    where, name = ("args", args[0]) if args else ("kwargs", kwargs["name"])
    if found := command_problem(name):
        raise InvalidFunction({where: found})


def command_problem(name: object) -> str:
    """Why a management command may not be scheduled; "" where COMMANDS names it."""
    if name in conf.commands():
        return ""
    text = _("The management command %(name)r may not be scheduled. SCHED_TASKS['COMMANDS'] allows: %(names)s.")
    return text % {"name": clean_text(str(name), 80), "names": ", ".join(conf.commands()) or "-"}


def _check_size(args: list[Any], kwargs: dict[str, Any]) -> None:
    of_args, of_kwargs = (len(json.dumps(value, ensure_ascii=False).encode()) for value in (args, kwargs))
    if of_args + of_kwargs > MAX_ARGUMENTS:
        text = _(
            "args and kwargs are %(size)d bytes of JSON together; %(limit)d are allowed."
            " Store the data elsewhere and pass its key."
        )
        larger = "args" if of_args > of_kwargs else "kwargs"
        raise InvalidFunction({larger: text % {"size": of_args + of_kwargs, "limit": MAX_ARGUMENTS}})


def _unbound(signature: inspect.Signature, args: list[Any], kwargs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What of the arguments the signature does not take, as (field, sentence); at most one for each field."""
    parameters = list(signature.parameters.values())
    by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    by_name = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    kinds = {p.kind for p in parameters}
    filled = by_position[: len(args)]
    takes = _("It takes %(signature)s.") % {"signature": signature_text(signature)}
    if len(args) > len(by_position) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        text = _("%(given)d arguments by position are given, %(taken)d are taken. %(takes)s")
        yield "args", text % {"given": len(args), "taken": len(by_position), "takes": takes}
    elif missing := [p.name for p in by_position[len(args) :] if p.kind is p.POSITIONAL_ONLY and p.default is p.empty]:
        yield "args", _("Missing by position: %(names)s. %(takes)s") % {"names": listing(missing), "takes": takes}
    unknown = [name for name in kwargs if name not in by_name]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        text = _("Unknown: %(names)s.%(hint)s %(takes)s")
        hint = _did_you_mean(unknown[0], by_name)
        yield "kwargs", text % {"names": listing(unknown[:3]), "hint": hint, "takes": takes}
    elif twice := [p.name for p in filled if p.kind is p.POSITIONAL_OR_KEYWORD and p.name in kwargs]:
        yield "kwargs", _("Given in args already: %(names)s. %(takes)s") % {"names": listing(twice), "takes": takes}
    elif missing := _missing_by_name(parameters, filled, kwargs):
        yield "kwargs", _("Missing: %(names)s. %(takes)s") % {"names": listing(missing), "takes": takes}


def _missing_by_name(
    parameters: list[inspect.Parameter], filled: list[inspect.Parameter], kwargs: dict[str, Any]
) -> list[str]:
    wanted = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.default is p.empty]
    return [p.name for p in wanted if p not in filled and p.name not in kwargs]


def _did_you_mean(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(clean_text(name, 80), known, n=1)
    return _(" Did you mean '%(name)s'?") % {"name": nearest[0]} if nearest else ""
