"""Dates and windows in which fire times are skipped: how they are read, and what they cover."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_sched_tasks import exclusions
from django_sched_tasks.exceptions import InvalidDefinition

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = {"from_time": "22:00", "until_time": "06:00"}
OFFICE = {"from_time": "09:00", "until_time": "17:30", "weekdays": ["mon", "tue", "wed", "thu", "fri"]}


def local(text, zone=BERLIN, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def is_excluded(value, instant, zone=BERLIN):
    return exclusions.build(value, zone=zone).at(instant)[0]


@pytest.mark.parametrize(
    ("item", "excluded", "free"),
    [
        ({"date": "2026-12-25"}, ["2026-12-25 00:00", "2026-12-25 23:59:59"], ["2026-12-24 23:59:59", "2026-12-26"]),
        (
            {"from": "2026-12-24", "until": "2027-01-01"},
            ["2026-12-24", "2026-12-31 12:00", "2027-01-01 23:59"],
            ["2026-12-23 23:59", "2027-01-02"],
        ),
        (
            {"from": "2026-12-24 12:00", "until": "2026-12-24T18:00:30"},
            ["2026-12-24 12:00", "2026-12-24 18:00:29"],
            ["2026-12-24 11:59:59", "2026-12-24 18:00:30"],
        ),
        ({"from": "2026-12-24T11:00:00Z", "until": "2026-12-24"}, ["2026-12-24 12:00"], ["2026-12-24 11:59"]),
        (
            {"weekdays": ["sat", "Sun"]},
            ["2026-11-28", "2026-11-29 23:59:59"],
            ["2026-11-27 23:59:59", "2026-11-30"],
        ),
        (NIGHT, ["2026-11-25 22:00", "2026-11-25 03:00"], ["2026-11-25 06:00", "2026-11-25 21:59:59"]),
        (
            {**NIGHT, "weekdays": ["sun"]},
            ["2026-11-29 22:00", "2026-11-30 05:59"],
            ["2026-11-29 05:00", "2026-11-28 23:00"],
        ),
        (OFFICE, ["2026-11-23 09:00", "2026-11-27 17:29:59"], ["2026-11-28 12:00", "2026-11-23 17:30"]),
        ({"from_time": "12:00", "until_time": "00:00"}, ["2026-11-23 23:59:59"], ["2026-11-23 00:00"]),
    ],
)  # fmt: skip
def test_what_an_item_covers(item, excluded, free):
    assert [is_excluded([item], local(text)) for text in excluded] == [True] * len(excluded)
    assert [is_excluded([item], local(text)) for text in free] == [False] * len(free)


def test_a_window_is_read_on_the_clock_that_is_shown_also_when_it_is_set_back_or_forward():
    window = [{"from_time": "02:15", "until_time": "02:45"}]
    assert is_excluded(window, local("2026-10-25 02:20"))
    assert not is_excluded(window, local("2026-10-25 02:50"))
    assert not is_excluded(window, local("2026-10-25 02:10", fold=1))
    assert is_excluded(window, local("2026-10-25 02:20", fold=1))
    assert not is_excluded(window, local("2026-03-29 03:00"))  # the clocks skip the whole window


ITEMS = st.one_of(
    st.builds(lambda day: {"date": f"2026-{day}"}, st.sampled_from(["03-28", "03-29", "10-25", "10-26", "12-25"])),
    st.builds(
        lambda begin, end: {
            "from_time": f"{begin // 60:02}:{begin % 60:02}", "until_time": f"{end // 60:02}:{end % 60:02}",
        },
        st.integers(0, 719),
        st.integers(720, 1439),
    ),
    st.builds(
        lambda begin, end, days: {
            "from_time": f"{begin:02}:30", "until_time": f"{end:02}:00", "weekdays": sorted(days),
        },
        st.integers(0, 23),
        st.integers(0, 23),
        st.sets(st.sampled_from(exclusions.DAYS), min_size=1),
    ),
    st.builds(lambda days: {"weekdays": sorted(days)}, st.sets(st.sampled_from(exclusions.DAYS), min_size=1)),
    st.just({"from": "2026-10-24 13:00", "until": "2026-10-25 02:30"}),
)  # fmt: skip


def shown_on_the_clock(item, instant, zone):
    """The plain reading: what does the clock on the wall say?"""
    here = instant.astimezone(zone).replace(tzinfo=None)
    if "date" in item:
        return f"{here:%Y-%m-%d}" == item["date"]
    if "from" in item:
        return local(item["from"], zone) <= instant < local(item["until"], zone)
    days = item.get("weekdays", exclusions.DAYS)
    today, before = (exclusions.DAYS[(here - timedelta(days=back)).weekday()] for back in (0, 1))
    if "from_time" not in item:
        return today in days
    clock, begin, end = f"{here:%H:%M}", item["from_time"], item["until_time"]
    if begin < end:
        return today in days and begin <= clock < end
    return (today in days and clock >= begin) or (before in days and clock < end)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ITEMS, min_size=1, max_size=4),
    st.sampled_from(["Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Shanghai", "America/Sao_Paulo"]),
    st.sampled_from(["2026-03-08", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2026-12-24"]),
)
def test_every_minute_of_three_days_is_as_the_clock_shows_it(items, zone, day):
    zone = ZoneInfo(zone)
    built = exclusions.build(items, zone=zone)
    instant = local(day, zone)
    end = instant + timedelta(days=3)
    until, answer = instant, False
    while instant < end:
        if until is not None and instant >= until:
            answer, until = built.at(instant)
            assert until is None or until > instant
        assert answer == any(shown_on_the_clock(item, instant, zone) for item in items), instant.astimezone(zone)
        instant += timedelta(minutes=1)


def test_the_answer_holds_up_to_the_next_change():
    built = exclusions.build([{"date": "2026-12-25"}, {"weekdays": ["sat", "sun"]}], zone=BERLIN)
    changes = [local("2026-12-24 12:00")]
    answers = []
    for _ in range(5):
        answer, change = built.at(changes[-1])
        answers.append(answer)
        changes.append(change)

    assert answers == [False, True, True, False, True]
    assert changes[1:4] == [local("2026-12-25"), local("2026-12-26"), local("2026-12-28")]
    assert all(one < other for one, other in pairwise(changes))


def test_days_that_cover_the_whole_week_are_for_ever():
    assert exclusions.build([{"weekdays": list(exclusions.DAYS)}], zone=BERLIN).at(local("2026-01-01")) == (True, None)
    assert exclusions.build([NIGHT, {"from_time": "06:00", "until_time": "22:00"}], zone=BERLIN).at(
        local("2026-01-01")
    ) == (True, None)


def test_a_long_list_is_answered_quickly():
    days = [{"date": f"20{year}-{month:02}-15"} for year in range(30, 45) for month in range(1, 13)]
    built = exclusions.build([*days, NIGHT, OFFICE], zone=BERLIN)
    began = perf_counter()
    instant = local("2030-01-01")
    for _ in range(1000):
        instant = built.at(instant)[1]
    assert perf_counter() - began < 1


def test_lists_add_up_and_the_note_is_that_of_the_first_that_covers_it():
    built = exclusions.build([{"date": "2026-12-25", "note": "Christmas"}], [{"weekdays": ["fri"]}], zone=BERLIN)
    assert built.note(local("2026-12-25 12:00")) == "Christmas"
    assert built.note(local("2026-12-18 12:00")) == ""
    assert built.note(local("2026-12-17 12:00")) is None
    assert not exclusions.build([], [], zone=BERLIN)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, ["must be a list"]),
        (None, ["null"]),
        ([{"date": "2026-01-01"}] * 201, ["at most 200"]),
        (["2026-12-25"], ["[0]", "'2026-12-25' is not an object"]),
        ([{}], ["Given: nothing", "date; from + until"]),
        ([{"note": "x"}], ["Given: nothing"]),
        ([{"date": "2026-02-30"}], ["date must be a date", "2026-02-30"]),
        ([{"date": "2026-12-25 10:00"}], ["date must be a date"]),
        ([{"date": 20261225}], ["20261225"]),
        ([{"day": "2026-12-25"}], ["'day' is not a key", "Known are date"]),
        ([{"weekday": ["sat"]}], ["Did you mean 'weekdays'"]),
        ([{"date": "2026-12-25", "weekdays": ["sat"]}], ["Give one of", "date, weekdays"]),
        ([{"from": "2026-12-25"}], ["Give one of", "Given: from"]),
        ([{"from": "2026-12-25", "until": "2026-12-24"}], ["not after from"]),
        ([{"from": "2026-12-25 10:00", "until": "2026-12-25 10:00"}], ["not after from"]),
        ([{"from": "tomorrow", "until": "2026-12-24"}], ["from must be", "'tomorrow'"]),
        ([{"from": "2026-12-25T10", "until": "2026-12-26"}], ["from must be"]),
        ([{"weekdays": []}], ["Given: []", "mon"]),
        ([{"weekdays": "sat"}], ["'sat'"]),
        ([{"weekdays": [5, 6]}], ["[5, 6]", '["sat", "sun"]']),
        ([{"from_time": "22:00"}], ["Give one of"]),
        ([{"from_time": "22:00", "until_time": "24:00"}], ["until_time must be", "'24:00'"]),
        ([{"from_time": "9:00", "until_time": "10:00"}], ["'9:00'"]),
        ([{"from_time": "22:00", "until_time": "22:00"}], ["are the same"]),
        ([{"date": "2026-12-25", "note": 5}], ["note must be text"]),
        ([{"date": "2026-12-25", "note": "\ud800"}], ["note must be text"]),
        ([{"date": "2026-12-25"}, {"date": "x"}, {"date": "y"}], ["[1]", "[2]"]),
        ([{"date": "0001-01-01"}], ["'0001-01-01'"]),
        ([{"date": "9999-12-31"}], ["'9999-12-31'"]),
    ],
)
def test_refused(value, words):
    with pytest.raises(InvalidDefinition) as caught:
        exclusions.read(value)
    text = " ".join(caught.value.errors["exclusions"])
    assert [word for word in words if word not in text] == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(exclusions._KEYS) | st.text(), inner),
        max_leaves=8,
    )
)
def test_whatever_json_holds_it_is_read_or_refused(value):
    try:
        exclusions.read(value)
    except InvalidDefinition as error:
        " ".join(error.errors["exclusions"]).encode()


def test_words():
    assert exclusions.describe([*exclusions.EXAMPLE, NIGHT, {"broken": 1}]) == [
        "2026-12-25 (Christmas)",
        "from 2026-12-24 until 2027-01-01",
        "every Saturday, Sunday",
        "Friday from 22:00 until 06:00",
        "every day from 22:00 until 06:00",
        '{"broken": 1}',
    ]
