"""Runs on backends of Django's tasks: at once, and by the worker of a database backend."""

from importlib.util import find_spec

import pytest

from tests.support.accounts import check_nothing_ran_twice
from tests.support.fixtures import on
from tests.support.waiting import until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        find_spec("django_tasks_db") is None, reason="the database backend of Django's tasks is not installed"
    ),
]

BUILT_IN = find_spec("django.tasks") is not None
YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}}
SETTINGS = """
SCHED_TASKS = {
    "HEARTBEAT_INTERVAL": 0.5,
    "NODE_TIMEOUT": 4,
    "EXECUTORS": {
        "default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor"},
        "now": {"BACKEND": "django_sched_tasks.executors.DjangoTasksExecutor", "OPTIONS": {"backend": "now"}},
        "tasks": {
            "BACKEND": "django_sched_tasks.executors.DjangoTasksExecutor",
            "OPTIONS": {"backend": "default", "max_workers": 2},
        },
    },
}
TASKS = {
    "default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default", "slow"]},
    "now": {"BACKEND": "LIBRARY.backends.immediate.ImmediateBackend", "QUEUES": []},
}
""".replace("LIBRARY", "django.tasks" if BUILT_IN else "django_tasks")
JOBS = """
import os
import time

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task

from .tasks import note as _note


def work(label="work", seconds=0):
    _note(label)
    print("printed by", label)
    time.sleep(seconds)
    return os.getpid()


@task(queue_name="slow", priority=5)
def decorated(label):
    _note(label)
    return "decorated"


async def waits():
    return "awaited"
"""


@pytest.fixture
def site(empty_database, make_site):
    site = make_site(
        empty_database, settings=SETTINGS, apps=["django_tasks_db"] + ([] if BUILT_IN else ["django_tasks"])
    )
    site.write("warehouse/jobs.py", JOBS)
    site.migrate()
    return site


def start(site, func, executor="tasks", **changes):
    fields = {"name": func, "func": f"warehouse.jobs:{func}", "executor": executor, "max_instances": None, **YEARLY}
    return site.run(site.add(**fields | changes))


def ended(site, execution, within=20):
    return site.wait_for_execution(within=within, pk=execution, finished_at__isnull=False)


@on("sqlite", "postgresql", fixture="empty_database")
def test_plain_functions_and_tasks_run_on_both_backends(site):
    node = site.runscheduler()
    for executor in ("now", "tasks"):
        if executor == "tasks":
            waiting = [start(site, "work", name=f"w{number}", args=[f"w{number}"]) for number in range(4)]
            until(lambda: len(site.executions(status="dispatched", node=None)) == 2, within=10)
            assert len(site.executions(pk__in=waiting, status="queued")) == 2  # no more than max_workers are out
            worker = site.start_python("manage.py", "db_worker", "--queue-name", "*", "--interval", "0.1")
            for execution in waiting:
                assert ended(site, execution)["status"] == "succeeded"
        row = ended(site, start(site, "work", executor))
        assert (row["status"], row["output"], row["node_id"]) == ("succeeded", "printed by work\n", None), row
        assert row["result"] == (node.pid if executor == "now" else worker.pid)
        assert ended(site, start(site, "decorated", executor, args=["d"]))["result"] == "decorated"
        assert ended(site, start(site, "waits", executor))["result"] == "awaited"

    row = ended(site, start(site, "work", args=["late", 60], timeout=1))
    assert (row["status"], row["duration"] < 3) == ("timed_out", True), row
    unwanted = start(site, "work", args=["unwanted", 60])
    site.wait_for_effects(1, within=10, label="unwanted")
    site.cancel(unwanted)
    assert ended(site, unwanted, within=3)["status"] == "cancelled"
    queued = start(site, "work", args=["killed", 60])
    site.wait_for_effects(1, within=10, label="killed")
    worker.kill()
    assert ended(site, queued)["status"] == "lost"
    check_nothing_ran_twice(site)
    assert node.terminate() == 0
