from __future__ import annotations

import pytest
from django.utils import translation

from django_sched_tasks.triggers import KINDS, describe

SENTENCES = [
    ("cron", {"hour": 2, "timezone": "Asia/Shanghai"}, "Every day at 02:00 (Asia/Shanghai)"),
    ("cron", {"hour": "9,18", "minute": 30}, "Every day at 09:30, 18:30 (UTC)"),
    ("cron", {"hour": 2, "second": 5}, "Every minute, second 5, hours 2 (UTC)"),
    (
        "cron",
        {"minute": "*/5", "hour": "9-17", "day_of_week": "0-4"},
        "Every 5 minutes, hours 9-17, Monday to Friday (UTC)",
    ),
    ("cron", {"second": "*"}, "Every second (UTC)"),
    ("cron", {"minute": "*/7"}, "Every hour, minute */7 (UTC)"),
    ("cron", {"hour": "*/6", "minute": 15}, "Every 6 hours, minute 15 (UTC)"),
    ("cron", {"day": 1}, "Day 1 of the month at 00:00 (UTC)"),
    ("cron", {"day": "last", "month": "3,6"}, "The last day of the month, in March, June at 00:00 (UTC)"),
    ("cron", {"day": "2nd fri"}, "The second Friday of the month at 00:00 (UTC)"),
    ("cron", {"year": 2030, "week": "1-5/2"}, "ISO week 1-5/2, year 2030 at 00:00 (UTC)"),
    ("cron", {"hour": "9-17"}, "Hours 9-17, minute 0 (UTC)"),
    ("crontab", {"expression": "*/5 9-17 * * mon-fri"}, "Every 5 minutes, hours 9-17, Monday to Friday (UTC)"),
    ("crontab", {"expression": "0 0 13 * 5"}, "Day 13 of the month or Friday at 00:00 (UTC)"),
    ("crontab", {"expression": "@weekly"}, "Sunday at 00:00 (UTC)"),
    ("crontab", {"expression": "30 6 L * *"}, "The last day of the month at 06:30 (UTC)"),
    (
        "crontab",
        {"expression": "0 0 * * 5L,1#2"},
        "The second Monday of the month, the last Friday of the month at 00:00 (UTC)",
    ),
    ("interval", {"seconds": 90}, "Every 90 seconds"),
    ("interval", {"minutes": 1}, "Every minute"),
    ("interval", {"hours": 1.50, "minutes": 1}, "Every 1.5 hours 1 minute"),
    ("interval", {"days": 1, "start_date": "2027-01-01"}, "Every day, from 2027-01-01 00:00 (UTC)"),
    ("date", {"run_date": "2027-01-31 09:00"}, "Once at 2027-01-31 09:00 (UTC)"),
    ("date", {"run_date": "2020-01-31 09:00:05"}, "Once at 2020-01-31 09:00:05 (UTC)"),
    ("calendarinterval", {"months": 1, "hour": 9}, "Every month at 09:00 (UTC)"),
    ("calendarinterval", {"years": 1, "days": 10}, "Every 1 year 1 week 3 days at 00:00 (UTC)"),
    ("or", KINDS["or"].example, "Any of: Every day at 02:00 (UTC); Every 8 hours"),
]


@pytest.mark.parametrize(("trigger", "args", "sentence"), SENTENCES)
def test_sentences(trigger, args, sentence):
    with translation.override("en"):
        assert describe(trigger, args, timezone="UTC") == sentence


def test_the_site_zone_is_named(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    assert describe("cron", {"hour": 2}).endswith("(Europe/Berlin)")


@pytest.mark.parametrize(
    ("trigger", "args", "zone"), [("cron", {"hour": 99}, ""), (None, None, ""), ("cron", {"hour": 2}, "Mars/Base")]
)
def test_a_broken_definition_is_called_so(trigger, args, zone):
    with translation.override("en"):
        assert describe(trigger, args, timezone=zone).startswith("This trigger is not valid: ")
