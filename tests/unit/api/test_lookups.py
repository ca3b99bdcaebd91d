"""Functions, previews, nodes and figures."""

from datetime import timedelta

import pytest
from django.utils import timezone

from django_sched_tasks import operations
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution


def test_functions_are_told_with_their_signatures(client):
    page = client.get("functions/", search="tests.zoo.tasks:add").json()
    assert (page["count"], page["next"]) == (1, None)
    (function,) = page["results"]
    assert (function["path"], function["signature"]) == ("tests.zoo.tasks:add", "(a: int, b: int = 1)")
    assert (function["summary"], function["is_async"]) == ("Add two numbers.", False)
    assert [parameter["name"] for parameter in function["parameters"]] == ["a", "b"]
    assert [parameter["required"] for parameter in function["parameters"]] == [True, False]


def test_functions_come_in_pages_and_can_be_searched(client):
    assert len(client.get("functions/", page_size=2).json()["results"]) == 2
    assert client.get("functions/", search="SYNC project").json()["count"] == 1
    assert client.get("functions/", search="no such function").json()["results"] == []
    assert client.get("functions/", search="x\0").status_code == 400


def preview(client, **given):
    return client.post("triggers/preview", {"trigger": "interval", "trigger_args": {"hours": 1}, **given})


def test_a_preview_tells_words_and_ten_fire_times(client):
    answer = preview(client)
    assert answer.status_code == 200
    assert set(answer.json()) == {"description", "fire_times", "excluded"}
    assert len(answer.json()["fire_times"]) == 10
    assert not SchedulerTask.objects.exists()


def test_a_preview_begins_strictly_after(client):
    cron = {"trigger": "cron", "trigger_args": {"hour": "2", "minute": "0"}, "timezone": "Asia/Shanghai"}
    answer = preview(client, **cron, after="2026-01-01T18:00:00Z", count=2)
    assert answer.json()["fire_times"] == ["2026-01-02T18:00:00Z", "2026-01-03T18:00:00Z"]


@pytest.mark.parametrize("after", ["2040-01-01T00:00:00+00:00", "2040-01-01", "2040-01-01 00:00:00"])
def test_a_preview_after_the_last_fire_time_is_empty(client, after):
    answer = preview(client, trigger="date", trigger_args={"run_date": "2039-01-01"}, after=after)
    assert (answer.status_code, answer.json()["fire_times"]) == (200, [])


def test_a_preview_of_the_past_is_one(client):
    answer = preview(client, trigger="date", trigger_args={"run_date": "2020-01-01"}, after="2019-01-01")
    assert answer.json()["fire_times"] == ["2020-01-01T00:00:00Z"]


def test_what_fires_in_our_time_is_not_refused_for_being_asked_about_long_ago(client):
    answer = preview(client, trigger="date", trigger_args={"run_date": "2099-01-01"}, after="1500-01-01")
    assert answer.status_code == 200
    assert answer.json()["description"]


@pytest.mark.parametrize(("count", "length"), [(1, 1), (1000, 1000), (None, 10)])
def test_a_preview_has_as_many_as_are_asked_for(client, count, length):
    assert len(preview(client, count=count).json()["fire_times"]) == length


@pytest.mark.parametrize(
    ("given", "field"),
    [
        *(({"count": count}, "count") for count in ("x", "5", 0, -1, 1001, True, 1.5, [1], {}, 10**30, "\0")),
        *(({"after": after}, "after") for after in ("x", 5, True, [], {}, "\0", "2026-02-30", "\ud800")),
        ({"trigger": ["x"]}, "trigger"),
        ({"trigger": "corn"}, "trigger"),
        ({"trigger_args": []}, "trigger_args"),
        ({"trigger_args": {"hours": "\0"}}, "trigger_args"),
        ({"trigger_args": {"\ud800": 1}}, "trigger_args"),
        ({"trigger": "date", "trigger_args": {"run_date": "2020-01-01"}}, "trigger_args"),
        ({"timezone": "Mars"}, "timezone"),
        ({"timezone": 5}, "timezone"),
        ({"timezone": ["UTC"]}, "timezone"),
        ({"cuont": 1}, "cuont"),
    ],
)
def test_a_wrong_preview_is_refused_at_its_field(client, given, field):
    body = {"trigger": "interval", "trigger_args": {"hours": 1}, **given}
    answer = client.post("triggers/preview", body)
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_a_preview_needs_a_trigger(client):
    assert set(client.post("triggers/preview").json()) == {"trigger", "trigger_args"}


def nested(depth):
    trigger = {"trigger": "interval", "trigger_args": {"hours": 1}}
    for _ in range(depth):
        trigger = {"trigger": "or", "trigger_args": {"triggers": [trigger]}}
    return trigger


@pytest.mark.parametrize("depth", [50, 120])
def test_a_deep_trigger_is_refused(client, definition, depth):
    for path, body in [("triggers/preview", nested(depth)), ("task/add", definition(**nested(depth)))]:
        answer = client.post(path, body)
        assert (answer.status_code, list(answer.json())) == (400, ["trigger_args"])


def test_next_runs_of_a_task_are_those_it_will_have(client, task):
    answer = client.get(f"tasks/{task.pk}/next-runs", count=3).json()
    assert len(answer["fire_times"]) == 3
    assert answer["fire_times"][0] == client.get(f"tasks/{task.pk}").json()["next_run"]
    assert answer["description"] == client.get(f"tasks/{task.pk}").json()["trigger_description"]


def test_a_paused_task_has_next_runs_too(client, task):
    before = client.get(f"tasks/{task.pk}/next-runs").json()
    operations.pause_task(task.pk)
    assert client.get(f"tasks/{task.pk}/next-runs").json() == before


@pytest.mark.parametrize("count", ["", "x", "0", "-1", "1001", "1.5", "9" * 5000, "\0", "true", "10**3"])
def test_a_wrong_count_is_refused(client, task, count):
    answer = client.get(f"tasks/{task.pk}/next-runs", count=count)
    assert (answer.status_code, list(answer.json())) == (400, ["count"])


@pytest.fixture
def node(db):
    now = timezone.now()
    return SchedulerNode.objects.create(
        host="web-1", pid=2, started_by="gunicorn", started_at=now, heartbeat_at=now, slots=10, slots_in_use=3
    )


def test_nodes_can_be_read(client, node):
    page = client.get("nodes/").json()
    assert page["count"] == 1
    assert client.get(f"nodes/{node.pk}").json() == page["results"][0]
    told = page["results"][0]
    assert (told["id"], told["host"], told["state"], told["slots"]) == (str(node.pk), "web-1", "alive", 10)


def test_nodes_can_be_filtered(client, node):
    assert client.get("nodes/", state="dead,stopped").json()["count"] == 0
    assert client.get("nodes/", host="web-1", search="gunicorn", ordering="-heartbeat_at").json()["count"] == 1
    assert client.get("nodes/", state="asleep").status_code == 400
    assert client.get("nodes/", host="x\0").status_code == 400


def test_figures_of_an_empty_site(client):
    told = client.get("stats/").json()
    assert told["tasks"] == {"paused": 0, "active": 0, "finished": 0}
    assert set(told["executions"].values()) == {0}
    assert told["open"] == {"queued": 0, "claimed": 0, "dispatched": 0, "running": 0}
    assert (told["oldest_waiting"], told["nodes"]) == (None, {"alive": 0, "slots": 0, "slots_in_use": 0})


def test_figures_count_what_there_is(client, add, node):
    SchedulerNode.objects.create(
        host="gone",
        pid=1,
        started_by="x",
        started_at=node.started_at,
        heartbeat_at=node.heartbeat_at - timedelta(days=1),
    )
    operations.pause_task(add().pk)
    kept, deleted = add(), add()
    operations.run_task(kept.pk)
    operations.run_task(deleted.pk)
    operations.remove_task(deleted.pk)
    TaskExecution.objects.filter(status="queued").update(run_at=timezone.now() - timedelta(seconds=90))
    told = client.get("stats/").json()
    assert told["tasks"] == {"paused": 1, "active": 1, "finished": 0}
    assert (told["executions"]["queued"], told["executions"]["cancelled"]) == (1, 1)
    assert told["open"]["queued"] == 1
    assert 90 <= told["oldest_waiting"] < 100
    assert told["nodes"] == {"alive": 1, "slots": 10, "slots_in_use": 3}


def test_figures_leave_out_what_is_older_than_a_day(client, task):
    operations.run_task(task.pk)
    TaskExecution.objects.update(fire_at=timezone.now() - timedelta(hours=25))
    assert client.get("stats/").json()["executions"]["queued"] == 0


def test_figures_take_few_queries(client, django_assert_max_num_queries, db):
    with django_assert_max_num_queries(7):
        client.get("stats/")


def test_executors_are_told_with_what_they_can_do(client, settings):
    backend = "django_sched_tasks.executors."
    settings.SCHED_TASKS = {
        "EXECUTORS": {
            "default": {"BACKEND": backend + "ThreadExecutor"},
            "apart": {"BACKEND": backend + "ProcessExecutor", "OPTIONS": {"max_workers": 3}},
            "gone": {"BACKEND": backend + "NoExecutor"},
        }
    }
    page = client.get("executors/").json()
    assert page["count"] == 3
    apart, default, gone = page["results"]
    assert (apart["alias"], apart["max_workers"], apart["isolates_crashes"]) == ("apart", 3, True)
    assert (default["supports_async"], default["isolates_crashes"], default["problem"]) == (True, False, "")
    assert (gone["supports_async"], "NoExecutor" in gone["problem"]) == (False, True)
