from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.triggers import build, preview

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def texts(low, high, *more):
    number = st.integers(low, high)
    span = st.tuples(number, number).map(sorted).map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.integers(1, max(1, (high - low) // 2)).map(lambda step: f"*/{step}")
    one = st.one_of(number.map(str), span, steps, st.sampled_from(["*", *more]))
    return st.lists(one, min_size=1, max_size=3).map(",".join)


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "month": texts(1, 12, "jan-mar", "DEC"),
        "day": texts(1, 28, "last", "2nd fri", "last sun"),
        "week": texts(1, 53),
        "day_of_week": texts(0, 6, "mon-fri", "Sun"),
        "hour": texts(0, 23),
        "minute": texts(0, 59),
        "second": texts(0, 59),
    },
).filter(bool)


@given(FIELDS, st.integers(0, 4 * 366 * 86_400))
@settings(max_examples=60, deadline=None)
def test_where_no_clock_changes_it_is_apschedulers_cron(fields, seconds):
    after = NOW + timedelta(seconds=seconds)
    end = after + timedelta(days=500)
    theirs, expected, moment = CronTrigger(**fields, timezone=UTC, end_date=end), [], after
    while moment is not None and len(expected) < 4:
        moment = theirs.get_next_fire_time(None, moment + timedelta(microseconds=1))
        if moment is not None:
            expected.append(moment)
    args = {**fields, "end_date": end.isoformat()}
    assert preview("cron", args, timezone="UTC", after=after, count=4) == expected


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({"hour": "2"}, "2026-03-01 02:00"),
        ({"hour": 2, "minute": None}, "2026-03-01 02:00"),
        ({"day_of_week": 0}, "2026-03-02 00:00"),
        ({"day": "last", "hour": 23}, "2026-03-31 23:00"),
        ({"day": "2nd fri"}, "2026-03-13 00:00"),
        ({"month": 2, "day": 29}, "2028-02-29 00:00"),
        ({"year": "2030"}, "2030-01-01 00:00"),
        ({"week": 53}, "2026-12-28 00:00"),
        ({"minute": " 5 , 10 "}, "2026-03-01 00:05"),
        ({"second": "*/20"}, "2026-03-01 00:00:20"),
    ],
)
def test_first_fire_time(fields, first):
    expected = datetime.fromisoformat(first).replace(tzinfo=UTC)
    assert preview("cron", fields, timezone="UTC", after=NOW, count=1) == [expected]


def test_start_and_end_are_inclusive_and_in_the_zone():
    args = {"hour": 9, "start_date": "2026-03-05 09:00", "end_date": "2026-03-06T09:00:00", "timezone": "Asia/Shanghai"}
    assert preview("cron", args, timezone="UTC", after=NOW) == [
        datetime(2026, 3, 5, 1, tzinfo=UTC),
        datetime(2026, 3, 6, 1, tzinfo=UTC),
    ]


def test_an_aware_bound_is_honoured():
    args = {"hour": 9, "end_date": "2026-03-01T09:00:00+02:00", "start_date": "2026-02-01T00:00:00Z"}
    assert preview("cron", args, timezone="Europe/Berlin", after=NOW) == []
    assert preview("cron", args, timezone="Europe/Athens", after=NOW) == [datetime(2026, 3, 1, 7, tzinfo=UTC)]


@pytest.mark.parametrize(
    "fields",
    [
        {"hour": "25"},
        {"hour": 25},
        {"hour": -1},
        {"hour": True},
        {"hour": 2.0},
        {"hour": ["2"]},
        {"hour": ""},
        {"hour": "5-3"},
        {"hour": "*/24"},
        {"hour": "*/0"},
        {"hour": "9-17/9"},
        {"hour": "1,,2"},
        {"hour": "٣"},
        {"hour": "9 - 17"},
        {"minute": "60"},
        {"minute": "mon"},
        {"month": 13},
        {"month": "janx"},
        {"month": "mar-jan"},
        {"day": 0},
        {"day": "lastgarbage"},
        {"day": "6th fri"},
        {"day": "2nd friday"},
        {"day": "2nd 4"},
        {"day_of_week": 7},
        {"day_of_week": "mon-fri/2"},
        {"day_of_week": "MON#1"},
        {"day_of_week": "fri-mon"},
        {"year": 1969},
        {"week": 54},
        {},
        {"hour": None},
    ],
)
def test_refused(fields):
    with pytest.raises(InvalidTrigger) as caught:
        build("cron", fields)
    assert list(caught.value.errors) == ["trigger_args"]
