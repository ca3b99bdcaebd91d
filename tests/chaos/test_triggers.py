"""Fire times against brute force and the calendar (scenarios 21, 23, 24)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.triggers import preview, validate
from tests.chaos.form import FULL
from tests.unit.triggers.test_wallclock import SCHEDULES, change_windows, expected, fired

pytestmark = pytest.mark.chaos

NOW = datetime(2026, 1, 1, tzinfo=UTC)
YEARS = range(2020, 2038)
ZONES = (
    "Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Havana", "America/Los_Angeles",
    "America/New_York", "America/Nuuk", "America/Santiago", "America/St_Johns", "Antarctica/Troll",
    "Asia/Beirut", "Asia/Jerusalem", "Asia/Tehran", "Atlantic/Azores", "Australia/Lord_Howe",
    "Australia/Sydney", "Europe/Berlin", "Europe/Dublin", "Pacific/Auckland", "Pacific/Chatham",
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(ZONES)), ids=ZONES.__getitem__)
def test_s21_every_clock_change_of_a_zone_against_every_minute_of_it(number):
    """All years from 2020 to 2037 in the full form; in the short one two of them, others in each zone."""
    zone = ZoneInfo(ZONES[number])
    years = YEARS if FULL else (YEARS[number % 18], YEARS[(number + 9) % 18])
    windows = [window for year in years for window in change_windows(zone, year)]
    if FULL:
        assert windows
    for since, until in windows:
        for schedule in SCHEDULES:
            args = {"minute": schedule[0], "hour": schedule[1]}
            assert fired("cron", args, zone.key, since, until) == expected(schedule, zone, since, until), (args, since)


CALENDAR = [
    ({"month": 2, "day": 29}, ["2028-02-29", "2032-02-29", "2036-02-29"]),
    ({"day": 31}, ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31", "2026-08-31"]),
    ({"day": "last", "month": "1-4"}, ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
    ({"day": "5th fri"}, ["2026-01-30", "2026-05-29", "2026-07-31"]),
    ({"week": 53, "day_of_week": "mon"}, ["2026-12-28", "2032-12-27"]),
    ({"month": 12, "day": 31, "hour": 23, "minute": 59, "second": 59}, ["2026-12-31", "2027-12-31"]),
]


@pytest.mark.parametrize(("args", "days"), CALENDAR, ids=str)
def test_s23_rare_days(args, days):
    times = preview("cron", args, after=NOW, count=len(days), timezone="UTC")
    assert [time.date().isoformat() for time in times] == days


def test_s23_a_leap_day_is_found_over_a_century_without_one():
    after = datetime(2096, 3, 1, tzinfo=UTC)
    (time,) = preview("cron", {"month": 2, "day": 29}, after=after, count=1, timezone="UTC")
    assert time.year == 2104


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_s23_a_day_that_never_comes_is_refused(expression):
    with pytest.raises(InvalidTrigger, match="never"):
        validate("crontab", {"expression": expression}, now=NOW)


MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
WEEKDAYS = [
    ("0 0 * * 0", {SUN}),
    ("0 0 * * 7", {SUN}),
    ("0 0 * * sun", {SUN}),
    ("0 0 * * 1-5", {MON, TUE, WED, THU, FRI}),
    ("0 0 * * 5-7", {FRI, SAT, SUN}),
    ("0 0 * * sun-mon", {SUN, MON}),
    ("0 0 * * mon-fri/2", {MON, WED, FRI}),
]


@pytest.mark.parametrize(("expression", "days"), WEEKDAYS)
def test_s24_weekdays_mean_what_cron_means(expression, days):
    times = preview("crontab", {"expression": expression}, after=NOW, count=30, timezone="UTC")
    assert {time.weekday() for time in times} == days


def test_s24_a_day_or_a_weekday():
    times = preview("crontab", {"expression": "0 0 13 * 5"}, after=NOW, count=60, timezone="UTC")
    assert all(time.day == 13 or time.weekday() == FRI for time in times)
    assert any(time.day == 13 and time.weekday() != FRI for time in times)


def test_s24_the_first_monday_of_the_month():
    times = preview("crontab", {"expression": "0 0 * * MON#1"}, after=NOW, count=6, timezone="UTC")
    assert [(time.weekday(), (time.day - 1) // 7) for time in times] == [(MON, 0)] * 6


@pytest.mark.parametrize("expression", ["0 0 * * 8", "0 0 * * fri-mon-tue", "0 0 * *", "lastgarbage", "0 0 * * 1 x"])
def test_s24_nonsense_is_refused(expression):
    with pytest.raises(InvalidTrigger):
        validate("crontab", {"expression": expression}, now=NOW)
