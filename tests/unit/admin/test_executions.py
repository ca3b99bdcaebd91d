"""The pages of executions and nodes."""

import uuid
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_sched_tasks.admin.execution import CappedPaginator
from django_sched_tasks.models import SchedulerNode, TaskExecution

EXECUTIONS = "admin:django_sched_tasks_taskexecution_changelist"
NODES = "admin:django_sched_tasks_schedulernode_changelist"


@pytest.fixture
def execute(task, make_execution):
    """One more execution of the task."""
    return partial(make_execution, task)


@pytest.fixture
def make_node(db):
    def make(**fields):
        now = timezone.now()
        given = {"host": "web-1", "pid": 42, "started_by": "gunicorn", "started_at": now, "heartbeat_at": now, **fields}
        return SchedulerNode.objects.create(**given)

    return make


def test_the_list_tells_what_became_of_each(viewer, execute, make_node, page, text_of):
    node = make_node()
    failed = execute(status="failed", error="RuntimeError: no <disk>", node=node, requested_by="wang")
    execute(status="missed", reason="grace", started_at=None, duration=None, kind="backfill")

    response = viewer.get(reverse(EXECUTIONS))

    text = text_of(response)
    for part in ("Failed", "RuntimeError: no <disk>", "250 ms", "web-1:42", "wang", "Missed", "older than the misfire"):
        assert part in text
    assert f'href="{page(failed.task)}"' in response.content.decode()


def test_fifty_rows_need_no_more_queries_than_one(root, execute, make_node):
    counts = []
    for number in (1, 40):
        for _index in range(number):
            execute(fire_at=timezone.now(), node=make_node())
        root.get(reverse(EXECUTIONS))
        with CaptureQueriesContext(connection) as queries:
            root.get(reverse(EXECUTIONS))
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_the_list_leaves_large_columns_in_the_database(root, execute):
    execute()
    with CaptureQueriesContext(connection) as queries:
        root.get(reverse(EXECUTIONS))

    assert not [query["sql"] for query in queries if '"traceback"' in query["sql"] or '"result"' in query["sql"]]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status__exact=failed", 1),
        ("kind__exact=manual", 1),
        ("queue=default", 2),
        ("q=disk", 1),
        ("q=Nightly", 2),
        ("task__id__exact={task}", 2),
        ("task__id__exact=0", 0),
    ],
)
def test_filters_and_search(root, task, execute, query, count):
    execute(status="failed", error="no disk")
    execute(kind="manual")

    response = root.get(f"{reverse(EXECUTIONS)}?{query.format(task=task.pk)}")

    assert response.context["cl"].result_count == count


def test_counting_ends_at_the_cap_and_says_so(root, execute, monkeypatch, text_of):
    monkeypatch.setattr(CappedPaginator, "cap", 3)
    for _index in range(4):
        execute(fire_at=timezone.now())

    assert "There are more than 3" in text_of(root.get(reverse(EXECUTIONS)))
    TaskExecution.objects.first().delete()
    assert "There are more than" not in text_of(root.get(reverse(EXECUTIONS)))


def test_the_page_of_a_failure(viewer, execute, page, text_of):
    traceback = 'Traceback (most recent call last):\n  File "tasks.py", line 1, in <module>\nRuntimeError: no <disk>\n'
    execution = execute(status="failed", error="RuntimeError: no <disk>", traceback=traceback, kwargs={"城市": "上海"})

    response = viewer.get(page(execution))

    html = response.content.decode()
    assert "line 1, in &lt;module&gt;</span>\n" in html
    assert "RuntimeError: no &lt;disk&gt;</span>\n</pre>" in html
    assert "城市" in text_of(response)
    assert "sched-button" not in html


def test_the_page_of_each_state(root, execute, page, text_of):
    """A result of each JSON type, odd characters in what was left, and nothing at all."""
    for left in (
        {"result": {"a": [1]}},
        {"result": False},
        {"output": "\ud83d"},
        {"result": "\ud800"} if connection.vendor == "sqlite" else {},  # the other databases do not let it in
        {"progress": 0},
        {},
    ):
        fields = {name: value for name, value in left.items() if name != "output"}
        execution = execute(fire_at=timezone.now(), **fields)
        assert "What it left" in text_of(root.get(page(execution)))


def test_attempts_and_neighbours_are_linked(root, execute, page):
    fire_at = timezone.now()
    first, second = (execute(fire_at=fire_at, attempt=attempt) for attempt in (1, 2))
    yesterday, day_before = (execute(fire_at=fire_at - timedelta(days=days)) for days in (1, 2))
    tomorrow = execute(fire_at=fire_at + timedelta(days=1))

    html = root.get(page(second)).content.decode()

    for linked in (first, yesterday, tomorrow):
        assert f'href="{page(linked)}"' in html
    assert f'href="{page(day_before)}"' not in html


def test_a_node_that_was_pruned_is_told_by_its_id(root, execute, page, text_of):
    gone = uuid.uuid4()
    execution = execute(node_id=gone)

    assert str(gone) in text_of(root.get(reverse(EXECUTIONS)))
    assert str(gone) in text_of(root.get(page(execution)))


def test_a_deleted_task_is_told_as_such(root, task, execute, page, text_of):
    execution = execute()
    task.delete()

    assert "Nightly sync deleted" in text_of(root.get(reverse(EXECUTIONS)))
    response = root.get(page(execution))
    assert "Nightly sync deleted" in text_of(response)
    assert page(execution, "retry") not in response.content.decode()


def test_retry_queues_a_further_attempt(root, execute, page, messages_of):
    execution = execute(status="failed")

    response = root.post(page(execution, "retry"), follow=True)

    retry = TaskExecution.objects.get(attempt=2)
    assert (retry.status, retry.requested_by) == ("queued", "staff")
    assert f'href="{page(retry)}"' in messages_of(response)[0]

    again = root.post(page(execution, "retry"), follow=True)
    assert "has not ended yet" in messages_of(again)[0]


def test_cancel_is_for_what_has_not_started(root, execute, page, messages_of):
    waiting = execute(status="queued", started_at=None, finished_at=None, claim_rank=0)
    assert page(waiting, "cancel") in root.get(page(waiting)).content.decode()

    assert messages_of(root.post(page(waiting, "cancel"), follow=True)) == ["The execution is cancelled."]
    waiting.refresh_from_db()
    assert waiting.status == "cancelled"

    late = root.post(page(waiting, "cancel"), follow=True)
    assert "there is nothing to cancel" in messages_of(late)[0]
    assert page(waiting, "cancel") not in late.content.decode()


@pytest.mark.parametrize("name", ["retry", "cancel"])
def test_retry_and_cancel_need_the_permission_to_run(viewer, may, execute, page, name):
    execution = execute()

    assert viewer.post(page(execution, name)).status_code == 403
    assert may("run_schedulertask").post(page(execution, name)).status_code == 403
    assert may("run_schedulertask", "view_taskexecution").post(page(execution, name)).status_code == 302


def test_history_cannot_be_edited_or_deleted_by_anybody(root, execute, make_node, page):
    for obj in (execute(), make_node()):
        assert root.get(page(obj)).status_code == 200
        assert root.post(page(obj), {}).status_code == 403
        assert root.post(page(obj, "delete"), {"post": "yes"}).status_code == 403
    assert root.get(reverse(EXECUTIONS).rstrip("/") + "/add/").status_code == 403


def test_an_execution_that_is_not_there(root):
    url = reverse("admin:django_sched_tasks_taskexecution_retry", args=["77"])

    assert root.post(url, follow=True).status_code == 200


def test_nodes_tell_how_they_are(viewer, make_node, page, text_of):
    old = timezone.now() - timedelta(hours=1)
    node = make_node(slots=10, slots_in_use=3, queues=["mail"], versions={"django": "6.1"}, clock_offset=0.25)
    make_node(host="web-2", heartbeat_at=old, loop_at=old)
    make_node(host="web-3", state="dead")

    text = text_of(viewer.get(reverse(NODES)))

    for part in (
        "web-1:42",
        "Alive",
        "3 / 10",
        "mail",
        "django 6.1",
        "+0.250 s",
        "Silent",
        "1 h 0 min ago",
        "Dead",
        "all",
    ):
        assert part in text
    assert str(node.pk) in text_of(viewer.get(page(node)))


def test_secrets_among_the_arguments_are_not_shown(root, execute, page):
    secret = {"password": "hunter22"}
    execution = execute(func="tests.zoo.tasks:leaks_password", kwargs=secret, overrides={"kwargs": secret})
    html = root.get(page(execution)).content.decode()
    assert "*****" in html
    assert "hunter22" not in html


def test_an_open_execution_is_followed(viewer, execute, page, make_node):
    execution = execute(status="running", finished_at=None, duration=None, output="one", progress=7)
    shown = viewer.get(page(execution)).content.decode()
    assert f'data-sched-live="{page(execution, "live")}" data-sched-state="running"' in shown

    answer = viewer.get(page(execution, "live")).json()
    assert (answer["state"], answer["output"]) == ("running", "one")
    assert "running for" in answer["parts"]["sched-course"]


def test_an_ended_one_is_not(viewer, may, execute, page):
    execution = execute()
    assert "data-sched-live" not in viewer.get(page(execution)).content.decode()
    assert viewer.get(page(execution, "live")).json()["state"] == "succeeded"
    assert may("view_schedulertask").get(page(execution, "live")).status_code == 403


def test_the_steps_from_due_to_done(viewer, execute, page, text_of):
    due = timezone.now() - timedelta(minutes=1)
    waited = {"queued_at": due + timedelta(seconds=1), "started_at": due + timedelta(seconds=5)}
    execution = execute(run_at=due, fire_at=due, **waited, finished_at=due + timedelta(seconds=25), duration=20)

    text = text_of(viewer.get(page(execution)))
    for part in ("Due", "+1.0 s", "Started", "+4.0 s", "Finished", "+20.0 s", "waited 5.0 s, ran 20.0 s"):
        assert part in text


def test_who_asked_a_run_to_end_is_told(viewer, execute, page, text_of):
    asked = {"cancel_requested_at": timezone.now(), "cancel_requested_by": "wang"}
    execution = execute(status="running", finished_at=None, duration=None, **asked)

    assert "wang asked it to end" in text_of(viewer.get(page(execution)))


def test_a_mended_run_starts_from_its_page(root, viewer, execute, page):
    execution = execute(status="failed")
    url = f"{page(execution.task, 'run_with')}?execution={execution.pk}"

    assert f'href="{url}"' in root.get(page(execution)).content.decode()
    assert url not in viewer.get(page(execution)).content.decode()
