"""What Django's task framework enqueues from one process runs on the nodes of others."""

import json
from importlib.util import find_spec

import pytest

from tests.support.accounts import check_nothing_ran_twice
from tests.support.waiting import until

BUILT_IN = find_spec("django.tasks") is not None

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not BUILT_IN and find_spec("django_tasks") is None, reason="Django's task framework is not installed"
    ),
]

SETTINGS = """
SCHED_TASKS = {
    "HEARTBEAT_INTERVAL": 0.5,
    "NODE_TIMEOUT": 4,
    "EXECUTORS": {
        "default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor"},
        "processes": {"BACKEND": "django_sched_tasks.executors.ProcessExecutor"},
    },
}
TASKS = {
    "default": {"BACKEND": "django_sched_tasks.tasks_backend.DatabaseBackend", "OPTIONS": {"timeout": 60}},
    "processes": {
        "BACKEND": "django_sched_tasks.tasks_backend.DatabaseBackend",
        "OPTIONS": {"executor": "processes", "on_crash": "retry", "timeout": 1},
    },
}
"""
# No task module of this package: only Django's task framework reaches it.
BACKGROUND = """
import os
import time

from asgiref.sync import sync_to_async

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task

from .tasks import note as _note


@task
def work(label, seconds=0):
    _note(label)
    print("printed by", label)
    time.sleep(seconds)
    return [label, os.getpid()]


@task(takes_context=True)
async def tell(context, label):
    await sync_to_async(_note)(label)
    return [context.attempt, context.task_result.id]


@task
def fail():
    raise ValueError("as told")
"""
ENQUEUE = """
from warehouse import background
task = getattr(background, {name!r}).using(backend={backend!r})
print("ID", task.enqueue(*{args!r}).id)
"""
LOOK = """
import json
try:
    from django.tasks import task_backends
except ImportError:
    from django_tasks import task_backends
result = task_backends[{backend!r}].get_result({result_id!r})
result.is_finished or exit(3)
errors = [error.exception_class_path for error in result.errors]
value = None if errors else result.return_value
print("RESULT", json.dumps([result.status.value, value, errors, result.attempts, result.worker_ids]))
"""


@pytest.fixture
def site(database, make_site):
    site = make_site(database, settings=SETTINGS, apps=[] if BUILT_IN else ["django_tasks"])
    site.write("warehouse/background.py", BACKGROUND)
    return site


def enqueue(site, name, *args, backend="default"):
    return said(site, ENQUEUE.format(name=name, args=args, backend=backend), "ID ")


def look(site, result_id, backend="default"):
    site.wait_for_execution(within=20, request=result_id, finished_at__isnull=False)
    return json.loads(said(site, LOOK.format(result_id=result_id, backend=backend), "RESULT "))


def said(site, code, word):
    output = site.manage("shell", "-c", code).stdout
    return next(line.removeprefix(word) for line in output.splitlines() if line.startswith(word)).strip()


def test_tasks_of_one_process_run_on_the_nodes_of_another(site):
    waits = enqueue(site, "work", "early")  # before there is a node
    node = site.runscheduler()
    (row,) = site.executions()

    status, value, errors, attempts, workers = look(site, waits)
    assert (status, value, errors, attempts) == ("SUCCESSFUL", ["early", node.pid], [], 1)
    assert workers == [str(site.executions(request=waits)[0]["node_id"])]
    assert row["kind"] == "enqueued"
    assert site.executions(request=waits)[0]["output"] == "printed by early\n"

    told = enqueue(site, "tell", "told")
    assert look(site, told)[:2] == ["SUCCESSFUL", [1, told]]
    failed = enqueue(site, "fail")
    assert look(site, failed)[:3] == ["FAILED", None, ["builtins.ValueError"]]

    apart = enqueue(site, "tell", "apart", backend="processes")
    assert look(site, apart, "processes")[:2] == ["SUCCESSFUL", [1, apart]]
    late = enqueue(site, "work", "late", 60, backend="processes")
    assert look(site, late, "processes")[2] == ["django_sched_tasks.exceptions.RunTimedOut"]

    lost = enqueue(site, "work", "lost", 60)
    until(lambda: site.executions(request=lost)[0]["status"] == "running", within=20)
    node.kill()
    other = site.runscheduler()
    assert look(site, lost)[2] == ["django_sched_tasks.exceptions.RunLost"]
    check_nothing_ran_twice(site)
    assert other.terminate() == 0
