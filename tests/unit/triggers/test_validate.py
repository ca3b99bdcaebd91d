"""What validate() refuses, how it says so, and that nothing else ever comes out of it."""

from __future__ import annotations

from datetime import UTC, datetime
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.triggers import KINDS, build, validate

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def errors(trigger, trigger_args, **options):
    with pytest.raises(InvalidTrigger) as caught:
        validate(trigger, trigger_args, now=NOW, **options)
    (field, texts), *rest = caught.value.errors.items()
    assert not rest
    return field, " ".join(texts)


@pytest.mark.parametrize(
    ("trigger", "words"),
    [("corn", "'cron'"), ("Interval", "'interval'"), ("xyz", "calendarinterval"), (None, "null"), (["cron"], "a list"),
     ({}, "an object"), (5, "5"), ("\x00\ud800", r"\ud800"), ("c" * 10**6, "…")],
)  # fmt: skip
def test_unknown_kind(trigger, words):
    field, text = errors(trigger, {})
    assert field == "trigger"
    assert words in text
    assert len(text) < 300
    text.encode()  # what cannot be encoded could not be answered


@pytest.mark.parametrize("trigger_args", [None, [], "hour", 5, True])
def test_arguments_must_be_an_object(trigger_args):
    field, text = errors("cron", trigger_args)
    assert field == "trigger_args"
    assert '{"hour": 2, "minute": 0}' in text


@pytest.mark.parametrize(
    ("trigger", "args", "words"),
    [
        ("cron", {"minuts": 5}, "'minute'"),
        ("interval", {"minuts": 5}, "'minutes'"),
        ("date", {"run_date": "2027-01-01", "jitter": 5}, "run_date, timezone"),
        ("crontab", {"expresion": "* * * * *"}, "'expression'"),
        ("cron", {5: 1}, "5 is not an argument"),
        ("cron", {"hour": "25"}, "0-23"),
        ("cron", {"month": 2, "day": 30}, '{"hour": 2, "minute": 0}'),
        ("cron", {"year": 2020}, "never fires"),
        ("cron", {"hour": 2, "end_date": "2020-01-01"}, "until end_date"),
        ("cron", {"hour": 2, "start_date": "2028-01-01", "end_date": "2027-01-01"}, "before start_date"),
        ("date", {"run_date": "2020-01-01"}, "past"),
        ("date", {"run_date": "2026-03-01T00:00:00Z"}, "past"),
        ("cron", {"hour": 2, "timezone": "Asia/Shangai"}, "'Asia/Shanghai'"),
        ("cron", {"hour": 2, "timezone": "berlin"}, "'Europe/Berlin'"),
        ("cron", {"hour": 2, "timezone": ["UTC"]}, "time zone"),
        ("interval", {"hours": 1, "end_date": "2026-03-01T00:30:00Z"}, "never fires"),
    ],
)
def test_refusals_teach(trigger, args, words):
    field, text = errors(trigger, args)
    assert field == "trigger_args"
    assert words in text


@pytest.mark.parametrize(
    "zone",
    ["Mars/Base", "right/UTC", "../etc/passwd", "europe/berlin", "Europe", "\x00", "\ud800", 5],
)
def test_a_zone_of_the_task_is_refused_under_its_name(zone):
    assert errors("cron", {"hour": 2}, timezone=zone)[0] == "timezone"


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_each_kind_is_right(kind):
    validate(kind, KINDS[kind].example, now=NOW)
    assert KINDS[kind].name == kind


@pytest.mark.parametrize(
    "args",
    [{"week": 1, "month": 7}, {"week": 1, "month": "3-11"}, {"week": 53, "day": 15}, {"month": 2, "day": 30},
     {"month": 6, "week": "1-20", "day_of_week": "mon", "second": "*"}],
)  # fmt: skip
def test_what_never_fires_is_found_out_soon(args):
    begin = perf_counter()
    errors("cron", args, timezone="Europe/Berlin")
    assert perf_counter() - begin < 0.5  # some 20 ms on an idle machine


# --- anything JSON can hold -------------------------------------------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.integers(10**18, 10**40) | st.floats()
    | st.text(st.characters(codec=None))
    | st.sampled_from(["*", "*/5", "1-5", "mon-fri", "last", "2nd fri", "2027-01-31", "* * * * *", "UTC", "@daily"])
)  # fmt: skip
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@st.composite
def definitions(draw):
    kind = draw(st.sampled_from(sorted(KINDS)))
    names = st.sampled_from(KINDS[kind].arguments)
    nested = st.fixed_dictionaries({"trigger": st.sampled_from(sorted(KINDS)), "trigger_args": JSON})
    values = SCALARS | st.lists(nested, max_size=3) if kind == "or" else SCALARS
    return kind, draw(st.dictionaries(names, values, max_size=4))


@given(JSON, JSON)
@settings(max_examples=100, deadline=None)
def test_no_json_raises_anything_else(trigger, trigger_args):
    try:
        validate(trigger, trigger_args, now=NOW)
    except InvalidTrigger as error:
        str(error).encode()


@given(definitions(), st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]))
@settings(max_examples=250, deadline=None)
def test_what_passes_fires_strictly_later_each_time(definition, zone):
    kind, args = definition
    try:
        validate(kind, args, timezone=zone, now=NOW)
    except InvalidTrigger as error:
        str(error).encode()
        return
    trigger = build(kind, args, timezone=zone, anchor=NOW)
    moment = NOW
    for _ in range(5):
        begin = perf_counter()
        following = trigger.next_after(moment)
        assert perf_counter() - begin < 0.5
        if following is None:
            break
        assert following > moment
        moment = following


def test_a_deep_list_is_no_trouble():
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    errors("cron", {"hour": deep})
    errors("or", {"triggers": deep})
    errors(deep, deep)
