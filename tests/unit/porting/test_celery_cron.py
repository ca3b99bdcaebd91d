"""Celery's crontab fields in the words of ``cron``."""

import pytest

from django_sched_tasks.porting.celery_cron import cron_args

ALL = {
    "minute": range(60),
    "hour": range(24),
    "day_of_week": range(7),
    "day_of_month": range(1, 32),
    "month_of_year": range(1, 13),
}


@pytest.mark.parametrize(
    ("field", "text", "numbers", "expected"),
    [
        ("minute", "*", ALL["minute"], {"minute": "*"}),
        ("minute", "*/15", {0, 15, 30, 45}, {"minute": "*/15"}),
        ("minute", "*/90", {0}, {"minute": "0"}),
        ("minute", "50-2", {50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 0, 1, 2}, {"minute": "0-2,50-59"}),
        ("hour", "8-18", set(range(8, 19)), {"hour": "8-18", "minute": "*"}),
        ("hour", "1, 2,4", {1, 2, 4}, {"hour": "1,2,4", "minute": "*"}),
        ("day_of_week", "0", {0}, {"day_of_week": "sun", "minute": "*"}),
        ("day_of_week", "mon-fri", {1, 2, 3, 4, 5}, {"day_of_week": "mon-fri", "minute": "*"}),
        ("day_of_week", "*/2", {0, 2, 4, 6}, {"day_of_week": "tue,thu,sat,sun", "minute": "*"}),
        ("day_of_week", "fri-mon", {5, 6, 0, 1}, {"day_of_week": "mon,fri-sun", "minute": "*"}),
        ("day_of_month", "*/10", {1, 11, 21, 31}, {"day": "*/10", "minute": "*"}),
        ("month_of_year", "jan-mar", {1, 2, 3}, {"month": "1-3", "minute": "*"}),
    ],
)
def test_a_field(field, text, numbers, expected):
    assert cron_args({**dict.fromkeys(ALL, "*"), field: text}, {**ALL, field: numbers}) == expected
