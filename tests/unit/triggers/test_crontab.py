from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.triggers import build, preview
from django_sched_tasks.triggers.crontab import NICKNAMES

NOW = datetime(2026, 3, 1, tzinfo=UTC)  # a Sunday

EXPRESSIONS = st.tuples(
    st.sampled_from(["*", "*/7", "0", "5,35", "10-20/3", "50/3"]),
    st.sampled_from(["*", "*/5", "0", "9-17", "22,3"]),
    st.sampled_from(["*", "1", "13", "L", "LW", "*/9", "1-7"]),
    st.sampled_from(["*", "2", "jan-jun", "*/5"]),
    st.sampled_from(["*", "0", "7", "mon-fri", "5L", "fri#2", "1-5/2", "5-7"]),
).map(" ".join)


def first(expression, count=1):
    return preview("crontab", {"expression": expression}, timezone="UTC", after=NOW, count=count)


@given(EXPRESSIONS, st.integers(0, 4 * 366 * 86_400))
@settings(max_examples=60, deadline=None)
def test_where_no_clock_changes_it_is_cronsim(expression, seconds):
    after = NOW + timedelta(seconds=seconds)
    expected = list(islice(CronSim(expression, after), 4))
    assert preview("crontab", {"expression": expression}, timezone="UTC", after=after, count=4) == expected


@pytest.mark.parametrize("day", ["0", "7", "sun", "SUN"])
def test_zero_and_seven_are_sunday(day):
    assert first(f"0 12 * * {day}") == [datetime(2026, 3, 1, 12, tzinfo=UTC)]


def test_day_or_weekday():
    assert [moment.day for moment in first("0 0 13 * fri", 3)] == [6, 13, 20]


def test_a_star_makes_it_day_and_weekday():
    assert [(moment.month, moment.day) for moment in first("0 0 */12 * fri", 2)] == [(3, 13), (5, 1)]


@pytest.mark.parametrize("nickname", [*NICKNAMES, " @Daily "])
def test_nicknames(nickname):
    assert first(nickname, 3) == first(NICKNAMES[nickname.strip().lower()], 3)


@pytest.mark.parametrize(
    "expression",
    [
        None,
        5,
        ["* * * * *"],
        "",
        "* * * *",
        "* * * * * *",
        "@reboot",
        "@dayly",
        "@every 5m",
        "61 * * * *",
        "*/0 * * * *",
        "*/60 * * * *",
        "5-5/1 * * * *",
        "? * * * *",
        "* * ? * *",
        "* * 15W * *",
        "* * L-3 * *",
        "* * L/2 * *",
        "* * * * L",
        "* * * * mon#6",
        "* * * * 1-5#2",
        "* * * * mon/9",
        "* * * * fri-sun",
        "* * * * monday",
        "* * * 13 *",
        "0 0 31 2 *",
        "* * * * *\x00",
        "\ud800 * * * *",
        "* * * * ſun",
        "* " * 10_000,
    ],
)
def test_refused(expression):
    with pytest.raises(InvalidTrigger, match="expression"):
        build("crontab", {"expression": expression})


def test_bounds():
    args = {"expression": "@daily", "start_date": "2026-03-05", "end_date": "2026-03-06"}
    assert [moment.day for moment in preview("crontab", args, timezone="UTC", after=NOW)] == [5, 6]
