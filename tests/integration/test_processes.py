"""Runs in child processes: what ends them, what they survive, and that they end with their node."""

import contextlib
import os
import signal

import pytest

from tests.support.accounts import check_nothing_ran_twice, most_at_once
from tests.support.fixtures import on
from tests.support.waiting import until

pytestmark = pytest.mark.integration

YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}}
PROCESSES = """
SCHED_TASKS = {
    "HEARTBEAT_INTERVAL": 0.5,
    "NODE_TIMEOUT": 4,
    "EXECUTORS": {
        "default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor", "OPTIONS": {"max_workers": 4}},
        "processes": {
            "BACKEND": "django_sched_tasks.executors.ProcessExecutor",
            "OPTIONS": {"max_workers": 2, "max_memory": 2048},
        },
    },
}
"""
JOBS = '''
import ctypes
import itertools
import os
import signal
import subprocess
import time

from django_sched_tasks import current_execution

from .models import Effect
from .tasks import note as _note


def work(label="work"):
    _note(label)
    print("printed by", label)
    return os.getpid()


async def work_async():
    fire_at = current_execution().fire_at
    return (await Effect.objects.acreate(label="async", fire_at=fire_at, attempt=1, pid=os.getpid())).label


def sleep_in_c(seconds):
    _note("sleep")
    print("sleeping")
    ctypes.CDLL(None).sleep(int(seconds))


def spin_in_c():
    """Never lets Python look at a signal."""
    _note("spin")
    any(itertools.repeat(False))


def loop():
    _note("loop")
    while True:
        time.sleep(0.01)


def with_a_child_of_its_own():
    child = subprocess.Popen(["sleep", "60"])
    _note(str(child.pid))
    child.wait()


def work_for_a_while():
    _note("while")
    time.sleep(0.7)


def leave(code):
    os._exit(code)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def eat():
    return len(bytearray(4 * 1024**3))
'''


@pytest.fixture
def site(database, make_site):
    site = make_site(database, settings=PROCESSES)
    site.write("warehouse/jobs.py", JOBS)
    return site


def add(site, func, **changes):
    return site.add(
        **{
            "name": func,
            "func": f"warehouse.jobs:{func}",
            "executor": "processes",
            "max_instances": None,
            **YEARLY,
            **changes,
        }
    )


def start(site, func, **changes):
    return site.run(add(site, func, **changes))


def ended(site, execution, within=20):
    return site.wait_for_execution(within=within, pk=execution, finished_at__isnull=False)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def test_a_process_that_dies_fails_its_run_and_no_other(site):
    node = site.runscheduler()
    first = ended(site, start(site, "work"))
    assert (first["status"], first["output"]) == ("succeeded", "printed by work\n")
    assert first["result"] != node.pid
    for func, args, error in (
        ("leave", [0], "exit code 0"),
        ("leave", [7], "exit code 7"),
        ("die", [], "SIGKILL"),
        ("eat", [], "MemoryError"),
    ):
        row = ended(site, start(site, func, args=args))
        assert row["status"] == "failed", row
        assert error in row["error"], row
        assert ended(site, start(site, "work"))["status"] == "succeeded"
    assert ended(site, start(site, "work_async"))["result"] == "async"
    together = start(site, "work", transactional=True, args=["together"])
    assert ended(site, together)["status"] == "succeeded"
    assert site.effect_count(label="together") == 1
    assert node.terminate() == 0


@on("sqlite", "postgresql")
def test_a_timeout_and_a_cancel_end_whatever_runs(site):
    node = site.runscheduler()
    ended(site, start(site, "work"))  # a process is there
    for func, args in (("sleep_in_c", [60]), ("spin_in_c", [])):
        row = ended(site, start(site, func, args=args, timeout=2))
        assert row["status"] == "timed_out", row
        assert 2 <= row["duration"] < 3, row
    assert site.executions(func="warehouse.jobs:sleep_in_c")[0]["output"] == "sleeping\n"
    for func, within in (("loop", 2), ("spin_in_c", 3)):
        execution = start(site, func)
        label = "loop" if func == "loop" else "spin"
        until(lambda label=label: site.effects(label=label, fire_at__gt="2020-01-01T00:00Z"), within=10)
        until(lambda execution=execution: site.executions(pk=execution, status="running"), within=10)
        site.cancel(execution)
        row = ended(site, execution, within=within)
        assert (row["status"], row["reason"]) == ("cancelled", "requested")
    execution = start(site, "with_a_child_of_its_own", timeout=1)
    assert ended(site, execution)["status"] == "timed_out"
    assert ended(site, start(site, "work"))["status"] == "succeeded"
    assert node.terminate() == 0


@on("postgresql")
def test_its_processes_end_with_a_node_and_only_they_are_lost(site):
    node = site.runscheduler()
    runs = [start(site, "spin_in_c"), start(site, "loop")]
    until(lambda: site.effect_count() == 2, within=15)
    pids = [effect["pid"] for effect in site.effects()]
    assert all(is_there(pid) for pid in pids)
    node.signal(signal.SIGKILL)
    node.wait()
    until(lambda: not any(is_there(pid) for pid in pids), within=3, what="the processes have ended")
    other = site.runscheduler()
    assert [ended(site, run)["status"] for run in runs] == ["lost", "lost"]
    run = start(site, "loop")
    until(lambda: site.executions(pk=run, status="running") and site.effect_count() == 3, within=15)
    assert other.terminate() == 3
    assert ended(site, run)["status"] == "lost"
    assert not any(is_there(effect["pid"]) for effect in site.effects())


@on("sqlite")
@pytest.mark.parametrize("server", ["gunicorn", "script"])
def test_they_work_wherever_a_node_is_hosted(site, server):
    if server == "gunicorn":
        process = site.gunicorn(workers=2)
    else:  # without a guard, as a script that was never imported may be
        site.write(
            "go.py",
            "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'company.settings'\n"
            "from django_sched_tasks.service import start_scheduler\nstart_scheduler(block=True)\n",
        )
        process = site.start_python("go.py")
    node = site.wait_for_node()
    row = ended(site, start(site, "work"))
    assert row["status"] == "succeeded"
    assert row["result"] not in (process.pid, node["pid"])
    assert [live["pid"] for live in site.live_nodes()] == [node["pid"]]
    os.kill(node["pid"], signal.SIGKILL)
    until(lambda: not is_there(row["result"]), within=3)


@on("postgresql", "mariadb")
def test_a_shared_limit_holds_over_nodes_whose_holders_are_killed(site):
    tasks = [
        add(site, "work_for_a_while", name=name, concurrency_key="shared", max_instances=2, max_catch_up=100)
        for name in ("one", "two")
    ]
    nodes = [site.runscheduler() for _ in range(3)]
    for _ in range(8):
        for task in tasks:
            site.run(task)
    most = 0
    killed = 0
    with contextlib.ExitStack():
        while site.executions(finished_at=None):
            running = site.executions(status="running")
            most = max(most, len(running))
            if running and killed < 3 and len(running) == 2:
                holder = site.nodes(id=running[0]["node_id"])[0]["pid"]
                victim = next((node for node in nodes if node.pid == holder), None)
                if victim is not None:
                    victim.kill()
                    nodes.remove(victim)
                    nodes.append(site.runscheduler(wait=False))
                    killed += 1
    assert most == 2
    assert killed == 3
    statuses = [row["status"] for row in site.executions()]
    assert set(statuses) <= {"succeeded", "lost"}
    assert statuses.count("lost") <= 2 * killed
    assert most_at_once(site.executions(started_at__isnull=False)) <= 2
    check_nothing_ran_twice(site)
