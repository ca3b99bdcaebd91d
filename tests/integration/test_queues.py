"""Which nodes take what: queues of their own, slots of a queue, and what web processes leave alone."""

import pytest

from tests.support.accounts import most_at_once
from tests.support.fixtures import on
from tests.support.waiting import until

pytestmark = pytest.mark.integration

YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}}
SETTINGS = "SCHED_TASKS = {'HEARTBEAT_INTERVAL': 0.5, 'NODE_TIMEOUT': 3, 'WEB_QUEUES': ['default']}"


def add(site, name, queue, func="note", **changes):
    return site.add(
        name=name, func=f"warehouse.tasks:{func}", args=[name], queue=queue, max_instances=None, **YEARLY, **changes
    )


@on("sqlite", "postgresql")
def test_what_a_web_process_leaves_to_others(database, make_site):
    site = make_site(database, settings=SETTINGS)
    site.gunicorn(workers=2)
    web = site.wait_for_node()
    etl, page = add(site, "etl", "etl"), add(site, "page", "default")
    waiting = [site.run(etl) for _ in range(3)]
    site.run(page)
    site.wait_for_effects(1, within=10, label="page")
    assert [row["status"] for row in site.executions(pk__in=waiting)] == ["queued"] * 3
    assert any("'etl'" in problem for problem in site.api("get", "health/")[1]["problems"])

    node = site.runscheduler("--queues", "etl:2")
    waiting += [site.run(etl) for _ in range(20)]
    until(lambda: not site.executions(pk__in=waiting, finished_at=None), within=15)
    assert {effect["pid"] for effect in site.effects(label="etl")} == {node.pid}
    assert {effect["pid"] for effect in site.effects(label="page")} == {web["pid"]}
    assert site.api("get", "health/")[1]["problems"] == []
    assert site.wait_for_node(node.pid)["queue_slots"] == {"etl": 2}


@on("sqlite", "postgresql")
def test_a_queue_takes_no_more_than_its_slots_and_holds_up_no_other(database, make_site):
    site = make_site(database, settings=SETTINGS)
    node = site.runscheduler("--queues", "etl:2,mail")
    etl, mail = (add(site, name, name, "slow") for name in ("etl", "mail"))
    runs = [site.run(etl) for _ in range(12)] + [site.run(mail) for _ in range(12)]
    until(lambda: not site.executions(finished_at=None), within=20)
    rows = site.executions(pk__in=runs)
    assert most_at_once([row for row in rows if row["queue"] == "etl"]) == 2
    assert most_at_once(rows) > 2
    assert {row["status"] for row in rows} == {"succeeded"}
    etl, mail = ([row["started_at"] for row in rows if row["queue"] == queue] for queue in ("etl", "mail"))
    assert min(mail) < max(etl)
    assert node.terminate() == 0
