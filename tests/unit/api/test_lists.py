"""Pages, filters, search and order."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_sched_tasks import operations
from django_sched_tasks.api.pagination import HistoryPaginator
from django_sched_tasks.models import SchedulerTask, TaskExecution


@pytest.fixture
def tasks(add):
    """Three of them, oldest first."""
    return [
        add(name="Alpha", job_id="a", queue="slow", description="reads 100%"),
        add(name="Beta", job_id="b", trigger="cron", trigger_args={"hour": 1}, func="tests.zoo.tasks:add", args=[1]),
        add(name="每日", job_id="c", source="code", priority=5),
    ]


def names(answer):
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["results"]]


def test_a_page_has_fifty_rows_and_says_where_the_next_is(client, task):
    SchedulerTask.objects.bulk_create(SchedulerTask(name=f"{number}", func=task.func) for number in range(60))
    first = client.get("tasks/").json()
    assert (first["count"], len(first["results"]), first["previous"]) == (61, 50, None)
    second = client.http.get(first["next"]).json()
    assert (len(second["results"]), second["next"]) == (11, None)
    assert client.get("tasks/", page="last").json() == second


def test_the_hosts_defaults_change_nothing(client, tasks, settings):
    settings.REST_FRAMEWORK = {
        "PAGE_SIZE": 1,
        "DEFAULT_PAGINATION_CLASS": None,
        "DEFAULT_FILTER_BACKENDS": [],
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
        "EXCEPTION_HANDLER": "tests.nowhere.handler",
        "DATETIME_FORMAT": "%d",
        "SEARCH_PARAM": "q",
        "NON_FIELD_ERRORS_KEY": "x",
    }
    assert names(client.get("tasks/", search="alpha")) == ["Alpha"]
    assert client.get("tasks/", ordering="x").status_code == 400
    assert client.get("tasks/").json()["results"][0]["created_at"].endswith("Z")


@pytest.mark.parametrize(
    ("size", "shown"), [("2", 2), ("500", 3), ("501", 3), ("9" * 18, 3), ("9" * 5000, 3), ("002", 2), ("", 3)]
)
def test_the_size_of_a_page_can_be_chosen(client, tasks, size, shown):
    assert len(client.get("tasks/", page_size=size).json()["results"]) == shown


@pytest.mark.parametrize("size", ["0", "-1", "x", "1.5", "00", "\0", "١"])
def test_a_wrong_size_is_refused(client, tasks, size):
    answer = client.get("tasks/", page_size=size)
    assert (answer.status_code, list(answer.json())) == (400, ["page_size"])


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", "1e400", "9" * 20, "9" * 5000, "\0", "nan"])
@pytest.mark.parametrize("path", ["tasks/", "executions/", "functions/", "nodes/"])
def test_a_page_that_is_not_there_is_not_found(client, tasks, path, page):
    answer = client.get(path, page=page)
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("There is no such page")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["每日", "Beta", "Alpha"]),
        ({"status": "1"}, ["每日", "Beta", "Alpha"]),
        ({"status": "active"}, ["每日", "Beta", "Alpha"]),
        ({"status": "paused,finished"}, []),
        ({"status": ""}, ["每日", "Beta", "Alpha"]),
        ({"trigger": "cron"}, ["Beta"]),
        ({"trigger": ["cron", "interval"]}, ["每日", "Beta", "Alpha"]),
        ({"queue": "slow"}, ["Alpha"]),
        ({"func": "tests.zoo.tasks:add"}, ["Beta"]),
        ({"source": "code"}, ["每日"]),
        ({"job_id": "a"}, ["Alpha"]),
        ({"job_id": ["a", "b"], "queue": "slow"}, ["Alpha"]),
        ({"search": "ALPHA"}, ["Alpha"]),
        ({"search": "每"}, ["每日"]),
        ({"search": "zoo add"}, ["Beta"]),
        ({"search": "100%"}, ["Alpha"]),
        ({"search": "%"}, ["Alpha"]),
        ({"search": "  "}, ["每日", "Beta", "Alpha"]),
        ({"ordering": "name"}, ["Alpha", "Beta", "每日"]),
        ({"ordering": "-priority,name"}, ["每日", "Alpha", "Beta"]),
        ({"ordering": "trigger,-trigger,name"}, ["Beta", "Alpha", "每日"]),
        ({"unknown": "x\0", "x\0": "y"}, ["每日", "Beta", "Alpha"]),
    ],
)
def test_tasks_can_be_filtered_searched_and_ordered(client, tasks, query, expected):
    assert names(client.get("tasks/", **query)) == expected
    assert names(client.get("task/list", **query)) == expected


@pytest.mark.parametrize("sign", ["", "-"])
def test_what_has_no_value_comes_last(client, tasks, sign):
    operations.pause_task(tasks[0].pk)
    assert names(client.get("tasks/", ordering=f"{sign}next_run"))[-1] == "Alpha"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "nonsense"),
        ("status", "3"),
        ("status", "1\0"),
        ("status", "9" * 5000),
        ("trigger", "corn"),
        ("source", "x"),
        ("job_id", "x\0"),
        ("queue", "x\0"),
        ("func", "x" * 256),
        ("search", "x\0"),
        ("search", "x" * 60_000),
        ("ordering", "nonsense"),
        ("ordering", "name,"),
        ("ordering", "-"),
        ("ordering", "--name"),
        ("ordering", "func__x"),
        ("ordering", "executions"),
        ("ordering", "name\0"),
    ],
)
def test_a_wrong_value_is_refused_for_tasks(client, tasks, name, value):
    answer = client.get("tasks/", **{name: value})
    assert (answer.status_code, list(answer.json())) == (400, [name])
    assert answer.json()[name][0]


@pytest.fixture
def executions(tasks, instant):
    """Alpha has one of each status, a minute apart; Beta one that was asked for."""
    statuses = ("succeeded", "failed", "missed", "queued")
    for number, status in enumerate(statuses):
        row(tasks[0], instant + timedelta(minutes=number), status=status)
    row(tasks[1], instant, status="succeeded", kind="manual", error="boom")


def row(task, at, **fields):
    ended = None if fields["status"] == "queued" else timezone.now()
    given = {"kind": "schedule", "fire_at": at, "run_at": at, "finished_at": ended, **fields}
    return TaskExecution.objects.create(task=task, task_name=task.name, job_id=task.job_id, func=task.func, **given)


def found(answer):
    assert answer.status_code == 200, answer.content
    return [f"{row['job_id']} {row['status']}" for row in answer.json()["results"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["b succeeded", "a queued", "a missed", "a failed", "a succeeded"]),
        ({"job_id": "b"}, ["b succeeded"]),
        ({"status": "failed,missed"}, ["a missed", "a failed"]),
        ({"status": ["failed", "queued"]}, ["a queued", "a failed"]),
        ({"status": "succeeded", "kind": "schedule"}, ["a succeeded"]),
        ({"kind": "backfill"}, []),
        ({"search": "BOOM"}, ["b succeeded"]),
        ({"fire_at_after": "2026-01-02T03:06:05Z"}, ["a queued", "a missed"]),
        ({"fire_at_before": "2026-01-02T03:05:05+00:00"}, ["b succeeded", "a failed", "a succeeded"]),
        ({"fire_at__gt": "2026-01-02T03:06:05Z"}, ["a queued"]),
        ({"fire_at__gte": "2026-01-02T11:06:05+08:00"}, ["a queued", "a missed"]),
        ({"fire_at__lt": "2026-01-02T03:05:05Z"}, ["b succeeded", "a succeeded"]),
        ({"fire_at__lte": "2026-01-02T03:04:05"}, ["b succeeded", "a succeeded"]),
        ({"fire_at__gte": "2026-01-03"}, []),
        ({"fire_at_after": "2026-01-02", "fire_at_before": "2026-01-02T03:04:05Z"}, ["b succeeded", "a succeeded"]),
        ({"ordering": "fire_at,job_id", "status": "succeeded,failed"}, ["a succeeded", "b succeeded", "a failed"]),
        ({"node": "12345678-1234-5678-1234-567812345678"}, []),
    ],
)
def test_executions_can_be_filtered_searched_and_ordered(client, executions, query, expected):
    assert found(client.get("executions/", **query)) == expected


def test_executions_can_be_filtered_by_task(client, executions, tasks):
    assert found(client.get("executions/", task=tasks[1].pk)) == ["b succeeded"]
    assert len(found(client.get("executions/", task=[tasks[0].pk, tasks[1].pk]))) == 5
    assert found(client.get("executions/", task=2**63 - 1)) == []


def test_a_plus_that_a_query_made_a_space_is_one_again(client, executions):
    answer = client.http.get("/api/scheduler/executions/?fire_at__gte=2026-01-02T11:06:05+08:00")
    assert found(answer) == ["a queued", "a missed"]


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("fire_at_before", "0001-01-01T00:00:00+14:00", 0),
        ("fire_at_after", "0001-01-01T00:00:00+14:00", 5),
        ("fire_at__gt", "9999-12-31T23:59:59-14:00", 0),
        ("fire_at__lt", "9999-12-31T23:59:59-14:00", 5),
    ],
)
def test_an_instant_beyond_what_databases_hold_is_the_nearest_that_they_do(client, executions, name, value, count):
    assert client.get("executions/", **{name: value}).json()["count"] == count


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task", "abc"),
        ("task", "1\0"),
        ("task", "0"),
        ("task", "99999999999999999999"),
        ("task", "9" * 5000),
        ("status", "nonsense"),
        ("kind", "x\0"),
        ("job_id", "\0"),
        ("node", "x"),
        ("node", "\0"),
        ("fire_at_after", "yesterday"),
        ("fire_at_after", "2026-02-30"),
        ("fire_at__lt", "\0"),
        ("fire_at__lte", "9" * 5000),
        ("ordering", "nonsense"),
        ("search", "\0"),
    ],
)
def test_a_wrong_value_is_refused_for_executions(client, executions, tasks, name, value):
    for path in ["executions/", f"tasks/{tasks[0].pk}/executions/"]:
        answer = client.get(path, **{name: value})
        assert (answer.status_code, list(answer.json())) == (400, [name])


@pytest.mark.parametrize("path", ["tasks/", "executions/", "nodes/"])
def test_a_longer_page_takes_no_more_queries(client, add, executions, path, instant):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    before = queries()
    for number in range(10):
        row(add(), instant + timedelta(days=number), status="succeeded")
    assert queries() == before <= 5


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("tasks/", "page", "1"),
        ("functions/", "page", ""),
        ("nodes/", "page_size", "10"),
        ("tasks/", "search", "x"),
        ("functions/", "search", "x"),
        ("tasks/", "ordering", "name"),
        ("executions/", "fire_at_after", "2026-01-01"),
        ("tasks/{task}/next-runs", "count", "3"),
    ],
)
def test_what_can_be_given_once_is_refused_when_given_twice(client, task, path, name, value):
    path = path.format(task=task.pk)
    assert client.get(path, **{name: value}).status_code == 200
    answer = client.get(path, **{name: ["2", value]})
    assert (answer.status_code, list(answer.json())) == (400, [name])
    assert "2 times" in answer.json()[name][0]


# A long history.


@pytest.fixture
def long_history(monkeypatch, add):
    """Seven executions, of which no more than four are counted."""
    monkeypatch.setattr(HistoryPaginator, "cap", 4)
    task = add()
    return [operations.run_task(task.pk).pk for _ in range(7)][::-1]


def test_a_long_history_is_counted_so_far_and_read_to_its_end(client, long_history):
    seen, address = [], "executions/"
    answer = client.get(address, page_size=2).json()
    while True:
        assert answer["count"] == 4
        seen += [row["id"] for row in answer["results"]]
        if answer["next"] is None:
            break
        answer = client.http.get(answer["next"]).json()
    assert seen == long_history
    assert answer["previous"].endswith("?page=3&page_size=2")


def test_the_last_page_of_a_long_history(client, long_history):
    answer = client.get("executions/", page="last", page_size=2).json()
    assert ([row["id"] for row in answer["results"]], answer["next"]) == (long_history[-1:], None)


@pytest.mark.parametrize("page", ["5", "0", "-1", "x", "1.5", "9" * 18, "9" * 30, "9" * 5000])
def test_a_page_that_is_not_there(client, long_history, page):
    answer = client.get("executions/", page=page, page_size=2)
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


def test_a_page_of_a_long_history_takes_three_queries(client, long_history, django_assert_max_num_queries):
    with django_assert_max_num_queries(3):
        client.get("executions/", page_size=2)
