"""Which inputs a form asks the arguments of a function with."""

import enum
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import pytest

from django_sched_tasks import registry
from django_sched_tasks.registry.resolution import ResolvedFunction
from django_sched_tasks.registry.targets import Inside, signature_of

if TYPE_CHECKING:
    from nowhere import Unknown


class Colour(enum.Enum):
    RED = "r"
    BLUE = 2


def asked(func):
    signature = signature_of(Inside(func, func))
    return registry.inputs(ResolvedFunction("x:y", func, signature, False, func))


def typed(annotation):
    def func(value): ...

    func.__annotations__["value"] = annotation
    (item,) = asked(func)
    return item.type, item.nullable


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, ("text", False)),
        (int, ("integer", False)),
        (float, ("number", False)),
        (Decimal, ("number", False)),
        (bool, ("checkbox", False)),
        (date, ("date", False)),
        (datetime, ("datetime", False)),
        (Annotated[int, "seconds"], ("integer", False)),
        (int | None, ("integer", True)),
        (Optional[str], ("text", True)),  # noqa: UP045 - as people write it
        (int | str, ("any", False)),
        (list[int], ("json", False)),
        (dict, ("json", False)),
        (Any, ("any", False)),
        (Literal["a", 1], ("choice", False)),
        (Literal["a"] | None, ("choice", True)),
        (Colour, ("choice", False)),
        ("int", ("integer", False)),
        ("str | None", ("text", True)),
        ("Unknown", ("any", False)),
        (SimpleNamespace(), ("json", False)),
    ],
)
def test_the_annotation_says_which(annotation, expected):
    assert typed(annotation) == expected


def test_choices_carry_what_is_sent_and_what_is_read():
    def func(size: Literal["s", "m"], colour: Colour = Colour.BLUE): ...

    size, colour = asked(func)
    assert [(choice.value, choice.label) for choice in size.choices] == [("s", "s"), ("m", "m")]
    assert [(choice.value, choice.label) for choice in colour.choices] == [("r", "RED"), (2, "BLUE")]
    assert (size.required, colour.required, colour.default) == (True, False, 2)


def test_without_an_annotation_the_default_says_which():
    def func(a, b=1, c=True, d="x", e=None, *rest, **more): ...

    found = asked(func)
    assert [item.type for item in found] == ["any", "integer", "checkbox", "text", "any", "any", "any"]
    assert [item.required for item in found] == [True, False, False, False, False, False, False]
    assert [item.kind for item in found][-2:] == ["var_positional", "var_keyword"]


def test_defaults_that_json_cannot_hold_are_left_out():
    def func(day=date(2027, 1, 31), where=len): ...

    day, where = asked(func)
    assert (day.type, day.default) == ("date", "2027-01-31")
    assert (where.has_default, where.default) == (True, None)


def test_a_name_for_type_checkers_alone_spoils_nothing():
    def func(known: "int", unknown: "Unknown"): ...

    assert [item.type for item in asked(func)] == ["integer", "any"]


def test_without_a_signature_nothing_is_known():
    assert registry.inputs(ResolvedFunction("x:y", print, None, False, print)) is None
