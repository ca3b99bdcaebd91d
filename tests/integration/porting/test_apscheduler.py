"""Jobs that the real APScheduler has written through the real django-apscheduler."""

import json
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from django.apps import apps

from django_sched_tasks import triggers
from django_sched_tasks.models import SchedulerTask
from tests.zoo import tasks as zoo

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC).replace(microsecond=0)
SOON = NOW + timedelta(days=1)
FIRES = 100


class Still(BaseScheduler):
    """A scheduler without a thread: it stores jobs and runs none."""

    def wakeup(self):
        pass

    def shutdown(self, wait=True):
        pass


@pytest.fixture
def store(db, installed):
    from django_apscheduler.jobstores import DjangoJobStore

    scheduler = Still(timezone="UTC")
    scheduler.add_jobstore(DjangoJobStore(), "default")
    scheduler.start(paused=True)
    return scheduler


@pytest.fixture
def switch(port):
    def switch(*options):
        _code, report = port("--from", "django-apscheduler", *options)
        return report["rows"][0], SchedulerTask.objects.first()

    return switch


def jobs():
    return apps.get_model("django_apscheduler", "DjangoJob").objects


def test_a_job(store, switch):
    store.add_job(
        zoo.add, "interval", minutes=5, args=(1,), kwargs={"b": 2}, id="sum", name="Sum", misfire_grace_time=30
    )
    report, task = switch()
    assert (report["action"], task.job_id, task.name) == ("created", "apscheduler-sum", "Sum")
    assert (task.func, task.args, task.kwargs) == ("tests.zoo.tasks:add", [1], {"b": 2})
    assert (task.misfire_grace_time, task.coalesce, task.max_instances) == (30, True, 1)
    assert task.next_run == store.get_job("sum").next_run_time.replace(microsecond=0)


@pytest.mark.parametrize(
    ("chosen", "becomes"), [({}, 86_400), ({"misfire_grace_time": None}, None), ({"misfire_grace_time": 1}, 86_400)]
)
def test_the_grace_that_nobody_chose(store, switch, chosen, becomes):
    store.add_job(zoo.ok, "interval", minutes=5, **chosen)
    assert switch()[1].misfire_grace_time == becomes


def test_a_paused_job(store, switch):
    store.add_job(zoo.ok, "interval", minutes=5, id="one")
    store.pause_job("one")
    _report, task = switch()
    assert (task.status, task.pause_note) == (0, "It was paused in APScheduler.")


def test_policies_and_an_executor_that_is_not_here(store, switch):
    store.add_executor("threadpool", "io")
    store.add_job(zoo.ok, "interval", minutes=5, coalesce=False, max_instances=3, executor="io")
    report, task = switch()
    assert (task.coalesce, task.max_instances, task.executor) == (False, 3, "default")
    assert "no executor 'io'" in report["remarks"][0]


TRIGGERS = [
    CronTrigger(hour=2, timezone="UTC"),
    CronTrigger(minute="*/5", hour="8-18", day_of_week="mon-fri", timezone="Asia/Shanghai"),
    CronTrigger(day="last", hour=12, timezone="Asia/Kolkata"),
    CronTrigger(day="1st mon,3rd fri", hour="6,18", timezone="UTC"),
    CronTrigger(month="jan-mar,oct", day="10-20/2", hour="*/6", timezone="UTC"),
    CronTrigger(week="1-52/2", day_of_week="sun", hour=9, timezone="Asia/Tokyo"),
    CronTrigger(second="*/20", timezone="UTC"),
    CronTrigger(year="2027-2035", month=6, timezone="UTC"),
    CronTrigger(minute="5/10", timezone="UTC"),
    CronTrigger.from_crontab("0 9 * * mon", timezone="UTC"),
    IntervalTrigger(minutes=7, start_date=NOW, timezone="UTC"),
    IntervalTrigger(weeks=1, start_date=NOW, timezone="Asia/Tokyo"),
    IntervalTrigger(seconds=90, start_date=NOW, end_date=SOON, timezone="UTC"),
    DateTrigger(SOON, timezone="UTC"),
    CalendarIntervalTrigger(months=1, hour=9, start_date=NOW.date(), timezone="UTC"),
    CalendarIntervalTrigger(weeks=2, days=3, hour=1, minute=30, start_date=NOW.date(), timezone="Asia/Tokyo"),
    OrTrigger([CronTrigger(hour=2, timezone="UTC"), CronTrigger(day_of_week="sat", hour=8, timezone="Asia/Tokyo")]),
]


@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: type(trigger).__name__)
def test_fires_are_those_of_apscheduler(store, switch, trigger, protocol):
    store._jobstores["default"].pickle_protocol = protocol
    store.add_job(zoo.ok, trigger)
    report, task = switch()
    assert report["action"] == "created", report
    theirs, previous = [], None
    while len(theirs) < FIRES and (fire := trigger.get_next_fire_time(previous, previous or NOW)) is not None:
        previous = fire
        if fire >= NOW:  # a calendar interval begins with its first day, be that past
            theirs.append(fire.astimezone(UTC))
    found = triggers.preview(
        task.trigger, task.trigger_args, timezone=task.timezone, after=NOW - timedelta(seconds=1), count=len(theirs)
    )
    assert found == theirs


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"func": zoo.add, "args": [datetime(2026, 1, 1)]}, "A value of type datetime is not JSON"),
        ({"func": zoo.add, "args": [{1, 2}]}, "A value of type set is not JSON"),
        ({"func": zoo.ok, "trigger": AndTrigger([CronTrigger(hour=1), CronTrigger(day=1)])}, "AndTrigger"),
        ({"func": json.dumps, "args": ["x"]}, "may be scheduled"),
        ({"func": zoo.add, "args": [ValueError()]}, "builtins.ValueError"),
    ],
)
def test_what_is_refused(store, switch, arguments, reason):
    store.add_job(**{"trigger": "interval", "hours": 1} | arguments if "trigger" not in arguments else arguments)
    report, task = switch()
    assert (report["action"], task) == ("refused", None)
    assert reason in str(report["reasons"])


def test_a_function_that_moved(store, switch):
    store.add_job("json:dumps", "interval", hours=1, args=[1])
    assert switch()[0]["action"] == "refused"
    assert switch("--map", "json:*=tests.zoo.tasks:add")[1].func == "tests.zoo.tasks:add"


def test_a_damaged_state_is_refused(store, switch):
    jobs().create(id="bad", next_run_time=NOW, job_state=b"\x80\x04broken")
    assert "cannot be read" in switch()[0]["reasons"][""][0]


def test_the_switch(store, switch):
    store.add_job(zoo.ok, "interval", hours=1, id="one")
    switch("--pause-source")
    assert jobs().get().next_run_time is None
    assert store._jobstores["default"].get_due_jobs(SOON) == []
    assert SchedulerTask.objects.get().status == 1
    assert switch("--update")[0]["action"] == "unchanged"


def test_a_dry_run(store, switch):
    store.add_job(zoo.ok, "interval", hours=1, id="one")
    assert switch("--dry-run", "--pause-source") == (switch("--dry-run")[0], None)
    assert jobs().get().next_run_time is not None


def test_a_long_id(store, switch):
    store.add_job(zoo.ok, "interval", hours=1, id="x" * 200)
    _report, task = switch()
    assert len(task.job_id) == 64
    assert switch()[0]["action"] == "unchanged"
