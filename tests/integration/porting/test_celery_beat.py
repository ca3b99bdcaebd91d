"""Rows of the real django-celery-beat: what is taken over, what is not, and nothing twice."""

from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.core.management import CommandError
from django.db import DatabaseError, connection
from django.test import override_settings

from django_sched_tasks import operations
from django_sched_tasks.models import SchedulerTask

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC).replace(microsecond=0)
JOBS = "tests.integration.porting.jobs"
THREADS = {"BACKEND": "django_sched_tasks.executors.ThreadExecutor"}
CELERY = {"BACKEND": "django_sched_tasks.executors.CeleryExecutor"}


def model(name):
    return apps.get_model("django_celery_beat", name)


def raw(**fields):
    """Past the checks of the model, as SQL or an older release may have left a row."""
    model("PeriodicTask").objects.filter(name="Row").update(**fields)


@pytest.fixture
def every(db, installed):
    return model("IntervalSchedule").objects.create(every=30, period="seconds")


@pytest.fixture
def row(every):
    """Make a periodic task by its own model."""

    def row(name="Row", task=f"{JOBS}.send", args='["a@example.org"]', **fields):
        when = {} if fields.keys() & {"interval", "crontab", "solar", "clocked"} else {"interval": every}
        return model("PeriodicTask").objects.create(name=name, task=task, args=args, **when, **fields)

    return row


@pytest.fixture
def switch(port):
    """Import; answers the report of the only row, and its task if there is one."""
    import tests.integration.porting.jobs  # noqa: F401 - a worker would have imported it

    with override_settings(SCHED_TASKS={"AUTO_START": False, "ALLOWED_FUNCS": [f"{JOBS}:*"]}):
        yield lambda *options: _only(port("--from", "django-celery-beat", *options))


def _only(answer):
    _code, report = answer
    return report["rows"][0], SchedulerTask.objects.first()


def test_a_task_is_found_by_its_name(switch, row):
    row(kwargs='{"copies": 2}', description="To Ada")
    report, task = switch()
    assert report["action"] == "created"
    assert (task.func, task.args, task.kwargs) == (f"{JOBS}:send", ["a@example.org"], {"copies": 2})
    assert (task.name, task.description, task.source) == ("Row", "To Ada", "import")


def test_a_task_with_a_name_of_its_own(switch, row):
    row(task="a name of its own")
    assert switch()[1].func == f"{JOBS}:bound"


def test_an_interval_goes_on_from_its_last_run(switch, row):
    row(last_run_at=NOW - timedelta(seconds=10))
    before = datetime.now(UTC)
    _report, task = switch()
    assert before < task.next_run < datetime.now(UTC) + timedelta(seconds=30)
    assert not (task.next_run - NOW + timedelta(seconds=10)) % timedelta(seconds=30)


def test_an_interval_that_has_not_begun_begins_then(switch, row):
    row(start_time=NOW + timedelta(days=1))
    _report, task = switch()
    assert task.next_run == NOW + timedelta(days=1)


def test_a_disabled_row_is_a_paused_task(switch, row):
    row(enabled=False)
    _report, task = switch()
    assert (task.status, task.pause_note, task.next_run) == (0, "It was disabled in Celery beat.", None)


def test_once(switch, row):
    row(one_off=True)
    assert switch()[1].max_runs == 1


def test_the_end(switch, row):
    row(expires=NOW + timedelta(days=2), expire_seconds=None)
    assert switch()[1].trigger_args["end_date"] == (NOW + timedelta(days=2, seconds=-1)).isoformat()


def test_a_message_that_expires_is_a_fire_time_that_is_missed(switch, row):
    row(expire_seconds=90)
    assert switch()[1].misfire_grace_time == 90


def test_routes_of_a_site_that_sends_to_celery(port, switch, row):
    row(queue="mail", routing_key="mail.out", exchange="x", priority=7, headers='{"tenant": "a"}')
    executors = {"default": THREADS, "workers": CELERY}
    with override_settings(SCHED_TASKS={"EXECUTORS": executors, "ALLOWED_FUNCS": [f"{JOBS}:*"]}):
        report, task = switch()
    assert (task.executor, report["remarks"]) == ("workers", [])
    assert task.executor_options == {
        "queue": "mail",
        "routing_key": "mail.out",
        "exchange": "x",
        "priority": 7,
        "headers": {"tenant": "a"},
    }


def test_routes_of_a_site_that_does_not(switch, row):
    row(queue="mail", headers='{"token": "s3cret"}')
    report, task = switch()
    assert (task.executor, task.executor_options) == ("default", {})
    assert report["remarks"] == ["Not taken over, since no executor of this site sends to Celery: queue, headers"]


def test_what_all_tasks_get(switch, row):
    row()
    task = switch("--set", "max_instances=null", "--set", "queue=etl")[1]
    assert (task.max_instances, task.queue) == (None, "etl")


def test_a_long_name_is_cut_and_told(switch, row):
    row(name="x" * 200)
    report, task = switch()
    assert len(task.name) == 128
    assert "longer than 128" in report["remarks"][0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"task": "shop.old.report"}, "No task 'shop.old.report' is registered"),
        ({"args": "[1"}, "args is not JSON"),
        ({"kwargs": "[]"}, "kwargs is not an object"),
        ({"args": '[{"__type__": "datetime", "__value__": "2026-01-01"}]'}, "Celery's own notation"),
        ({"args": "[]"}, "Missing: 'address'"),
        ({"interval_id": None}, "It has 0 schedules"),
        ({"expires": NOW - timedelta(days=1)}, "It expired"),
        ({"one_off": True, "total_run_count": 1}, "has done so"),
        ({"expire_seconds": 0}, "misfire_grace_time"),
    ],
)
def test_what_is_refused(switch, row, fields, reason):
    row()
    raw(**fields)
    report, task = switch()
    assert (report["action"], task) == ("refused", None)
    assert reason in str(report["reasons"])


def test_an_interval_of_microseconds_is_refused(switch, row, every):
    row()
    model("IntervalSchedule").objects.update(every=500_000, period="microseconds")
    assert "every 500000 microseconds" in switch()[0]["reasons"][""][0]


def test_a_crontab_that_celery_cannot_read_is_refused(switch, row):
    crontab = model("CrontabSchedule").objects.create(day_of_week="7")
    row(crontab=crontab)
    assert "Celery itself cannot read" in switch()[0]["reasons"][""][0]


@pytest.mark.parametrize(("is_aware", "zone"), [(True, "Asia/Tokyo"), (False, "UTC")])
def test_the_zone_of_a_crontab_counts_where_it_counts_there(switch, row, settings, is_aware, zone):
    settings.DJANGO_CELERY_BEAT_TZ_AWARE = is_aware
    row(crontab=model("CrontabSchedule").objects.create(minute="0", hour="2", timezone="Asia/Tokyo"))
    assert switch()[1].timezone == zone


@pytest.mark.parametrize("moment", [NOW - timedelta(hours=1), NOW - timedelta(days=400)])
def test_a_clocked_time_that_is_past_is_refused(switch, row, moment):
    row(clocked=model("ClockedSchedule").objects.create(clocked_time=moment), one_off=True)
    report, task = switch()
    assert (report["action"], task) == ("refused", None)
    assert "run_date" in str(report["reasons"])


def test_celerys_own_housekeeping_is_left_out_and_left_on(port, switch, row):
    row(task="celery.backend_cleanup", args="[]")
    code, report = port("--from", "django-celery-beat", "--pause-source")
    assert (code, report["rows"][0]["action"], report["switched_off"]) == (0, "left out", 0)
    assert model("PeriodicTask").objects.get().enabled


def test_one_refused_row_holds_up_no_other(port, switch, row):
    row(name="Bad", task="nobody"), row(name="Good")
    code, report = port("--from", "django-celery-beat")
    assert (code, [found["action"] for found in report["rows"]]) == (1, ["refused", "created"])


def test_nothing_is_written_twice(switch, row):
    row()
    switch()
    before = SchedulerTask.objects.values().get()
    assert switch("--update")[0]["action"] == "unchanged"
    assert SchedulerTask.objects.values().get() == before


def test_a_task_that_differs_is_kept_unless_it_is_to_be_updated(switch, row):
    row()
    switch()
    raw(description="New")
    report, task = switch()
    assert (report["action"], report["changes"], task.description) == ("kept", {"description": "New"}, "")
    report, task = switch("--update")
    assert (report["action"], report["changes"], task.description) == ("updated", {"description": "New"}, "New")


def test_the_switch_and_a_second_one(switch, row):
    """A row that was switched off there pauses nothing here."""
    row(last_run_at=NOW)
    changed = model("PeriodicTasks").last_change()
    switch("--pause-source")
    found = model("PeriodicTask").objects.get()
    assert (found.enabled, found.last_run_at) == (False, NOW)
    assert model("PeriodicTasks").last_change() > changed
    report, task = switch("--pause-source", "--update")
    assert (report["action"], task.status) == ("unchanged", 1)


def test_what_would_run_twice_and_what_would_not_run_at_all_is_told(port, switch, row):
    row()
    switch()
    operations.pause_task(SchedulerTask.objects.get().pk)
    _code, report = port("--from", "django-celery-beat")
    assert "still fires what was taken over" in report["remarks"][0]
    assert "paused here" in report["rows"][0]["remarks"][0]
    _code, report = port("--from", "django-celery-beat", "--pause-source")
    assert report["remarks"] == []


def test_a_refused_row_stays_on(switch, row):
    row(task="nobody")
    switch("--pause-source")
    assert model("PeriodicTask").objects.get().enabled


def test_the_switch_is_one_transaction(switch, row, monkeypatch):
    row()

    def fail(keys):
        raise DatabaseError("gone")

    monkeypatch.setattr("django_sched_tasks.porting.celery_beat.switch_off", fail)
    with pytest.raises(CommandError, match="gone"):
        switch("--pause-source")
    assert not SchedulerTask.objects.exists()


def test_a_dry_run_writes_nothing(switch, row, django_capture_on_commit_callbacks):
    row(name="One"), row(name="Two", enabled=False), row(name="Three")
    switch()
    SchedulerTask.objects.filter(name="Three").delete()
    raw(description="New")
    model("PeriodicTask").objects.filter(name="One").update(description="New")
    before = _all_rows()
    with django_capture_on_commit_callbacks() as callbacks:
        report, _task = switch("--dry-run", "--update", "--pause-source")
    assert report["action"] == "updated"
    assert _all_rows() == before
    assert callbacks == []


def _all_rows():
    """Every row of every table."""
    with connection.cursor() as cursor:
        tables = sorted(connection.introspection.table_names(cursor))
        found = {}
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = sorted(map(repr, cursor.fetchall()))
    return found


def test_what_was_imported_can_be_edited_as_any_task(switch, row):
    row()
    _report, task = switch()
    assert operations.update_task(task.pk, {"priority": 5}).priority == 5
