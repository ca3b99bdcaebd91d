"""After the switch each row goes on firing when Celery would have fired it: 50 rows of every kind, 100 fires each."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.apps import apps

from django_sched_tasks import triggers
from django_sched_tasks.models import SchedulerTask
from tests.integration.porting import celery_fires

pytestmark = pytest.mark.integration

FIRES = 100
STEADY = ["UTC", "Asia/Shanghai", "Asia/Kolkata", "Asia/Kathmandu", "America/Phoenix", "Africa/Lagos", "Asia/Tokyo"]
# The days on which the clocks change.
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "America/St_Johns": ("2026-03-08", "2026-11-01"),
}
# minute, hour, day of week, day of month, month of year
CRONTABS = [
    ("*", "*", "*", "*", "*"),
    ("*/15", "*", "*", "*", "*"),
    ("*/7", "*/5", "*", "*", "*"),
    ("0", "*", "*", "*", "*"),
    ("0", "4", "*", "*", "*"),
    ("30", "2", "*", "*", "*"),
    ("5,10,50", "8-18", "mon-fri", "*", "*"),
    ("0", "9", "1", "*", "*"),
    ("0", "9", "0", "*", "*"),
    ("0", "0", "sunday", "*", "*"),
    ("0", "12", "*/2", "*", "*"),
    ("0", "12", "sat,sun", "*", "*"),
    ("15", "6", "fri-mon", "*", "*"),
    ("0", "0", "*", "1", "*"),
    ("0", "0", "*", "31", "*"),
    ("0", "22-3", "*", "*", "*"),
    ("45", "23", "1", "1-7", "*"),
    ("0", "8", "1", "1-7,15-21", "*"),
    ("0", "6", "*", "*/10", "*/3"),
    ("0", "0", "*", "29", "2"),
    ("59", "23", "*", "31", "12"),
    ("*/90", "*", "*", "*", "*"),
    ("50-10", "3", "*", "*", "*"),
    ("1-59/2", "1", "*", "*", "jan-mar"),
    ("0,30", "*/6", "tue", "10-20", "6"),
    ("20-40/5", "7-19/3", "1-5", "2-30/2", "2-12/2"),
]


def model(name):
    return apps.get_model("django_celery_beat", name)


def ours(task, after, count=FIRES):
    return triggers.preview(
        task.trigger, task.trigger_args, timezone=task.timezone, after=after, count=count, anchor=task.anchor
    )


@pytest.fixture
def switch(port):
    """Import all rows; answers the tasks by the id of their row."""

    def switch():
        code, report = port("--from", "django-celery-beat", "--map", "zoo.*=tests.zoo.tasks:ok", "--pause-source")
        assert (code, report["counts"]["refused"]) == (0, 0), report
        assert not model("PeriodicTask").objects.filter(enabled=True).exists()
        return {int(task.job_id.rpartition("-")[2]): task for task in SchedulerTask.objects.all()}

    return switch


def add(**fields):
    name = f"Row {model('PeriodicTask').objects.count()}"
    return model("PeriodicTask").objects.create(name=name, task="zoo.ok", **fields)


def test_crontabs_in_zones_without_clock_changes(switch):
    rows = []
    for number, (minute, hour, weekday, day, month) in enumerate(CRONTABS * 2):
        fields = {"minute": minute, "hour": hour, "day_of_week": weekday, "day_of_month": day, "month_of_year": month}
        zone = STEADY[number % len(STEADY)]
        rows.append(add(crontab=model("CrontabSchedule").objects.create(**fields, timezone=zone)))
    assert len(rows) >= 50
    tasks, after = switch(), datetime(2026, 11, 24, 15, 37, 12, tzinfo=UTC)

    for row in rows:
        theirs = celery_fires.first(FIRES, celery_fires.crontab(row.crontab.schedule, after))
        found = ours(tasks[row.pk], after)
        assert theirs[: len(found)] == found, row.crontab
        assert len(found) == FIRES or row.crontab.month_of_year == "2"  # 29 February: fewer within our 100 years


def test_intervals(switch):
    rows, now = [], datetime.now(UTC)
    periods = {"days": (1, 2, 3, 7, 30), "hours": (1, 2, 5, 12, 36), "minutes": (1, 5, 7, 15, 90), "seconds": (1, 2, 7)}
    periods["microseconds"] = (1_000_000, 2_500_000)
    for (period, numbers), ago in itertools.product(periods.items(), (0, 5, 3_600)):
        for every in numbers:
            schedule, _ = model("IntervalSchedule").objects.get_or_create(every=every, period=period)
            rows.append(add(interval=schedule, last_run_at=now - timedelta(seconds=ago)))
    assert len(rows) >= 50
    tasks = switch()

    for row in rows:
        last = row.last_run_at
        theirs = celery_fires.first(FIRES, celery_fires.interval(row.interval.schedule, last))
        found = ours(tasks[row.pk], last)
        assert [moment.replace(microsecond=0) for moment in theirs] == [
            moment.replace(microsecond=0) for moment in found
        ] or row.interval.period == "microseconds", row.interval
        assert all(abs(one - other) < timedelta(seconds=1) for one, other in zip(theirs, found, strict=True))


def test_the_sun(switch):
    places = [(52.52, 13.405), (-33.8688, 151.2093), (0.0, 0.0), (40.7128, -74.006), (35.6895, 139.6917), (64.1, -21.9)]
    rows = [
        add(solar=model("SolarSchedule").objects.create(event=event, latitude=latitude, longitude=longitude))
        for (latitude, longitude), event in itertools.product(places, [event for event, _ in _events()])
    ]
    assert len(rows) >= 50
    tasks, after = switch(), datetime(2026, 11, 24, 15, 37, 12, tzinfo=UTC)

    for row in rows:
        theirs = celery_fires.first(FIRES, celery_fires.solar(row.solar.schedule, after))
        found = ours(tasks[row.pk], after)
        apart = [abs(one - other) for one, other in zip(theirs, found, strict=True)]
        assert max(apart) <= timedelta(seconds=2), row.solar


def _events():
    import django_celery_beat.models

    return django_celery_beat.models.SOLAR_SCHEDULES


def test_clocked(switch):
    now = datetime.now(UTC).replace(microsecond=0)
    rows = []
    for number in range(1, 51):
        moment = now + timedelta(hours=number * 37)
        schedule = model("ClockedSchedule").objects.create(clocked_time=moment)
        rows.append(add(clocked=schedule, one_off=True))
    tasks = switch()

    for row in rows:
        theirs = row.clocked.schedule
        theirs.nowfun = lambda: now
        assert ours(tasks[row.pk], now) == [now + theirs.remaining_estimate(None)]


def test_what_differs_differs_at_a_change_of_the_clocks(switch):
    rows = []
    for (minute, hour, weekday, day, month), zone in itertools.product(CRONTABS, CHANGES):
        fields = {"minute": minute, "hour": hour, "day_of_week": weekday, "day_of_month": day, "month_of_year": month}
        rows.append(add(crontab=model("CrontabSchedule").objects.create(**fields, timezone=zone)))
    tasks, apart = switch(), set()

    for row, change in [(each, change) for each in rows for change in CHANGES[str(each.crontab.timezone)]]:
        after = datetime.fromisoformat(change).replace(tzinfo=UTC) - timedelta(hours=12)
        theirs = celery_fires.first(FIRES, celery_fires.until_it_fails(row.crontab.schedule, after))
        found = ours(tasks[row.pk], after)
        last = min(theirs[-1], found[-1])
        differing = {fire for fire in set(theirs) ^ set(found) if fire <= last}
        assert all(_clocks_change_near(fire, row.crontab.timezone) for fire in differing), (row.crontab, differing)
        apart |= differing
    assert apart


def _clocks_change_near(fire, zone):
    day = timedelta(days=1)
    return len({(fire + shift).astimezone(zone).utcoffset() for shift in (-day, day)}) > 1


def _differences():
    """The table of the how-to."""
    page = (Path(__file__).resolve().parents[3] / "docs/how-to/migrate-from-celery-beat.md").read_text(encoding="utf-8")
    part = page.partition("## Where fire times differ")[2]
    lines = re.findall(r"^\| `(.+)` \| (\S+) \| (.+) \| (.+) \| (.+) \|$", part, re.MULTILINE)
    assert lines
    return lines


@pytest.mark.parametrize("line", _differences())
def test_the_how_to_lists_what_differs(switch, line):
    expression, zone, after, theirs, found = line
    minute, hour, day, month, weekday = expression.split()
    fields = {"minute": minute, "hour": hour, "day_of_week": weekday, "day_of_month": day, "month_of_year": month}
    row = add(crontab=model("CrontabSchedule").objects.create(**fields, timezone=zone))
    task, begin = switch()[row.pk], datetime.fromisoformat(after).replace(tzinfo=UTC)
    expected = theirs.split(", ")

    fires = celery_fires.first(len(expected), celery_fires.crontab(row.crontab.schedule, begin))
    assert [f"{fire:%d %H:%M}" for fire in fires] == expected
    assert ", ".join(f"{fire:%d %H:%M}" for fire in ours(task, begin, found.count(",") + 1)) == found
