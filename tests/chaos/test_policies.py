"""Policies over several nodes, with kills and edits in between (scenarios 19, 25 to 27, 31, 32, 34, 38, 42)."""

import random
import signal
from datetime import UTC, datetime, timedelta

import pytest

from django_sched_tasks import operations
from django_sched_tasks.models import TaskExecution
from django_sched_tasks.testing import ManualScheduler
from tests.chaos.fixtures import QUICK
from tests.chaos.form import FULL, each
from tests.chaos.test_crash_points import EFFECT, SECONDLY
from tests.support.databases import vendors
from tests.support.fixtures import on
from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.chaos

ROOMY = "SCHED_TASKS = {'HEARTBEAT_INTERVAL': 0.5, 'NODE_TIMEOUT': 5}"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def most_at_once(rows):
    """How many of these executions were under way at one moment, at most."""
    ends = [(row["started_at"], 1) for row in rows if row["started_at"]]
    ends += [(row["finished_at"], -1) for row in rows if row["started_at"]]
    running = most = 0
    for _, step in sorted(ends):
        running += step
        most = max(most, running)
    return most


@on(*(vendors() if FULL else vendors()[-1:]))
def test_s25_a_long_task_overlaps_by_each_policy_on_two_nodes(database, make_site, audit):
    site = make_site(database, settings=ROOMY)
    slow = {"kwargs": {"seconds": 2.2}, **SECONDLY}
    skip = site.add(name="skip", **slow)
    two = site.add(name="two", max_instances=2, **slow)
    queue = site.add(name="queue", overlap="queue", max_catch_up=2, **slow)
    replace = site.add(name="replace", overlap="replace", **slow)
    each = site.add(name="each", coalesce=False, overlap="queue", max_catch_up=2, **slow)
    nodes = [site.runscheduler() for _ in range(2)]
    until(lambda: len(site.executions(status="succeeded")) >= 5 * 3, within=60)
    assert [node.terminate() for node in nodes] == [0, 0]
    assert site.manage("runscheduler", "--once").returncode == 0
    audit(site)
    by_task = {task: site.executions(task_id=task) for task in (skip, two, queue, replace, each)}
    most = {task: most_at_once(rows) for task, rows in by_task.items()}
    assert most == {skip: 1, two: 2, queue: 1, replace: 1, each: 1}
    # A pass that comes late finds more due at once than may be caught up, and says that besides.
    reasons = {task: {row["reason"] for row in rows} - {"", "catch_up"} for task, rows in by_task.items()}
    assert reasons == {
        skip: {"overlap"},
        two: {"overlap"},
        queue: {"queue_full"},
        replace: {"replaced", "requested"},
        each: {"queue_full"},
    }


@pytest.mark.parametrize("database", vendors(), indirect=True)
def test_s25_a_request_and_a_fire_time_for_one_slot_in_the_same_instant(site):
    assert site.python("-m", "tests.support.chaos.races", "room", "--rounds", 100 if FULL else 20).returncode == 0


@each("")
def test_s26_replace_cancels_what_waits_and_asks_what_runs_to_end(database, make_site, audit, fault):
    """In C code it goes on till that returns, however often it is asked; its successor waits for that."""
    site = make_site(database, settings=ROOMY)
    task = site.add(name="stubborn", overlap="replace", kwargs={"seconds": 4}, **SECONDLY)
    node = site.runscheduler()
    until(lambda: len(site.executions(started_at__isnull=False, finished_at__isnull=False)) >= 2, within=30)
    assert node.terminate() == 0
    assert site.manage("runscheduler", "--once").returncode == 0
    audit(site)
    rows = site.executions(task_id=task)
    ran = [row for row in rows if row["started_at"]]
    assert {row["status"] for row in ran} <= {"cancelled", "succeeded"}
    asked = [row for row in ran if row["cancel_requested_at"]]
    assert asked
    assert {row["cancel_requested_by"] for row in asked} == {"overlap: replace"}
    assert {(row["status"], row["reason"]) for row in asked} <= {("cancelled", "requested"), ("succeeded", "")}
    assert {(row["status"], row["reason"]) for row in rows if not row["started_at"]} == {("cancelled", "replaced")}
    assert most_at_once(rows) == 1


@each("")
def test_s27_a_pool_that_is_full_makes_others_late_or_missed_and_says_so(database, make_site, audit, fault):
    site = make_site(database, settings=QUICK)
    hog = site.add(
        name="hog", func=EFFECT, kwargs={"seconds": 7}, max_instances=None, trigger="cron", trigger_args={"month": 1}
    )
    hogs = [site.run(hog) for _ in range(2)]
    node = site.runscheduler()
    until(lambda: len(site.executions(pk__in=hogs, status="running")) == 2, within=10)
    late = site.add(name="late", **SECONDLY)
    graced = site.add(name="graced", misfire_grace_time=2, max_instances=None, **SECONDLY)
    until(lambda: site.executions(task_id=late, status="succeeded"), within=20)
    until(lambda: site.executions(task_id=graced, status="succeeded"), within=20)
    assert node.terminate() == 0
    assert site.manage("runscheduler", "--once").returncode == 0
    audit(site)
    first = next(row for row in site.executions(task_id=late) if row["status"] == "succeeded")
    assert (first["started_at"] - first["run_at"]).total_seconds() > 2
    assert {row["reason"] for row in site.executions(task_id=late, status="skipped")} == {"overlap"}
    missed = site.executions(task_id=graced, status="missed")
    assert missed
    assert {row["reason"] for row in missed} == {"grace"}


@each("")
def test_s31_edits_race_with_two_nodes(database, make_site, audit, fault):
    site = make_site(database, settings=ROOMY)
    when = {"func": EFFECT, "trigger": "cron", "trigger_args": {"second": "*"}}
    tasks = [site.add(name=f"edited {number}", **when) for number in range(6)]
    doomed = [site.add(name=f"deleted {number}", **when) for number in range(4)]
    nodes = [site.runscheduler() for _ in range(2)]
    chance = random.Random(7)
    for number in range(120 if FULL else 40):
        task = chance.choice(tasks)
        change = chance.choice(["edit", "pause", "resume", "run", "sql"])
        if change == "edit":
            site.update(task, trigger_args={"second": chance.choice(["*", "*/2", "*/3"])})
        elif change == "pause":
            site.pause(task)
        elif change == "resume":
            site.queryset_update(task, status=1)
        elif change == "run":
            site.run(task)
        else:
            site.queryset_update(task, trigger_args={"second": chance.choice(["*", "1-59/2"])})
        if number % 10 == 5 and doomed:
            site.remove(doomed.pop())
        pass_time(0.1)
    for task in tasks:
        site.pause(task)
    pass_time(2.5)  # the poll interval, and what is queued
    rows = len(site.executions(task_id__in=tasks, kind="schedule"))
    pass_time(2)
    assert len(site.executions(task_id__in=tasks, kind="schedule")) == rows  # nothing fires by the old schedule
    assert [node.terminate() for node in nodes] == [0, 0]
    assert site.manage("runscheduler", "--once").returncode == 0
    verdict = audit(site)
    assert set(verdict.statuses) <= {"succeeded", "skipped", "cancelled"}
    assert not any("Traceback" in node.log for node in nodes)


@pytest.mark.parametrize("database", vendors(), indirect=True)
def test_s34_a_second_of_interval_and_a_month_without_a_node(site):
    print(site.python("-m", "tests.support.chaos.races", "month_of_seconds").stdout)


@pytest.mark.parametrize("database", vendors(), indirect=True)
def test_s38_a_planner_that_slept_while_rows_were_purged_does_not_write_them_anew(site):
    assert site.python("-m", "tests.support.chaos.races", "purged_rows", "--rounds", 5).returncode == 0


PRUNE = "import django; django.setup(); from django_sched_tasks import operations; print(operations.prune(2 / 86400))"


@each("")
def test_s38_history_is_purged_while_two_nodes_work(site, audit, fault):
    for number in range(10):
        site.add(name=f"every {number}", **SECONDLY)
    nodes = [site.runscheduler() for _ in range(2)]
    until(lambda: len(site.executions(status="succeeded")) >= 30, within=20)
    deleted = 0
    for _ in range(4):
        deleted += int(site.python("-c", PRUNE).stdout)
        pass_time(0.3)
    assert [node.terminate() for node in nodes] == [0, 0]
    assert site.manage("runscheduler", "--once").returncode == 0
    assert deleted >= 30
    gone = {call["execution"] for call in site.calls()} - {row["id"] for row in site.executions()}
    assert len(gone) >= 30
    site.sql(f"DELETE FROM chaos_effect WHERE execution IN ({', '.join(map(str, gone))})")
    audit(site)


@each("")
def test_s42_a_shared_limit_holds_while_its_holders_are_killed(database, make_site, audit, fault):
    site = make_site(database, settings=ROOMY)
    tasks = [
        site.add(
            name=f"printer {number}",
            concurrency_key="printer",
            max_instances=2,
            overlap="queue",
            kwargs={"seconds": 0.7},
            **SECONDLY,
        )
        for number in range(3)
    ]
    nodes = [site.runscheduler() for _ in range(3)]
    killed = []
    for _ in range(6 if FULL else 2):
        running = until(lambda: site.executions(status="running"), within=20)
        owner = site.nodes(id=running[0]["node_id"])[0]["pid"]
        victim = next((node for node in nodes if node.pid == owner), nodes[0])
        victim.signal(signal.SIGKILL)
        victim.wait()
        killed.append(victim.pid)
        nodes[nodes.index(victim)] = site.runscheduler()
        count = len(site.executions(status="succeeded"))
        until(lambda count=count: len(site.executions(status="succeeded")) >= count + 4, within=20, what="it goes on")
    assert [node.terminate() for node in nodes] == [0, 0, 0]
    assert site.manage("runscheduler", "--once", within=120).returncode == 0
    audit(site, dead_may_be=killed)
    assert most_at_once(site.executions(task_id__in=tasks)) == 2


# On a clock that the test moves.


@pytest.fixture
def scheduler(db):
    return ManualScheduler(now=NOW)


def told(**conditions):
    rows = TaskExecution.objects.filter(**conditions).order_by("fire_at")
    return [((row.fire_at - NOW).total_seconds(), row.status, row.covers) for row in rows]


JUMPS = [(None, [(4200, "succeeded", 60)]), (120, [(660, "missed", 57), (4200, "succeeded", 3)])]


@pytest.mark.parametrize(("grace", "expected"), JUMPS)
def test_s19_the_clock_of_the_database_jumps(scheduler, grace, expected):
    """Back: nothing is repeated. Forward: what lies between is late, and the policies decide."""
    minutely = {"trigger": "interval", "trigger_args": {"minutes": 1}, "misfire_grace_time": grace}
    operations.add_task(name="minutely", func="tests.zoo.tasks:ok", now=NOW, **minutely)
    scheduler.run_until(at(600))
    assert told() == [(60.0 * number, "succeeded", 1) for number in range(1, 11)]
    scheduler.now = at(600 - 3600)
    scheduler.run_until(at(600))
    assert len(told()) == 10
    scheduler.now = at(600 + 3600)
    scheduler.tick()
    assert told()[10:] == expected


@pytest.mark.parametrize("change", ["pause", "edit", "both"])
def test_s32_an_edit_between_the_fire_time_and_its_jittered_start(scheduler, change):
    when = {"trigger": "interval", "trigger_args": {"seconds": 60, "jitter": 50}}
    task = operations.add_task(name="jittered", func="tests.zoo.tasks:ok", now=NOW, **when)
    scheduler.now = at(60)
    scheduler.plan()
    row = TaskExecution.objects.get()
    assert at(61) < row.run_at < at(110), "the hash of this task's first fire time leaves no room for the test"
    if change != "edit":
        operations.pause_task(task.pk, now=at(60.5))
        operations.resume_task(task.pk, now=at(60.7))
    if change != "pause":
        operations.update_task(task.pk, {"trigger_args": {"seconds": 60, "jitter": 40}}, now=at(60.9))
    scheduler.run_until(at(175))
    assert told() == [(60.0, "succeeded", 1), (120.0, "succeeded", 1)]
    assert TaskExecution.objects.get(pk=row.pk).started_at == row.run_at


@on(*(vendors() if FULL else vendors()[-1:]))
def test_s33_a_large_backfill_holds_up_nobody(database, make_site, audit):
    """It takes at most half of the slots, and every second of the other tasks has its run."""
    slots = {"default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor", "OPTIONS": {"max_workers": 4}}}
    site = make_site(database, settings=f"SCHED_TASKS = {{'HEARTBEAT_INTERVAL': 0.5, 'EXECUTORS': {slots!r}}}")
    number = 2000 if FULL else 150
    every_second = {"func": EFFECT, "trigger": "cron", "trigger_args": {"second": "*"}}
    past = site.add(name="past", max_instances=None, kwargs={"seconds": 0.1}, **every_second)
    site.pause(past)
    now = site.now().replace(microsecond=0)
    assert site.backfill(past, now - timedelta(seconds=number - 1), now) == number
    live = [site.add(name=f"live {index}", **SECONDLY) for index in range(3)]
    node = site.runscheduler()
    until(lambda: len(site.executions(kind="backfill", status="succeeded")) == number, within=20 + number / 5)
    assert node.terminate() == 0
    assert site.manage("runscheduler", "--once").returncode == 0
    audit(site)
    assert most_at_once(site.executions(kind="backfill")) <= 2
    for task in live:
        delays = [row["started_at"] - row["fire_at"] for row in site.executions(task_id=task, status="succeeded")]
        assert sorted(delays)[len(delays) // 2] < timedelta(seconds=1)
