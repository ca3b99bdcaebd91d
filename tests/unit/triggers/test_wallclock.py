"""Clock changes: the golden table, and a brute-force oracle that looks at every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from django_sched_tasks.triggers import build, preview
from django_sched_tasks.triggers.wallclock import resolve

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

# (zone, minute and hour, the only instant within half a day)
GOLDEN = [
    ("America/New_York", "30 2", "2026-03-08 07:00"),
    ("America/New_York", "30 1", "2026-11-01 05:30"),
    ("Europe/Berlin", "30 2", "2026-03-29 01:00"),
    ("Europe/Berlin", "30 2", "2026-10-25 00:30"),
    ("Australia/Lord_Howe", "15 2", "2026-10-03 15:30"),
    ("Australia/Lord_Howe", "45 1", "2026-04-04 14:45"),
    ("America/Santiago", "0 0", "2026-09-06 04:00"),
    ("America/Santiago", "30 23", "2026-04-05 02:30"),
    ("Africa/Cairo", "0 0", "2026-04-23 22:00"),
    ("Asia/Beirut", "0 0", "2026-03-28 22:00"),
    ("America/Havana", "0 0", "2026-03-08 05:00"),
    ("America/Havana", "30 0", "2026-11-01 04:30"),
    ("Atlantic/Azores", "30 0", "2026-03-29 01:00"),
    ("Europe/Dublin", "30 1", "2026-03-29 01:00"),
    ("Africa/Casablanca", "30 2", "2026-02-15 01:30"),
    ("Africa/Casablanca", "30 2", "2026-03-22 02:00"),
    ("Antarctica/Troll", "30 1", "2026-03-29 01:00"),
]

KINDS = {
    "cron": lambda minute, hour: {"minute": minute, "hour": hour},
    "crontab": lambda minute, hour: {"expression": f"{minute} {hour} * * *"},
    "calendarinterval": lambda minute, hour: {"minute": minute, "hour": hour, "days": 1, "start_date": "2026-01-01"},
}


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fired(kind, args, zone, since, until):
    trigger = build(kind, args, timezone=zone)
    times, following = [], trigger.next_after(since - MINUTE)
    while following is not None and following < until:
        times.append(following)
        following = trigger.next_after(following)
    return times


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("zone", "at", "expected"), GOLDEN)
def test_golden(kind, zone, at, expected):
    instant = utc(expected)
    assert fired(kind, KINDS[kind](*at.split()), zone, instant - 12 * HOUR, instant + 12 * HOUR) == [instant]


def test_several_fixed_times_in_one_gap_fire_once():
    args = {"hour": "2-3", "minute": "15,45"}
    times = fired("cron", args, "America/New_York", utc("2026-03-08 05:00"), utc("2026-03-08 09:00"))
    assert times == [utc("2026-03-08 07:00"), utc("2026-03-08 07:15"), utc("2026-03-08 07:45")]


def test_a_match_at_the_end_of_a_gap_is_one_with_the_matches_in_it():
    args = {"hour": "2,3", "minute": "0"}
    times = fired("cron", args, "Europe/Berlin", utc("2026-03-28 23:00"), utc("2026-03-29 22:00"))
    assert times == [utc("2026-03-29 01:00")]


def test_a_wildcard_schedule_does_not_make_up_for_a_gap():
    args = {"hour": 2, "minute": "*/15"}
    assert fired("cron", args, "Europe/Berlin", utc("2026-03-28 23:00"), utc("2026-03-29 22:00")) == []


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("cron", {"minute": "*/30"}),
        ("cron", {"minute": "0,30", "hour": "*"}),
        ("crontab", {"expression": "0,30 * * * *"}),
    ],
)
@pytest.mark.parametrize("day", ["2026-03-29 00:00", "2026-10-25 00:00"])
def test_a_wildcard_schedule_keeps_the_real_rhythm(kind, args, day):
    times = fired(kind, args, "Europe/Berlin", utc(day), utc(day) + 4 * HOUR)
    assert times == [utc(day) + number * HOUR / 2 for number in range(8)]


@pytest.mark.parametrize(
    "args", [{"day": 25}, {"month": 10}, {"hour": 2}, {"hour": "0-23"}, {"hour": "2", "minute": "0-59"}]
)
def test_a_range_is_no_wildcard_and_neither_are_defaults(args):
    times = fired("cron", args, "Europe/Berlin", utc("2026-10-24 12:00"), utc("2026-10-25 12:00"))
    walls = [moment.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None) for moment in times]
    assert len(set(walls)) == len(walls)


def test_a_gap_of_a_whole_day_counts_as_any_gap():
    times = fired("cron", {"hour": 9}, "Pacific/Apia", utc("2011-12-29 12:00"), utc("2011-12-31 00:00"))
    assert times == [utc("2011-12-29 19:00"), utc("2011-12-30 10:00"), utc("2011-12-30 19:00")]


def test_a_naive_date_in_a_gap_or_fold_is_the_first_valid_instant():
    zone = ZoneInfo("Europe/Berlin")
    assert resolve(datetime(2026, 3, 29, 2, 30, 59, 7), zone) == utc("2026-03-29 01:00")
    assert resolve(datetime(2026, 10, 25, 2, 30), zone) == utc("2026-10-25 00:30")


# --- the oracle -------------------------------------------------------------------------------------------------------


def change_windows(zone, year):
    """A day and a half around each clock change."""
    moment, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    while moment < end:
        if moment.astimezone(zone).utcoffset() != (moment + 6 * HOUR).astimezone(zone).utcoffset():
            yield moment - 12 * HOUR, moment + 24 * HOUR
        moment += 6 * HOUR


def expected(schedule, zone, since, until):
    """Every minute's reading of the clock, in order; then what fires when, by the words of the rule."""
    minute, hour, minutes, hours = schedule
    count = (until - since) // MINUTE
    clock = [(since + n * MINUTE, (since + n * MINUTE).astimezone(zone).replace(tzinfo=None)) for n in range(count)]
    if minute[0] == "*" or hour[0] == "*":
        return [instant for instant, wall in clock if wall.hour in hours and wall.minute in minutes]
    times, latest = set(), clock[0][1] - MINUTE
    for instant, wall in clock:
        while latest < wall:  # one step as a rule; in a gap one for each minute that never came
            latest += MINUTE
            if latest.hour in hours and latest.minute in minutes:
                times.add(instant)
    return sorted(times)


SCHEDULES = [
    ("30", "2", {30}, {2}),
    ("0", "0", {0}, {0}),
    ("5,15,45", "0-3", {5, 15, 45}, {0, 1, 2, 3}),
    ("0-59", "1-2", set(range(60)), {1, 2}),
    ("*/20", "*", {0, 20, 40}, set(range(24))),
    ("*/7", "0-2", set(range(0, 60, 7)), {0, 1, 2}),
    ("10", "*/2", {10}, set(range(0, 24, 2))),
]
ZONES = [
    ("Europe/Berlin", 2026),
    ("America/Santiago", 2026),
    ("Africa/Casablanca", 2026),
    ("Australia/Lord_Howe", 2026),
    ("Antarctica/Troll", 2026),
    ("America/Havana", 2037),
    ("Pacific/Apia", 2011),
    ("Europe/Dublin", 2045),
]


@pytest.mark.parametrize(("name", "year"), ZONES)
def test_against_every_minute_of_the_clock(name, year):
    zone = ZoneInfo(name)
    windows = list(change_windows(zone, year))
    assert windows
    for since, until in windows:
        for schedule in SCHEDULES:
            args = {"minute": schedule[0], "hour": schedule[1]}
            assert fired("cron", args, name, since, until) == expected(schedule, zone, since, until), (args, since)


@pytest.mark.parametrize("args", [{"minute": "*/20"}, {"hour": "1-2", "minute": "5,35"}, {"hour": 0, "minute": 30}])
@pytest.mark.parametrize("name", ["Europe/Berlin", "America/Havana", "Australia/Lord_Howe"])
def test_every_moment_between_two_fire_times_has_the_same_next(name, args):
    trigger = build("cron", args, timezone=name)
    for since, until in change_windows(ZoneInfo(name), 2026):
        times = preview("cron", args, timezone=name, after=since, count=120)
        for number in range(0, (until - since) // MINUTE, 7):
            moment = since + number * MINUTE + timedelta(seconds=1.5)
            assert trigger.next_after(moment) == next(time for time in times if time > moment)
