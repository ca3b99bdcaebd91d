"""What a change of the clocks does to a fire time, told beside it."""

from datetime import UTC, datetime

import pytest

from django_sched_tasks import triggers

BERLIN = "Europe/Berlin"
SPRING, AUTUMN = datetime(2027, 3, 28, tzinfo=UTC), datetime(2027, 10, 31, tzinfo=UTC)  # days on which clocks change


def notes(trigger, trigger_args, after, count):
    built = triggers.build(trigger, trigger_args, timezone=BERLIN, anchor=after)
    found = []
    for _ in range(count):
        after = built.next_after(after)
        found.append((f"{after:%H:%M}", built.clock_note(after).rpartition(": ")[2]))
    return found


@pytest.mark.parametrize(
    ("trigger", "trigger_args"),
    [
        ("cron", {"hour": "2", "minute": "30"}),
        ("crontab", {"expression": "30 2 * * *"}),
        ("calendarinterval", {"days": 1, "hour": 2, "minute": 30}),
        ("or", {"triggers": [{"trigger": "cron", "trigger_args": {"hour": "2", "minute": "30"}}]}),
    ],
)
def test_a_fixed_time_that_is_skipped_or_comes_twice(trigger, trigger_args):
    assert notes(trigger, trigger_args, SPRING, 2) == [
        ("01:00", "it runs as soon as they go on."),
        ("00:30", ""),
    ]
    assert notes(trigger, trigger_args, AUTUMN, 2) == [("00:30", "it runs the first time."), ("01:30", "")]


def test_a_rhythm_goes_through_both_passes():
    assert notes("cron", {"minute": "*/30"}, AUTUMN, 5) == [
        ("00:30", "this is the first time."),
        ("01:00", "this is the second time."),
        ("01:30", "this is the second time."),
        ("02:00", ""),
        ("02:30", ""),
    ]
    assert {note for _, note in notes("cron", {"minute": "*/30"}, SPRING, 8)} == {""}


@pytest.mark.parametrize(
    ("trigger", "trigger_args"),
    [("interval", {"minutes": 30}), ("date", {"run_date": "2027-10-31 02:30"}), ("cron", {"hour": "3"})],
)
def test_others_are_not_concerned(trigger, trigger_args):
    assert {note for _, note in notes(trigger, trigger_args, AUTUMN.replace(day=30, hour=22), 1)} == {""}
