"""An edit by any hand takes effect within the poll interval on a running node."""

import json

import pytest

from tests.support.waiting import until

pytestmark = pytest.mark.integration

POLL_INTERVAL = 1.0
SLACK = 1.5  # for a machine with two busy cores


def by_operation(site, task, **changes):
    site.update(task, **changes)


def by_api(site, task, **changes):
    status, answer = site.api("patch", f"tasks/{task}/", changes)
    assert status == 200, answer


def by_admin(site, task, **changes):
    texts = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in changes.items()}
    assert site.admin_change(task, **texts) == 302


def by_save(site, task, **changes):
    site.save(task, **changes)


def by_queryset(site, task, **changes):
    site.queryset_update(task, **changes)


def by_sql(site, task, **changes):
    quoted = "`trigger`" if site.database.vendor == "mariadb" else '"trigger"'
    columns = ", ".join(f"{quoted if name == 'trigger' else name} = %s" for name in changes)
    values = [json.dumps(value, indent=1) if isinstance(value, dict) else value for value in changes.values()]
    site.sql(f"UPDATE sys_scheduler_task SET {columns} WHERE id = %s", [*values, task])


HANDS = (by_operation, by_api, by_admin, by_save, by_queryset, by_sql)


def within_poll_interval(condition, what):
    until(condition, within=POLL_INTERVAL + SLACK, what=what)


def test_an_edit_takes_effect_within_the_poll_interval(site):
    """One task for each hand, which is hurried up from yearly to secondly and slowed down again."""
    yearly = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}}
    tasks = {
        hand: site.add(name=hand.__name__, func="warehouse.tasks:note", args=[hand.__name__], **yearly)
        for hand in HANDS
    }
    node = site.runscheduler()

    for hand, task in tasks.items():
        hand(site, task, trigger="interval", trigger_args={"seconds": 1})
        within_poll_interval(lambda task=task: is_planned(site, task, "interval"), f"hurried up {hand.__name__}")
        until(lambda hand=hand: site.effect_count(label=hand.__name__), within=3, what="it runs every second")

    for hand, task in tasks.items():
        hand(site, task, **yearly)
        within_poll_interval(lambda task=task: is_planned(site, task, "cron"), f"slowed down {hand.__name__}")
        assert site.task(task)["next_run"].month == 1

    assert node.terminate() == 0
    accounts = {account["pk"]: account for account in site.accounts()}
    for hand, task in tasks.items():
        rows = site.executions(task_id=task)
        fire_times = [row["fire_at"] for row in rows]
        assert len(set(fire_times)) == len(fire_times) >= 1
        span = (fire_times[-1] - fire_times[0]).total_seconds()
        assert sum(row["covers"] for row in rows) == rows[0]["covers"] + span, hand  # on a busy machine the first folds
        assert accounts[task]["covers"] == accounts[task]["fire_count"]
    effects = [(effect["label"], effect["fire_at"]) for effect in site.effects()]
    assert len(set(effects)) == len(effects)


def test_a_task_made_and_paused_in_sql_is_seen(site):
    node = site.runscheduler()
    trigger = "`trigger`" if site.database.vendor == "mariadb" else '"trigger"'
    site.sql(
        f"INSERT INTO sys_scheduler_task (name, func, {trigger}, trigger_args) VALUES (%s, %s, %s, %s)",
        ["every", "warehouse.tasks:note", "interval", '{"seconds": 1}'],
    )
    (task,) = site.tasks()
    until(site.effect_count, within=POLL_INTERVAL + 1 + SLACK, what="the new task runs")

    by_sql(site, task["id"], status=0)
    within_poll_interval(lambda: site.task(task["id"])["next_run"] is None, "paused")
    by_sql(site, task["id"], status=1)
    within_poll_interval(lambda: site.task(task["id"])["next_run"], "resumed")
    site.wait_for_effects(site.effect_count() + 1, within=5)
    assert node.terminate() == 0
    assert "Traceback" not in node.log


def is_planned(site, task, trigger):
    row = site.task(task)
    return row["planned_trigger"] == row["trigger"] == trigger and row["planned_trigger_args"] == row["trigger_args"]
