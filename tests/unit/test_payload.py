"""What other people's code gives back or raises becomes something that a database can hold, whatever it is."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from django_sched_tasks import payload
from django_sched_tasks.payload import clean_text, describe_error, problem, to_json


class Color(Enum):
    RED = 1


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


class Hostile:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error

    __str__ = __repr__


class HostileText(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise SystemExit(1)

    __repr__ = __len__ = __iter__ = __str__  # type: ignore[assignment]


class Lying:
    @property
    def __class__(self):
        raise SystemExit(1)


class HostileError(Exception):
    def __str__(self) -> str:
        raise SystemExit(2)

    __repr__ = __str__


def ring() -> list[object]:
    value: list[object] = [1]
    value.append(value)
    return value


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def diamond(levels: int) -> list[object]:
    """Small in memory, exponential when written out."""
    value: list[object] = []
    for _ in range(levels):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2**200, 2**200),
        (1.5, 1.5),
        ("盘点", "盘点"),
        ("a\x00b\ud800c", "a\ufffdb\ufffdc"),
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        ((1, (2,)), [1, [2]]),
        ({1}, [1]),
        (frozenset({1}), [1]),
        ({1: "a", None: "b", False: "c", 1.5: "d"}, {"1": "a", "null": "b", "false": "c", "1.5": "d"}),
        ({(1, 2): "a", date(2026, 1, 2): "b", "k\x00": "c"}, {"(1, 2)": "a", "2026-01-02": "b", "k\ufffd": "c"}),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00Z"),
        (timedelta(hours=1), "P0DT01H00M00S"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (gettext_lazy("lazy"), "lazy"),
        (Level.HIGH, 3),
        (Word.YES, "yes"),
        (Color.RED, {"repr": "<Color.RED: 1>"}),
        (float("nan"), {"repr": "nan"}),
        (float("-inf"), {"repr": "-inf"}),
        ({"n": 3, "color": Color.RED}, {"n": 3, "color": {"repr": "<Color.RED: 1>"}}),
        (b"ab", {"repr": "b'ab'"}),
        (ring(), {"repr": "[1, [1, [1, [...]]]]"}),
    ],
    ids=lambda _: "",
)
def test_a_value_becomes_json(value, expected):
    result = to_json(value)
    assert result == expected
    assert type(result) is type(expected)
    assert problem(result) is None


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, RecursionError])
def test_a_repr_that_raises_is_said(error):
    assert to_json(Hostile(error())) == {"repr": f"<Hostile whose repr() raised {error.__name__}>"}


@pytest.mark.parametrize("make", [Lying, lambda: HostileText("x"), lambda: {HostileText("x"): HostileText("y")}])
def test_an_object_that_lies_about_itself_does_no_harm(make):
    assert problem(to_json(make())) is None
    assert problem(to_json([make(), 1])) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 100_000,
        lambda: ["x"] * 100_000,
        lambda: dict.fromkeys(map(str, range(100_000))),
        lambda: b"\x00" * 1_000_000,
        lambda: 10**100_000,
        lambda: [10**1_000_000],
        lambda: nested(32),
        lambda: nested(100_000),
        lambda: diamond(30),
        lambda: diamond(200),
        lambda: "\x01" * 30_000,
        lambda: [Hostile(SystemExit())] * 5_000,
        lambda: (number for number in range(3)),
    ],
)
def test_whatever_comes_back_fits(make):
    result = to_json(make())
    assert problem(result) is None
    assert len(json.dumps(result, ensure_ascii=False)) <= 65_536


def test_the_deepest_value_that_fits_is_kept():
    assert to_json(nested(payload.MAX_DEPTH)) == nested(payload.MAX_DEPTH)


def test_a_value_is_kept_up_to_the_limit():
    assert to_json("x" * 98, limit=100) == "x" * 98
    assert set(to_json("x" * 99, limit=100)) == {"repr"}  # type: ignore[call-overload]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner) | st.tuples(inner),
)


@given(anything)
def test_to_json_always_gives_what_a_database_can_hold(value):
    assert problem(to_json(value)) is None


@given(st.text(st.characters()), st.integers(min_value=0, max_value=80))
def test_clean_text_is_clean_and_short(text, limit):
    cleaned = clean_text(text * 5, limit)
    assert len(cleaned) <= limit
    assert problem(cleaned) is None


def test_clean_text_keeps_head_and_tail_and_counts():
    text = "a" * 500 + "b" * 500
    cut = clean_text(text, 100)
    assert cut.startswith("aaa")
    assert cut.endswith("bbb")
    head, _, rest = cut.partition(" [… ")
    count, _, tail = rest.partition(" characters left out …] ")
    assert len(head) + int(count) + len(tail) == 1_000


def raising(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("text"), "ValueError: text"),
        (ValueError(), "ValueError"),
        (ValueError("two\nlines  and\ttabs"), "ValueError: two lines and tabs"),
        (ValueError("a\x00\ud800"), "ValueError: a\ufffd\ufffd"),
        (KeyError("x"), "KeyError: 'x'"),
        (SystemExit(3), "SystemExit: 3"),
        (HostileError(), "HostileError: <its str() raised SystemExit>"),
    ],
)
def test_an_error_is_described(error, line):
    first, trace = describe_error(raising(error))
    assert first == line
    assert "\n" not in first
    assert problem([first, trace]) is None
    assert "raise error" in trace


def test_causes_are_told():
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("outer") from inner
    except ValueError as error:
        _, trace = describe_error(error)
    assert "KeyError: 'inner'" in trace
    assert "direct cause" in trace


def test_our_own_frames_at_the_top_are_left_out(tmp_path):
    ours = Path(payload.__file__).parent / "runner_of_this_test.py"
    namespace: dict = {}
    exec(compile("def run(function):\n    function()\n", str(ours), "exec"), namespace)

    def task():
        namespace["run"](fail)

    def fail():
        raise ValueError("deep")

    with pytest.raises(ValueError, match="deep") as caught:
        namespace["run"](task)
    error = caught.value.with_traceback(caught.tb.tb_next)  # from our frame on
    _, trace = describe_error(error)
    assert trace.splitlines()[1].endswith("in task")
    assert trace.count("runner_of_this_test") == 1


def test_an_error_of_our_own_keeps_its_frames():
    ours = Path(payload.__file__).parent / "runner_of_this_test.py"
    with pytest.raises(ZeroDivisionError) as caught:
        exec(compile("1 / 0", str(ours), "exec"))
    _, trace = describe_error(caught.value.with_traceback(caught.tb.tb_next))
    assert "runner_of_this_test" in trace


def test_a_huge_error_is_cut():
    first, trace = describe_error(raising(ValueError("x" * 1_000_000)))
    assert len(first) <= payload.MAX_ERROR
    assert len(trace) <= payload.MAX_TRACEBACK


def test_an_error_group_is_told():
    _, trace = describe_error(raising(ExceptionGroup("both", [ValueError("one"), TypeError("two")])))
    assert "ValueError: one" in trace
    assert "TypeError: two" in trace


def test_endless_recursion_is_described():
    def forever() -> None:
        forever()

    with pytest.raises(RecursionError) as caught:
        forever()
    first, trace = describe_error(caught.value)
    assert first.startswith("RecursionError")
    assert len(trace) <= payload.MAX_TRACEBACK


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 1.5, "x", "盘点", [1, [2]], {"a": {"b": []}}, nested(payload.MAX_DEPTH), 2**1000],
    ids=range(10),
)
def test_fit_values_have_no_problem(value):
    assert problem(value) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("\x00", "U+0000"),
        (["\udfff"], "U+DFFF"),
        ({"\x00": 1}, "U+0000"),
        ({1: 1}, "not a string"),
        (float("nan"), "NaN"),
        ([float("inf")], "NaN and Infinity"),
        (nested(32), "31 levels"),
        (nested(100_000), "31 levels"),
        (ring(), "31 levels"),
        (2**1024, "1024 bits"),
        (date(2026, 1, 1), "type date is not JSON"),
        ({1, 2}, "type set is not JSON"),
    ],
    ids=range(12),
)
def test_an_unfit_value_is_explained(value, words):
    assert words in str(problem(value))
