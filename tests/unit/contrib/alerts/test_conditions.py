"""What is found to be the matter, and when it is over."""

import pytest

from django_sched_tasks import operations
from django_sched_tasks.contrib.alerts import watch
from django_sched_tasks.contrib.alerts.models import Alert, AlertRule, Condition
from django_sched_tasks.engine import recovery
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution
from django_sched_tasks.models.state import SchedulerState
from django_sched_tasks.testing import ManualScheduler


@pytest.fixture
def rule(db):
    def rule(condition, **values):
        return AlertRule.objects.create(condition=condition, **values)

    return rule


def resolved():
    return list(Alert.objects.filter(state="resolved").values_list("condition", flat=True))


def test_where_all_is_well_there_is_nothing(look, make, node, at):
    make()
    assert look(0) == []
    node.run_until(at(60))
    assert look(70) == []
    assert Alert.objects.count() == 0


# Failed in a row


def test_a_failure_opens_an_alert_once_and_a_success_ends_it(look, make, node, at):
    task = make("raises", name="Nightly")
    look(0)
    node.run_until(at(60))
    assert look(70) == [("failed", "Nightly failed")]
    node.run_until(at(130))
    assert look(140) == [("failed", "Nightly failed")]
    alert = Alert.objects.get()
    assert (alert.task, alert.opened_at, alert.seen_at) == (task, at(70), at(140))
    assert "the task raised" in alert.detail

    SchedulerTask.objects.filter(pk=task.pk).update(func="tests.zoo.tasks:ok")
    node.run_until(at(200))
    assert look(210) == []
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_at) == ("resolved", at(210))


def test_as_many_failures_in_a_row_as_the_rule_says(look, make, node, at, rule):
    rule("failed", threshold=3)
    make("raises")
    look(0)
    for minute, expected in ((1, []), (2, []), (3, [("failed", "Task failed 3 times in a row")])):
        node.run_until(at(minute * 60))
        assert look(minute * 60 + 10) == expected


def test_a_failure_with_retries_left_is_none_yet(look, make, node, at):
    make("raises", max_retries=1, retry_delay=30)
    look(0)
    node.run_until(at(60))
    assert look(70) == []
    node.run_until(at(90))
    assert look(100) == [("failed", "Task failed")]


def test_a_run_that_began_long_before_the_newest_rows_is_not_overlooked(look, make, node, at, monkeypatch):
    monkeypatch.setattr("django_sched_tasks.contrib.alerts.conditions.RECENT", 0)
    slow = make("raises", name="Slow")
    operations.run_task(slow.pk, now=at(0))
    accepted = node.start(node.claim())
    for _ in range(3):
        operations.run_task(make(name="Quick").pk, now=at(0))
    look(5)
    node.tick()
    node.now = at(20)
    node.finish(accepted)
    assert look(25) == [("failed", "Slow failed")]


def test_old_failures_are_no_news_when_the_app_is_installed(look, make, node, at):
    make("raises")
    node.run_until(at(60))
    operations.pause_task(SchedulerTask.objects.get().pk, now=at(61))
    assert look(3600) == []


# Lost, and gone nodes


def test_a_lost_run_and_its_node(look, make, node, at):
    make(name="Nightly", misfire_grace_time=None)
    look(0)
    node.now = at(60)
    node.plan()
    node.start(node.claim())
    other = ManualScheduler(now=at(100))
    SchedulerNode.objects.exclude(pk=other.node.id).update(host="elsewhere")
    recovery.recover(other.node, at(100))

    assert [condition for condition, _title in look(105)] == ["failed", "lost", "node_gone"]
    assert Alert.objects.get(condition="lost").title == "A run of Nightly was lost"
    assert Alert.objects.get(condition="node_gone").title.startswith("Scheduler node elsewhere:")

    operations.run_task(SchedulerTask.objects.get().pk, now=at(110))
    other.now = at(110)
    other.tick()
    look(200)
    assert sorted(resolved()) == ["failed", "lost"]
    SchedulerTask.objects.update(status=0)
    look(3800)
    assert "node_gone" in resolved()


def test_a_node_that_was_started_anew_on_its_host_is_not_missed(look, node, at):
    other = ManualScheduler(now=at(100))
    recovery.recover(other.node, at(100))

    assert SchedulerNode.objects.get(pk=node.node.id).state == "dead"
    assert look(105) == []


def test_a_node_that_was_stopped_is_not_missed(look, node, at):
    node.node.stopping(at(1))
    node.node.stopped(at(2))
    ManualScheduler(now=at(10))

    assert look(12) == []


def test_no_node_is_told_when_that_has_lasted(look, make, node, at):
    make(trigger="cron", trigger_args={"month": 1})
    assert look(0) == []
    SchedulerNode.objects.update(state="stopped", stopped_at=at(5))
    assert look(20) == []
    assert look(60) == []
    assert look(90) == [("no_node", "No scheduler is running")]
    ManualScheduler(now=at(100))
    look(105)
    look(170)
    assert resolved() == ["no_node"]


# Overdue, running too long, broken, unserved


def test_what_nobody_plans_is_overdue(look, make):
    make(name="Nightly")
    assert look(359) == []
    assert look(400) == [("overdue", "Nightly is overdue by 340 s")]


def test_what_waits_for_a_slot_is_overdue(look, make, node, at, rule):
    rule("overdue", threshold=30)
    task = make(name="Nightly", trigger="cron", trigger_args={"month": 1})
    execution = operations.run_task(task.pk, now=at(0))
    assert look(29) == []
    assert look(45) == [("overdue", "Nightly is overdue by 45 s")]
    assert Alert.objects.get().execution_id == execution.pk


def test_a_backfill_waits_without_an_alert(look, make, node, at):
    operations.backfill(make().pk, at(60), at(120), now=at(130))
    SchedulerTask.objects.update(status=0)
    TaskExecution.objects.exclude(kind="backfill").delete()

    assert look(1000) == []


def test_nothing_is_overdue_while_everything_is_paused(look, make, at):
    make()
    SchedulerState.objects.create(maintenance_until=at(1000))
    assert look(500) == []


def test_a_run_that_takes_too_long(look, make, node, at, rule):
    rule("running_long", threshold=100)
    patient = make(name="Patient", trigger="cron", trigger_args={"month": 1})
    rule("running_long", threshold=1000, task=patient)
    hasty = make(name="Hasty", trigger="cron", trigger_args={"month": 1})
    for task in (patient, hasty):
        operations.run_task(task.pk, now=at(0))
    node.start(node.claim())

    assert look(150) == [("running_long", "Hasty has been running for 150 s")]


def test_a_schedule_that_cannot_be_planned(look, make):
    SchedulerTask.objects.filter(pk=make(name="Odd").pk).update(schedule_error="No such day.", status=0)

    assert look(5) == [("schedule_error", "The trigger of Odd cannot be planned")]
    assert Alert.objects.get().detail == "No such day."


def test_a_queue_that_nobody_serves_is_told_when_that_has_lasted(look, make, at):
    ManualScheduler(now=at(0), queues=["default"])
    make(queue="etl", trigger="cron", trigger_args={"month": 1})
    for seconds, expected in ((0, []), (30, []), (61, [("queue_unserved", "Queue 'etl' is served by no node")])):
        assert look(seconds) == expected


# Rules


def test_a_tasks_own_rule_holds_for_it(look, make, node, at, rule):
    rule("failed", is_enabled=False)
    loud = make("raises", name="Loud")
    make("raises", name="Quiet")
    rule("failed", task=loud)
    look(0)
    node.run_until(at(60))

    assert look(70) == [("failed", "Loud failed")]


def test_an_alert_whose_rule_is_switched_off_is_over(look, make, node, at, rule):
    make("raises")
    look(0)
    node.run_until(at(60))
    assert look(70)
    rule("failed", is_enabled=False)
    assert look(140) == []


@pytest.mark.parametrize("condition", Condition)
def test_a_condition_that_is_switched_off_is_not_told(look, make, node, rule, condition):
    rule(condition, is_enabled=False)
    make("raises", queue="etl")
    SchedulerTask.objects.update(schedule_error="Broken.")
    look(0)
    look(5000)

    assert condition not in Alert.objects.values_list("condition", flat=True)


# The look itself


@pytest.mark.django_db
def test_it_is_looked_no_more_often_than_the_interval_says(at):
    assert watch.look(at(0))
    assert not watch.look(at(14))
    assert watch.look(at(15))
    assert not watch.look(at(15))


def test_a_look_takes_few_statements(make, node, at, django_assert_max_num_queries):
    for _ in range(5):
        make("raises")
    watch.look(at(0))
    with django_assert_max_num_queries(24):
        watch.look(at(20))


def test_what_flaps_stays_open(look, make, node):
    """For a minute after it was seen last it is not told as over."""
    SchedulerTask.objects.filter(pk=make().pk).update(schedule_error="Broken.", status=0)
    for seconds in (0, 30, 60, 90):
        SchedulerTask.objects.update(schedule_error="" if seconds % 60 else "Broken.")
        assert [condition for condition, _title in look(seconds)] == ["schedule_error"]

    assert Alert.objects.count() == 1


def test_an_alert_of_a_task_that_is_deleted_is_over(look, make, node, at):
    task = make("raises")
    look(0)
    node.run_until(at(60))
    look(70)
    operations.remove_task(task.pk, now=at(80))
    assert look(150) == []
    assert Alert.objects.get().task is None


def test_old_alerts_are_deleted(look, make, node):
    SchedulerTask.objects.filter(pk=make().pk).update(schedule_error="Broken.", status=0)
    look(0)
    SchedulerTask.objects.update(schedule_error="")
    look(100)
    assert resolved() == ["schedule_error"]
    look(100 + 91 * 86_400)
    assert Alert.objects.filter(condition="schedule_error").count() == 0


# Who looks


@pytest.fixture
def started(monkeypatch):
    """The threads that a watchman would have started."""
    threads = []
    monkeypatch.setattr(watch.threading, "Thread", lambda target, **options: threads.append(target) or Started())
    return threads


class Started:
    def start(self):
        pass


def test_a_sign_of_life_starts_one_look_and_no_second_while_it_lasts(started, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(watch.time, "monotonic", lambda: now)
    watchman = watch.Watchman()
    watchman.on_beat()
    now += 100
    watchman.on_beat()
    assert len(started) == 1
    watchman._busy.release()
    watchman.on_beat()
    assert len(started) == 2
    watchman._busy.release()
    now += 5
    watchman.on_beat()
    assert len(started) == 2


@pytest.fixture
def on_this_connection(db, monkeypatch):
    """A look's thread has a connection of its own; here it is called in this one."""
    monkeypatch.setattr(watch, "connections", type("Untouched", (), {"close_all": staticmethod(lambda: None)}))
    monkeypatch.setattr(watch.database, "adopt_own_connection", lambda: None)
    monkeypatch.setattr(watch.database, "retrying", lambda work: work())


def test_a_look_that_fails_is_told_and_ends(on_this_connection, caplog, monkeypatch):
    def fail():
        raise ValueError("of the look")

    monkeypatch.setattr(watch, "look", fail)
    watchman = watch.Watchman()
    assert watchman._busy.acquire()
    watchman._work()

    assert "The look for alerts failed" in caplog.text
    assert not watchman._busy.locked()


@pytest.mark.parametrize(("here", "looks"), [("production", 1), ("staging", 0)])
def test_a_copy_of_another_environment_is_not_looked_at(on_this_connection, settings, monkeypatch, here, looks):
    SchedulerState.objects.create(environment="production")
    settings.SCHED_TASKS = {**settings.SCHED_TASKS, "ENVIRONMENT": here}
    done = []
    monkeypatch.setattr(watch, "look", lambda: done.append("look"))
    monkeypatch.setattr(watch, "send_due", lambda: done.append("send"))
    watchman = watch.Watchman()
    watchman._busy.acquire()
    watchman._work()

    assert done == ["look", "send"] * looks


@pytest.mark.parametrize(("wanted", "looks"), [(False, 0), (True, 1)])
def test_requests_start_looks_where_that_is_wanted(started, settings, wanted, looks):
    settings.SCHED_TASKS = {**settings.SCHED_TASKS, "ALERTS": {"FROM_REQUESTS": wanted}}
    watch.Watchman().on_request()

    assert len(started) == looks
