from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.triggers import Trigger, build, preview

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_it_counts_from_the_anchor():
    trigger = build("interval", {"minutes": 5}, anchor=NOW)
    assert trigger.next_after(NOW) == NOW + timedelta(minutes=5)
    assert trigger.next_after(NOW + timedelta(days=1, seconds=1)) == NOW + timedelta(days=1, minutes=5)


def test_start_date_is_another_anchor_and_fires_itself():
    args = {"hours": 1, "start_date": "2026-03-01 08:30", "timezone": "Asia/Shanghai"}
    assert preview("interval", args, after=NOW, anchor=NOW, count=2) == [
        NOW + timedelta(minutes=30),
        NOW + timedelta(minutes=90),
    ]


def test_real_time_whatever_the_clock_does():
    trigger = build("interval", {"days": 1}, timezone="Europe/Berlin", anchor=datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert trigger.next_after(datetime(2026, 3, 29, tzinfo=UTC)) == datetime(2026, 3, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("args", "period"),
    [
        ({"seconds": "90"}, timedelta(seconds=90)),
        ({"hours": 1.5, "minutes": "0.5"}, timedelta(minutes=90, seconds=30)),
        ({"seconds": 1.1}, timedelta(microseconds=1_100_000)),
        ({"weeks": 1, "days": 1, "seconds": None}, timedelta(days=8)),
    ],
)
def test_periods_are_exact(args, period):
    times = preview("interval", args, after=NOW, anchor=NOW, count=1000)
    assert times[-1] - NOW == 1000 * period


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"seconds": 0},
        {"seconds": -5},
        {"minutes": 1, "seconds": -30},
        {"seconds": 0.999},
        {"seconds": "abc"},
        {"seconds": "1e3"},
        {"seconds": ""},
        {"seconds": True},
        {"seconds": [5]},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"seconds": 10**5000},
        {"days": 40_000},
        {"weeks": 999_999_999_999, "days": 999_999_999_999},
        {"seconds": 5, "jitter": -1},
        {"seconds": 5, "jitter": 1.5},
        {"seconds": 5, "jitter": True},
        {"seconds": 5, "jitter": 10**12},
    ],
)
def test_refused(args):
    with pytest.raises(InvalidTrigger):
        build("interval", args)


@given(
    period=st.integers(1_000_000, 90_000_000),
    missed=st.integers(0, 40),
    rest=st.integers(0, 999_999),
    keep=st.integers(0, 50),
    end=st.none() | st.integers(0, 50),
)
def test_the_arithmetic_scan_is_the_walk(period, missed, rest, keep, end):
    step = timedelta(microseconds=period)
    args = {"seconds": f"{period / 1e6:.6f}"}
    if end is not None:
        args["end_date"] = (NOW + step * (end + 1)).isoformat()
    trigger = build("interval", args, anchor=NOW)
    first = NOW + step
    until = first + missed * step + timedelta(microseconds=rest)
    assert trigger.scan(first, until, limit=1, keep=keep) == Trigger.scan(trigger, first, until, limit=1000, keep=keep)


def test_a_first_off_the_beat_is_counted_too():
    trigger = build("interval", {"seconds": 10}, anchor=NOW)
    first = NOW + timedelta(seconds=3)
    for seconds in (5, 25):
        until = NOW + timedelta(seconds=seconds)
        walked = Trigger.scan(trigger, first, until, limit=1000, keep=9)
        assert trigger.scan(first, until, limit=1, keep=9) == walked


def test_a_month_of_missed_seconds_costs_nothing():
    trigger = build("interval", {"seconds": 1}, anchor=NOW)
    begin = perf_counter()
    scan = trigger.scan(NOW + timedelta(seconds=1), NOW + timedelta(days=30), limit=100, keep=2)
    assert perf_counter() - begin < 0.1
    assert scan.count == 30 * 86_400
    assert scan.tail == (scan.last - timedelta(seconds=1), scan.last)
    assert scan.following == scan.last + timedelta(seconds=1)
