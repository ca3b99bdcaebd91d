"""The command that runs a scheduler of its own: how it begins, drains, is forced, and what it says."""

import signal
from datetime import timedelta

import pytest

from tests.support.accounts import check_accounts, check_nothing_ran_twice
from tests.support.fixtures import on
from tests.support.waiting import until

pytestmark = pytest.mark.integration

YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}}
SECONDLY = {"trigger": "interval", "trigger_args": {"seconds": 1}}
ONE_THREAD = """
SCHED_TASKS = {
    "EXECUTORS": {
        "default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor", "OPTIONS": {"max_workers": 1}},
    },
}
"""


@pytest.fixture
def narrow_site(database, make_site):
    """Its nodes run one thing at a time."""
    return make_site(database, settings=ONE_THREAD)


def queue_runs(site, count, seconds, **policies):
    """Manual runs of one task, of which the first sleeps as long as they all do."""
    task = site.add(
        name="slow", func="warehouse.tasks:slow", kwargs={"seconds": seconds}, max_instances=None, **YEARLY, **policies
    )
    return [site.run(task) for _ in range(count)]


def test_sigterm_lets_what_runs_end_and_hands_back_what_has_not_started(narrow_site):
    runs = queue_runs(narrow_site, 3, 2)
    node = narrow_site.runscheduler()
    narrow_site.wait_for_execution(within=10, status="running")
    until(lambda: len(narrow_site.executions(status="claimed")) == 2, within=5)

    assert node.terminate() == 0
    by_id = {row["id"]: row for row in narrow_site.executions()}
    assert [by_id[run]["status"] for run in runs] == ["succeeded", "queued", "queued"]
    assert by_id[runs[0]]["duration"] >= 2
    assert [by_id[run]["node_id"] for run in runs[1:]] == [None, None]
    assert narrow_site.nodes()[0]["state"] == "stopped"
    assert narrow_site.effect_count() == 1


def test_a_second_signal_does_not_wait_and_tells_the_run_as_lost(narrow_site):
    runs = queue_runs(narrow_site, 2, 60)
    node = narrow_site.runscheduler()
    narrow_site.wait_for_execution(within=10, status="running")
    node.signal(signal.SIGTERM)
    until(lambda: narrow_site.nodes(state="stopping"), within=5)
    node.signal(signal.SIGINT)

    assert node.wait(within=10) == 3
    by_id = {row["id"]: row for row in narrow_site.executions()}
    assert [by_id[run]["status"] for run in runs] == ["lost", "queued"]
    assert by_id[runs[0]]["reason"] == "shutdown"
    assert narrow_site.nodes()[0]["state"] == "stopped"


@on("sqlite")
def test_grace_is_how_long_it_waits(site):
    queue_runs(site, 1, 60)
    node = site.runscheduler("--grace", "0.5")
    site.wait_for_execution(within=10, status="running")
    assert node.terminate(within=10) == 3
    assert [row["status"] for row in site.executions()] == ["lost"]


def test_once_runs_what_is_due_and_leaves_alone_what_becomes_due(site):
    queue_runs(site, 30, 0.05)
    every = site.add(name="every", func="warehouse.tasks:note", **SECONDLY)
    until(lambda: site.now() > site.task(every)["next_run"], within=5)

    done = site.manage("runscheduler", "--once")
    assert done.returncode == 0
    assert [row["status"] for row in site.executions(kind="manual")] == ["succeeded"] * 30
    assert [row["status"] for row in site.executions(task_id=every)] == ["succeeded"]
    assert site.nodes()[0]["state"] == "stopped"
    check_accounts(site)


@on("sqlite")
def test_once_with_nothing_to_do_ends_at_once(site):
    assert site.manage("runscheduler", "--once", within=20).returncode == 0
    assert site.executions() == []


def test_queues_are_all_that_it_serves(site):
    wanted = site.add(name="wanted", func="warehouse.tasks:note", queue="mail", **SECONDLY)
    other = site.add(name="other", func="warehouse.tasks:note", queue="default", **SECONDLY)
    node = site.runscheduler("--queues", "mail, reports")
    assert site.wait_for_node()["queues"] == ["mail", "reports"]
    until(lambda: len(site.executions(task_id=wanted, status="succeeded")) >= 2, within=10)
    assert node.terminate() == 0
    assert {row["status"] for row in site.executions(task_id=other)} <= {"queued", "skipped"}
    check_accounts(site)


@on("sqlite")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--queues", ""], "--queues is ''; give names separated by commas"),
        (["--queues", "mail,,reports"], "--queues is 'mail,,reports'"),
        (["--grace", "-1"], "--grace is -1.0; give 0 or more seconds"),
        (["--grace", "nan"], "--grace is nan; give 0 or more seconds"),
        (["--grace", "soon"], "invalid float value: 'soon'"),
        (["--onse"], "unrecognized arguments: --onse"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_starts(site, options, words):
    done = site.manage("runscheduler", *options, check=False)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert site.nodes() == []


def test_it_waits_for_tables_and_says_so_once(empty_database, make_site):
    site = make_site(empty_database)
    node = site.runscheduler(wait=False)
    node.wait_for_log("run 'manage.py migrate'")
    site.migrate()
    site.add(name="every", func="warehouse.tasks:note", **SECONDLY)
    site.wait_for_node(node.pid)
    site.wait_for_effects(2, within=10)
    assert node.log.count("run 'manage.py migrate'") == 1
    assert node.terminate() == 0
    assert len(site.nodes()) == 1
    check_accounts(site)


@on("sqlite", fixture="empty_database")
def test_once_does_not_wait_for_tables(empty_database, make_site):
    done = make_site(empty_database).manage("runscheduler", "--once", check=False, within=30)
    assert done.returncode == 1
    assert "run 'manage.py migrate'" in done.stderr
    assert "Traceback" not in done.stderr


@on("sqlite", fixture="empty_database")
def test_sigterm_ends_it_while_it_waits_for_tables(empty_database, make_site):
    node = make_site(empty_database).runscheduler(wait=False)
    node.wait_for_log("run 'manage.py migrate'")
    assert node.terminate(within=10) == 0


@on("sqlite")
def test_ten_restarts_do_not_shift_the_phase_of_an_interval(site):
    task = site.add(name="every", func="warehouse.tasks:note", trigger="interval", trigger_args={"seconds": 3})
    anchor = site.task(task)["anchor"]
    for _ in range(10):
        site.runscheduler().terminate()
    node = site.runscheduler()
    before = site.effect_count()
    site.wait_for_effects(before + 1, within=10)
    assert node.terminate() == 0
    assert {(row["fire_at"] - anchor) % timedelta(seconds=3) for row in site.executions()} == {timedelta(0)}
    assert site.task(task)["anchor"] == anchor
    check_accounts(site)
    check_nothing_ran_twice(site)


@on("sqlite")
def test_with_debug_it_starts_anew_when_code_changes(database, make_site):
    site = make_site(database, settings="DEBUG = True")
    site.add(name="every", func="warehouse.tasks:note", **SECONDLY)
    reloader = site.runscheduler(wait=False)
    first = site.wait_for_node()
    site.wait_for_effects(2, within=10)
    site.change_code(reloader)
    second = until(
        lambda: next((node for node in site.live_nodes() if node["pid"] != first["pid"]), None),
        within=20,
        what="a node in the reloaded process",
    )
    site.wait_for_effects(2, within=10, pid=second["pid"])
    assert site.nodes(id=first["id"])[0]["state"] == "stopped"
    assert len(site.live_nodes()) == 1
    check_nothing_ran_twice(site)
