"""Runs in Celery workers, over Redis and RabbitMQ: the row tells the whole story, whatever dies on the way."""

import sys
from pathlib import Path

import pytest

from tests.support.accounts import check_accounts, check_nothing_ran_twice
from tests.support.brokers import Broker, require
from tests.support.fixtures import on
from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.integration

YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}}
SETTINGS = """
SCHED_TASKS = {{
    "HEARTBEAT_INTERVAL": 0.5,
    "NODE_TIMEOUT": 4,
    "EXECUTORS": {{
        "default": {{"BACKEND": "django_sched_tasks.executors.ThreadExecutor"}},
        "celery": {{
            "BACKEND": "django_sched_tasks.executors.CeleryExecutor",
            "OPTIONS": {{"options": {{"queue": "{queue}"}}}},
        }},
        "tasks": {{"BACKEND": "django_sched_tasks.executors.DjangoTasksExecutor"}},
    }},
}}
TASKS = {{"default": {{"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}}}
CELERY_BROKER_URL = "{url}"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ACKS_LATE = {late}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
"""
APP = """
import os
from celery import Celery
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "company.settings")
app = Celery("company")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""
JOBS = """
import itertools
import os
import signal
import time

from celery import shared_task
from django_sched_tasks import current_execution

from .tasks import note as _note


def work(label="work", seconds=0):
    _note(label)
    print("printed by", label)
    current_execution().set_progress(1, 2, "half")
    time.sleep(seconds)
    return os.getpid()


@shared_task(bind=True)
def celery_task(self, label):
    _note(label)
    return [self.name, self.request.called_directly]


def fail():
    raise ValueError("as told")


def loop():
    _note("loop")
    while True:
        time.sleep(0.01)


def spin():
    _note("spin")
    any(itertools.repeat(False))


def die():
    _note("die")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def broker(request):
    require(request.param)
    broker = Broker(request.param)
    yield broker
    broker.close()


@pytest.fixture
def site(database, broker, make_site):
    site = make_site(database, settings=SETTINGS.format(queue=broker.queue, url=broker.url, late=True))
    site.write("company/celery.py", APP)
    site.write("company/__init__.py", "from .celery import app as celery_app\n")
    site.write("warehouse/jobs.py", JOBS)
    site.broker = broker
    return site


def both_brokers(*databases):
    """A test on these databases, with each broker."""

    def decorate(test):
        return pytest.mark.parametrize("broker", ["redis", "rabbitmq"], indirect=True)(on(*databases)(test))

    return decorate


def worker(site):
    program = Path(sys.executable).with_name("celery")
    queue = site.broker.queue
    options = ["-Q", queue, "-n", f"{queue}-{len(site.processes)}@h", "--without-gossip", "--without-mingle"]
    started = site.start(program, "-A", "company", "worker", "-c", "2", "-l", "INFO", *options)
    started.wait_for_log(r"ready\.")
    return started


def start(site, func, **changes):
    fields = {"name": func, "func": f"warehouse.jobs:{func}", "executor": "celery", "max_instances": None, **YEARLY}
    return site.run(site.add(**fields | changes))


def add_every(site, **changes):
    """A task of every second, of which each fire time has a run of its own."""
    when = {"trigger": "interval", "trigger_args": {"seconds": 1}, "coalesce": False, "max_instances": None}
    return site.add(name="every", func="warehouse.jobs:work", args=["every"], **when, **changes)


def ended(site, execution, within=20):
    return site.wait_for_execution(within=within, pk=execution, finished_at__isnull=False)


@both_brokers("postgresql")
def test_the_row_tells_the_whole_story(site):
    node, workers = site.runscheduler(), worker(site)
    row = ended(site, start(site, "work"))
    assert (row["status"], row["output"]) == ("succeeded", "printed by work\n")
    assert row["node_id"] is None
    assert row["worker"].endswith(f":{row['result']}")
    assert row["queued_at"] <= row["dispatched_at"] <= row["started_at"] <= row["finished_at"]
    row = ended(site, start(site, "celery_task", args=["bound"]))
    assert row["result"] == ["warehouse.jobs.celery_task", True], row
    failed = start(site, "fail", max_retries=1, retry_delay=0)
    assert ended(site, failed)["error"] == "ValueError: as told"
    again = site.wait_for_execution(within=10, func="warehouse.jobs:fail", attempt=2, finished_at__isnull=False)
    assert again["status"] == "failed"

    slow = start(site, "work", args=["slow", 60])
    row = site.wait_for_execution(within=10, pk=slow, status="running", output__gt="", progress__isnull=False)
    assert (row["output"], row["progress"]["done"]) == ("printed by slow\n", 1)
    alive = row["alive_at"]
    until(lambda: site.executions(pk=slow)[0]["alive_at"] > alive, within=5, what="another sign of life")
    site.cancel(slow)
    assert ended(site, slow, within=3)["status"] == "cancelled"

    late, spin = start(site, "work", args=["late", 60], timeout=2), start(site, "spin", timeout=1)
    row = ended(site, late)
    assert (row["status"], row["duration"] < 3) == ("timed_out", True), row
    row = ended(site, spin)  # nothing in it heeds a signal, so Celery's hard limit kills it
    assert row["status"] == "timed_out", row
    died = ended(site, start(site, "die"))
    assert (died["status"], "WorkerLostError" in died["error"]) == ("failed", True), died
    assert ended(site, start(site, "work"))["status"] == "succeeded"
    assert node.terminate() == 0
    assert workers.terminate() == 0


@both_brokers("postgresql")
def test_a_worker_and_a_broker_that_go_away(site):
    """A worker killed mid-run, a broker cut and mended: nothing is lost without a word, nothing starts twice."""
    every = add_every(site, executor="celery", on_crash="retry")
    site.runscheduler()
    first = worker(site)
    site.wait_for_effects(2, within=15, label="every")
    lost = start(site, "work", args=["lost", 60])
    again = start(site, "work", args=["again", 60], on_crash="retry")
    for label in ("lost", "again"):
        site.wait_for_effects(1, within=10, label=label)
    first.kill()
    second = worker(site)
    assert ended(site, lost)["status"] == "lost"
    assert ended(site, again)["status"] == "lost"
    retried = site.wait_for_execution(within=15, args=["again", 60], attempt=2, status="running")
    site.cancel(retried["id"])

    site.broker.proxy.cut()
    pass_time(4)
    count = site.effect_count(label="every")
    site.broker.proxy.mend()
    site.wait_for_effects(count + 4, within=40, label="every")
    site.pause(every)
    until(lambda: not site.executions(finished_at=None), within=30, what="all have ended")
    rows = site.executions(task_id=every)
    assert {row["status"] for row in rows} <= {"succeeded", "lost"}
    # Redis hands a message to a worker whose connection has just gone; it is noticed, and its execution runs again.
    assert sum(row["status"] == "lost" for row in rows) <= 2
    assert {row["fire_at"] for row in rows} == {row["fire_at"] for row in rows if row["status"] == "succeeded"}
    check_accounts(site)
    check_nothing_ran_twice(site)
    second.kill()


@on("postgresql")
@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)
def test_what_waits_for_a_worker_is_cancelled_at_once_and_no_message_is_heeded_twice(site):
    site.runscheduler()
    waiting = [start(site, "work", name=name, args=[name]) for name in ("cancelled", "kept")]
    until(lambda: len(site.executions(pk__in=waiting, status="dispatched", node=None)) == 2, within=10)
    site.cancel(waiting[0])
    assert ended(site, waiting[0], within=1)["status"] == "cancelled"
    (row,) = site.executions(pk=waiting[1])
    site.send_again(row["id"], row["message_id"], site.broker.queue)
    worker(site)
    assert ended(site, waiting[1])["status"] == "succeeded"
    pass_time(1)
    assert [effect["label"] for effect in site.effects()] == ["kept"]


@on("postgresql", "sqlite")
@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_a_task_moves_between_executors_while_it_runs(site):
    every = add_every(site)
    nodes = [site.runscheduler() for _ in range(2)]
    worker(site)
    for executor in ("celery", "tasks", "default", "celery"):
        status, _answer = site.api("patch", f"tasks/{every}/", {"executor": executor})
        assert status == 200
        seen = len(site.executions(executor=executor, status="succeeded"))
        until(lambda e=executor, s=seen: len(site.executions(executor=e, status="succeeded")) >= s + 3, within=15)
    site.pause(every)
    until(lambda: not site.executions(finished_at=None), within=20)
    assert {row["executor"] for row in site.executions()} >= {"celery", "tasks", "default"}
    assert {row["status"] for row in site.executions()} == {"succeeded"}
    check_accounts(site)
    check_nothing_ran_twice(site)
    assert [node.terminate() for node in nodes] == [0, 0]
