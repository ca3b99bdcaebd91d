"""What every trigger does, whatever its kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_sched_tasks.triggers import Scan, build

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVERY_KIND = [
    ("cron", {"minute": "*/5"}),
    ("crontab", {"expression": "0 2 * * *"}),
    ("interval", {"seconds": 90}),
    ("date", {"run_date": "2026-03-02"}),
    ("calendarinterval", {"days": 1}),
    ("solar", {"event": "sunrise", "latitude": 40.7, "longitude": -74}),
    ("or", {"triggers": [{"trigger": "cron", "trigger_args": {"hour": 2}}]}),
]


def made(kind, args):
    return build(kind, args, timezone="America/New_York", anchor=NOW)


@pytest.mark.parametrize(("kind", "args"), EVERY_KIND)
def test_the_protocol_of_apscheduler(kind, args):
    trigger = made(kind, args)
    first = trigger.get_next_fire_time(None, NOW)
    assert trigger.get_next_fire_time(None, first) == first
    assert trigger.get_next_fire_time(first, first) == trigger.next_after(first) != first


@pytest.mark.parametrize(("kind", "args"), EVERY_KIND)
@pytest.mark.parametrize(
    "after",
    [
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))),
    ],
)
def test_the_ends_of_time_are_survived(kind, args, after):
    following = build(kind, args, anchor=after).next_after(after)
    assert following is None or following > after


@pytest.mark.parametrize(("kind", "args"), EVERY_KIND)
def test_any_zone_may_ask_and_utc_answers(kind, args):
    trigger = made(kind, args)
    answer = trigger.next_after(NOW.astimezone(timezone(timedelta(hours=5))))
    assert answer == trigger.next_after(NOW)
    assert answer.tzinfo is UTC


def test_a_fire_time_beyond_the_horizon_is_none():
    assert build("cron", {"hour": 2, "start_date": "2200-01-01"}).next_after(NOW) is None
    assert build("date", {"run_date": "2200-01-01"}).next_after(NOW) is None


def test_scan_stops_at_the_limit_and_says_what_follows():
    trigger = made("cron", {"minute": "*/5"})
    five = [NOW + timedelta(minutes=5 * number) for number in range(5)]
    scan = trigger.scan(NOW, NOW + timedelta(days=1), limit=4, keep=2)
    assert scan == Scan(4, NOW, five[3], (five[2], five[3]), five[4])


def test_scan_stops_at_the_time_and_keeps_nothing_unless_asked():
    trigger = made("date", {"run_date": "2026-03-02"})
    only = trigger.next_after(NOW)
    assert trigger.scan(only, only, limit=10) == Scan(1, only, only, (), None)


@given(st.text(st.characters(codec=None), max_size=5) | st.integers(), st.integers(1, 100_000), st.integers(1, 10**9))
def test_the_jitter_stays_within_itself_and_the_gap(key, jitter, gap):
    trigger = build("interval", {"seconds": 1, "jitter": jitter})
    following = NOW + timedelta(microseconds=gap)
    offset = trigger.offset(key, NOW, following)
    assert timedelta(0) <= offset < min(timedelta(seconds=jitter), following - NOW)
    assert offset == trigger.offset(key, NOW.astimezone(timezone(timedelta(hours=3))), following)


def test_the_jitter_is_the_same_everywhere_and_spreads():
    trigger = build("interval", {"hours": 1, "jitter": 60})
    # A change of this number would move every jittered run of every site on the day of the upgrade.
    assert trigger.offset("a", NOW, None) == timedelta(seconds=30, microseconds=647_786)
    seconds = {trigger.offset(f"task-{number}", NOW, None) // timedelta(seconds=1) for number in range(1000)}
    assert len(seconds) == 60


def test_no_jitter_no_offset():
    assert build("interval", {"hours": 1}).offset("a", NOW, None) == timedelta(0)
