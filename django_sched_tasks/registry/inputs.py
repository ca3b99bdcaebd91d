"""How a form can ask for the arguments of a function: for each parameter the kind of input that fits its annotation.

What a function receives is JSON, whatever its annotations say: a date arrives as ISO text, a member of an enum as its
value.
"""

from __future__ import annotations

import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Union

from django_sched_tasks.payload import problem
from django_sched_tasks.registry.resolution import ResolvedFunction
from django_sched_tasks.registry.targets import look_inside
from django_sched_tasks.registry.wording import annotation_text

_BY_TYPE: dict[Any, str] = {
    bool: "checkbox",
    int: "integer",
    float: "number",
    Decimal: "number",
    str: "text",
    datetime: "datetime",
    date: "date",
}
# Annotations that could not be evaluated, most often for a name that is imported for type checkers alone.
_BY_NAME = {kind.__name__: kind for kind in _BY_TYPE}


@dataclass(frozen=True, slots=True)
class Choice:
    value: Any
    label: str


@dataclass(frozen=True, slots=True)
class Input:
    """What to ask for one parameter.

    ``type`` is ``text``, ``integer``, ``number``, ``checkbox``, ``date``, ``datetime``, ``choice``, ``json``, or
    ``any`` where nothing is known: JSON if it reads as such, else text. ``default`` is None where JSON cannot hold it.
    """

    name: str
    kind: str
    type: str
    annotation: str
    required: bool
    nullable: bool
    has_default: bool
    default: Any
    choices: list[Choice]


def inputs(resolved: ResolvedFunction) -> list[Input] | None:
    """The inputs for all parameters of a function; None where its signature is not known."""
    if resolved.signature is None:
        return None
    hints = _hints(look_inside(resolved.target).func)
    return [_input(parameter, hints) for parameter in resolved.signature.parameters.values()]


def _hints(func: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return inspect.get_annotations(inspect.unwrap(func), eval_str=True)
    except Exception:  # a name that only type checkers import, or whatever the annotation raises
        return {}


def _input(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Input:
    hint, nullable = _without_none(hints.get(parameter.name, _bare(parameter)))
    choices = _choices(hint)
    has_default = parameter.default is not parameter.empty
    default = _plain(parameter.default) if has_default else None
    return Input(
        name=parameter.name,
        kind=parameter.kind.name.lower(),
        type="choice" if choices else _type(hint, parameter.default),
        annotation=annotation_text(parameter),
        required=not has_default and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD),
        nullable=nullable,
        has_default=has_default,
        default=default,
        choices=choices,
    )


def _bare(parameter: inspect.Parameter) -> Any:
    text = parameter.annotation
    if not isinstance(text, str):
        return text
    first, *others = (part.strip() for part in text.split("|"))
    known = _BY_NAME.get(first, text)
    return known | None if others == ["None"] and isinstance(known, type) else known


def _without_none(hint: Any) -> tuple[Any, bool]:
    """The type without ``Annotated`` and ``| None``, and whether None was allowed."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return _without_none(typing.get_args(hint)[0])
    if origin in (Union, types.UnionType):
        members = [member for member in typing.get_args(hint) if member is not type(None)]
        nullable = len(members) < len(typing.get_args(hint))
        return (_without_none(members[0])[0] if len(members) == 1 else object), nullable
    return hint, False


def _choices(hint: Any) -> list[Choice]:
    if typing.get_origin(hint) is Literal:
        values = [_plain(value) for value in typing.get_args(hint)]
        return [Choice(value, str(value)) for value in values if value is not None]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        members = [(member.value, str(getattr(member, "label", member.name))) for member in hint]
        return [Choice(value, label) for value, label in members if _is_scalar(value)]
    return []


def _type(hint: Any, default: Any) -> str:
    if hint is inspect.Parameter.empty:
        return _BY_TYPE.get(type(default), "any")
    if hint in (Any, object) or isinstance(hint, str):
        return "any"
    try:
        return _BY_TYPE.get(hint, "json")
    except TypeError:  # a hint that cannot be hashed
        return "json"


def _plain(value: Any) -> Any:
    """The value as JSON can hold it, None where it cannot."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, date):
        return value.isoformat()
    return value if problem(value) is None else None


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and problem(value) is None
