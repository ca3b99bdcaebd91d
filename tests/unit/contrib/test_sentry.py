"""Errors and check-ins, as a server sees them: Sentry's own SDK sends real envelopes to a local one."""

import json

import pytest
import sentry_sdk

from django_sched_tasks import hooks, operations, runner, signals
from django_sched_tasks.contrib.sentry import monitors, reports
from django_sched_tasks.engine import recovery
from django_sched_tasks.exceptions import WorkerDied
from django_sched_tasks.models import SchedulerNode, TaskExecution
from django_sched_tasks.testing import ManualScheduler
from tests.support.receiver import Receiver

MINUTELY = {"trigger": "interval", "trigger_args": {"minutes": 1}}


@pytest.fixture
def server():
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def sent(server, monkeypatch, db):
    """What has arrived: (type of item, payload)."""
    for name in ("around_run", "broken_off"):
        monkeypatch.setattr(hooks, name, [])
    monkeypatch.setattr(monitors, "_kept", {})
    reports._told.clear()
    reports.connect()
    sentry_sdk.init(f"http://key@127.0.0.1:{server.port}/1", default_integrations=False, environment="test")

    def sent(kind):
        sentry_sdk.flush(10)
        items = [item for request in server.received for item in _items(request.body)]
        return [payload for name, payload in items if name == kind]

    yield sent
    sentry_sdk.get_client().close(timeout=2)
    sentry_sdk.init(default_integrations=False)  # which would wrap Django for all tests after it
    signals.execution_finished.disconnect(dispatch_uid=reports.__name__)


def _items(envelope):
    lines = envelope.split(b"\n")[1:]
    while len(lines) > 1:
        header, payload, *lines = lines
        yield json.loads(header)["type"], json.loads(payload)


def test_an_error_arrives_with_its_task_and_execution(sent, make, node):
    task = make("raises", kwargs={"message": "out of paper"})
    operations.run_task(task.pk, now=node.now)
    (execution,) = node.tick()
    (event,) = sent("event")
    (error,) = event["exception"]["values"]

    assert (error["type"], error["value"]) == ("RuntimeError", "out of paper")
    assert error["mechanism"] == {"type": "django_sched_tasks", "handled": False}
    assert error["stacktrace"]["frames"][-1]["function"] == "raises"
    assert event["transaction"] == "run tests.zoo.tasks:raises"
    assert event["tags"] == {
        "sched_tasks.execution_id": str(execution.pk),
        "sched_tasks.task_id": str(task.pk),
        "sched_tasks.job_id": task.job_id,
        "sched_tasks.kind": "manual",
    }
    assert event["contexts"]["scheduled task"]["execution_id"] == execution.pk
    assert sent("check_in") == []  # nobody expected it at that time


def test_secrets_do_not_arrive(sent, server, make, node):
    operations.run_task(make("raises_its_secret", kwargs={"password": "hunter2-secret"}).pk, now=node.now)
    node.tick()
    (event,) = sent("event")
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][-1]

    assert set(frame["vars"]) == {"password", "kept"}
    assert b"hunter2-secret" not in b"".join(request.body for request in server.received)


def test_a_cancelled_run_is_no_error(sent, make, node):
    operations.run_task(make("raises_cancelled").pk, now=node.now)
    node.tick()

    assert sent("event") == []


def test_a_run_of_a_schedule_checks_in_and_out(sent, make, node, at):
    make(job_id="nightly", timeout=150, timezone="Asia/Shanghai", **MINUTELY)
    node.run_until(at(60))
    begun, ended = sent("check_in")

    assert (begun["monitor_slug"], begun["status"], begun["environment"]) == ("nightly", "in_progress", "test")
    assert begun["monitor_config"] == {
        "schedule": {"type": "interval", "value": 1, "unit": "minute"},
        "timezone": "Asia/Shanghai",
        "checkin_margin": 1,
        "max_runtime": 3,
    }
    assert (ended["status"], ended["check_in_id"]) == ("ok", begun["check_in_id"])
    assert ended["duration"] >= 0


def test_a_failure_checks_out_as_an_error(sent, make, node, at):
    make("raises", **MINUTELY)
    node.run_until(at(60))

    assert [check_in["status"] for check_in in sent("check_in")] == ["in_progress", "error"]


def test_a_run_whose_process_died_is_told_by_its_node(sent, make, node, at):
    make(**MINUTELY)
    node.now = at(60)
    node.plan()
    ((claim, function),) = node.start(node.claim())
    runner.broken_off(claim, WorkerDied("It was ended by SIGSEGV."), 1.5)
    runner.run(claim, function)  # as a thread that was given up goes on
    (event,) = sent("event")

    assert event["exception"]["values"][0]["value"] == "It was ended by SIGSEGV."
    assert [(item["status"], item["duration"]) for item in sent("check_in") if item["status"] != "in_progress"] == [
        ("error", 1.5)
    ]


def test_a_lost_run_is_told_by_whoever_found_its_node_dead(sent, make, node, at):
    make(**MINUTELY)
    node.now = at(60)
    node.plan()
    ((claim, _function),) = node.start(node.claim())
    SchedulerNode.objects.update(heartbeat_at=at(0))
    recovery.recover(ManualScheduler(now=at(60)).node, at(60))
    (event,) = sent("event")
    (check_in,) = sent("check_in")

    assert event["message"].startswith("Task is lost.")
    assert event["tags"]["sched_tasks.execution_id"] == str(claim.id)
    assert check_in["status"] == "error"
    assert check_in["check_in_id"] == reports._check_in_id(claim.id)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (("missed", "grace"), (0, 1)),
        (("failed", "unresolved"), (1, 1)),
        (("failed", ""), (0, 0)),  # the function raised, where that was told
        (("skipped", "overlap"), (0, 0)),
        (("succeeded", ""), (0, 0)),
    ],
)
def test_what_never_ran(sent, make, node, end, told):
    task = make(**MINUTELY)
    node.advance(60)
    node.plan()
    execution = TaskExecution.objects.get()
    status, reason = end
    signals.send(
        signals.execution_finished, TaskExecution, execution_id=execution.pk, task_id=task.pk, job_id=task.job_id,
        kind="schedule", status=status, reason=reason,
    )  # fmt: skip

    assert (len(sent("event")), len(sent("check_in"))) == told


def test_check_ins_can_be_switched_off(sent, make, node, at, settings):
    settings.SCHED_TASKS = {**settings.SCHED_TASKS, "SENTRY": {"CHECK_INS": False}}
    make("raises", **MINUTELY)
    node.run_until(at(60))

    assert (len(sent("event")), sent("check_in")) == (1, [])


@pytest.mark.parametrize(
    ("trigger", "args", "schedule"),
    [
        ("crontab", {"expression": "*/5 9-17 * * mon-fri"}, ("crontab", "*/5 9-17 * * mon-fri")),
        ("cron", {"hour": 2}, ("crontab", "0 2 * * *")),
        ("cron", {"minute": "*/15"}, ("crontab", "*/15 * * * *")),
        ("cron", {"hour": "9-17", "minute": 30, "day_of_week": "mon-fri"}, ("crontab", "30 9-17 * * 1,2,3,4,5")),
        ("cron", {"day_of_week": 6}, ("crontab", "0 0 * * 0")),
        ("cron", {"day_of_week": "*/2", "hour": 1}, ("crontab", "0 1 * * 0,1,3,5")),
        ("cron", {"day": 1}, ("crontab", "0 0 1 * *")),
        ("cron", {"month": "1-12/3"}, ("crontab", "0 0 1 1-12/3 *")),
        ("cron", {"month": 2, "hour": 3}, ("crontab", "0 3 * 2 *")),
        ("cron", {"day": "last"}, None),
        ("cron", {"day": "2nd fri"}, None),
        ("cron", {"day": 1, "day_of_week": "mon"}, None),
        ("cron", {"second": "*/10"}, None),
        ("cron", {"week": 5}, None),
        ("interval", {"hours": 2}, ("interval", 2, "hour")),
        ("interval", {"minutes": 90}, ("interval", 90, "minute")),
        ("interval", {"weeks": 1, "days": 7}, ("interval", 2, "week")),
        ("interval", {"seconds": 300}, ("interval", 5, "minute")),
        ("interval", {"seconds": 30}, None),
        ("interval", {"seconds": 90}, None),
        ("calendarinterval", {"months": 3}, ("interval", 3, "month")),
        ("calendarinterval", {"months": 3, "days": 1}, None),
        ("date", {"run_date": "2030-01-01"}, None),
        ("after", {"job_id": "other"}, None),
    ],
)
def test_triggers_in_sentrys_terms(trigger, args, schedule):
    told = monitors.schedule_of(trigger, args)

    assert (None if told is None else (told["type"], *(value for key, value in told.items() if key != "type"))) == (
        schedule
    )


@pytest.mark.parametrize("args", [{"hour": 2}, {"minute": "*/15"}, {"day_of_week": "*/2", "hour": 1}, {"day": 1}])
def test_a_crontab_line_made_from_cron_fires_when_the_trigger_does(args, at):
    from django_sched_tasks import triggers

    line = monitors.schedule_of("cron", args)["value"]

    assert triggers.preview("crontab", {"expression": line}, after=at(0), count=20) == triggers.preview(
        "cron", args, after=at(0), count=20
    )


@pytest.mark.parametrize(
    ("job_id", "slug"), [("nightly", "nightly"), ("sync_all-2", "sync_all-2"), ("12", "12-6b51d431"), ("报表", "task-")]
)
def test_a_slug_is_made_from_the_job_id(job_id, slug):
    assert monitors.slug(job_id).startswith(slug)
    assert len(monitors.slug("x" * 64)) == 50
    assert monitors.slug("x" * 64) != monitors.slug("x" * 63 + "y")
