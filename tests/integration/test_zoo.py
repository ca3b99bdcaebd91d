"""Functions that misbehave under a live node: it says what happened, goes on, and keeps the task."""

import pytest

from tests.support.waiting import until

pytestmark = pytest.mark.integration

SETTINGS = "SCHED_TASKS = {'NODE_TIMEOUT': 3, 'HEARTBEAT_INTERVAL': 1}"

# The animal, how its execution ends, and a word of the error or of the result.
ANIMALS = {
    "ok": ("succeeded", "ok"),
    "async_ok": ("succeeded", "async ok"),
    "raises": ("failed", "RuntimeError: the task raised"),
    "raises_chained": ("failed", "the import failed"),
    "raises_nul": ("failed", "RuntimeError: before"),
    "raises_unprintable": ("failed", "Unprintable"),
    "system_exit": ("failed", "SystemExit: 3"),
    "keyboard_interrupt": ("failed", "KeyboardInterrupt"),
    "recurses": ("failed", "RecursionError"),
    "returns_object": ("succeeded", "object"),
    "returns_nan": ("succeeded", "nan"),
    "returns_nul": ("succeeded", "before"),
    "returns_surrogate": ("succeeded", ""),
    "returns_10mb": ("succeeded", ""),
    "returns_circle": ("succeeded", ""),
    "closes_connection": ("succeeded", "closed"),
    "leaves_transaction_broken": ("succeeded", "broken"),
    "leaves_atomic_open": ("succeeded", "open"),
    "sets_autocommit_off": ("succeeded", "autocommit off"),
}


def test_the_node_stays_healthy_and_says_what_happened(database, make_site):
    site = make_site(database, settings=SETTINGS, apps=["tests.zoo"])
    site.manage("migrate", "--verbosity", "0")
    yearly = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}, "max_instances": None}
    tasks = {name: site.add(name=name, func=f"tests.zoo.tasks:{name}", **yearly) for name in ANIMALS}
    gone = {
        site.create(name="no function", func="tests.zoo.tasks:gone", **yearly),
        site.create(name="no module", func="tests.zoo_that_closed.tasks:ok", **yearly),
        site.create(name="forbidden", func="os:system", args=["true"], **yearly),
    }
    every = site.add(name="every", func="warehouse.tasks:note", trigger="interval", trigger_args={"seconds": 1})
    node = site.runscheduler()
    identity = site.wait_for_node(node.pid)["id"]

    # Three times each, so that every thread has met several of them.
    runs = {name: [site.run(task) for _ in range(3)] for name, task in tasks.items()}
    lost_functions = [site.run(task) for task in gone]
    all_runs = [run for some in runs.values() for run in some]
    until(lambda: not site.executions(pk__in=all_runs, finished_at=None), within=30, what="all animals have run")

    for name, (status, words) in ANIMALS.items():
        for row in site.executions(pk__in=runs[name]):
            assert row["status"] == status, row
            assert words.lower() in f"{row['error']} {row['result']}".lower(), row
            assert bool(row["traceback"]) == (status == "failed"), row
    until(lambda: not site.executions(pk__in=lost_functions, finished_at=None), within=15, what="these are given up")
    for row in site.executions(pk__in=lost_functions):
        assert (row["status"], row["reason"]) == ("failed", "unresolved"), row
        assert row["error"]

    assert [node["id"] for node in site.live_nodes()] == [identity]
    count = site.effect_count()
    site.wait_for_effects(count + 2, within=10)
    # Behind that many animals a fire time or two may have met the one before.
    assert {row["status"] for row in site.executions(task_id=every) if row["finished_at"]} <= {"succeeded", "skipped"}
    assert node.terminate() == 0
    assert len(site.accounts()) == len(tasks) + len(gone) + 1
