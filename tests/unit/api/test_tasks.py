"""Tasks as a resource."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone, translation

from django_sched_tasks import planning
from django_sched_tasks.models import SchedulerTask, TaskExecution

# What somebody may set, or read: the contract.
WRITABLE = {
    *("name", "job_id", "func", "trigger", "trigger_args", "description", "args", "kwargs", "timezone", "queue"),
    *("executor", "executor_options", "misfire_grace_time", "coalesce", "max_catch_up", "max_instances", "overlap"),
    *("concurrency_key", "timeout", "max_retries", "retry_delay", "retry_backoff", "on_crash", "pause_on_failure"),
    *("priority", "retry_jitter", "retry_on", "transactional", "retention_days", "retention_count"),
}
READABLE = WRITABLE | {
    *("id", "status", "status_display", "last_run", "next_run", "trigger_description", "last_status", "pause_note"),
    *("schedule_error", "source", "created_at", "updated_at", "created_by", "updated_by", "anchor", "planned_through"),
    *("version", "fire_count", "run_count", "skipped_count", "missed_count", "purged_covers", "drift"),
    *("exclusions", "max_runs", "planned_runs"),
}


def history(task, *rows):
    """Executions of the task, one a minute: (status, minutes ago, other fields)."""
    now = timezone.now()
    for status, minutes, more in rows:
        at = now - timedelta(minutes=minutes)
        ended = None if status in ("queued", "claimed", "running") else at
        TaskExecution.objects.create(
            **{"task": task, "task_name": task.name, "job_id": task.job_id, "func": task.func, "kind": "schedule"}
            | {"fire_at": at, "run_at": at, "status": status, "finished_at": ended}
            | more
        )


def test_a_task_has_the_names_of_its_model(client, task):
    assert set(client.get(f"tasks/{task.pk}").json()) == READABLE


def test_the_answer_to_a_new_task_says_where_it_is(client, definition):
    answer = client.post("tasks/", definition())
    assert answer.status_code == 201
    assert client.http.get(answer.headers["Location"]).json() == answer.json()
    assert answer.json()["source"] == "api"
    assert answer.json()["created_by"] == answer.json()["updated_by"] == "staff"


def test_every_field_may_come_along(client, definition):
    given = definition(
        job_id="nightly",
        description="of all",
        func="tests.zoo.tasks:add",
        args=[1],
        kwargs={"b": 2},
        timezone="Asia/Shanghai",
        queue="slow",
        executor="default",
        executor_options={},
        misfire_grace_time=None,
        coalesce=False,
        max_catch_up=5,
        max_instances=None,
        overlap="queue",
        concurrency_key="one",
        timeout=60,
        max_retries=3,
        retry_delay=1,
        retry_backoff=2.0,
        retry_jitter=0.5,
        retry_on=["ValueError"],
        transactional=True,
        on_crash="retry",
        pause_on_failure=4,
        priority=-5,
        retention_days=30,
        retention_count=500,
    )
    answer = client.post("tasks/", given)
    assert set(given) == WRITABLE
    assert {name: answer.json()[name] for name in given} == given


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        ("cron", '{"hour": "2", "minute": "0", "second": 0}'),
        ("cron", '{"minute": "0", "hour": "2"}'),
        ("interval", '{"seconds": 60.5, "minutes": "1"}'),
        ("or", '{"triggers": [{"trigger": "interval", "trigger_args": {"hours": 1}}]}'),
    ],
)
def test_trigger_args_are_answered_as_they_were_given(client, definition, trigger, text):
    body = json.dumps(definition(trigger=trigger, trigger_args="?")).replace('"?"', text)
    assert client.raw("task/add", body.encode()).json()["trigger_args"] == json.loads(text)


def test_the_trigger_is_told_in_words(client, task):
    text = client.get(f"tasks/{task.pk}").json()["trigger_description"]
    assert "hour" in text.lower()


def test_a_trigger_broken_by_other_hands_spoils_no_list(client, task, add):
    SchedulerTask.objects.filter(pk=add().pk).update(trigger_args=["?"])
    rows = client.get("tasks/").json()["results"]
    assert len(rows) == 2
    assert "not valid" in rows[0]["trigger_description"]
    answer = client.get(f"tasks/{rows[0]['id']}/next-runs").json()
    assert (answer["fire_times"], answer["description"]) == ([], rows[0]["trigger_description"])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], None),
        ([("queued", 0, {})], None),
        ([("missed", 0, {}), ("skipped", 1, {})], None),
        ([("skipped", 0, {}), ("succeeded", 1, {"started_at": timezone.now()})], "succeeded"),
        ([("queued", 0, {}), ("running", 1, {"started_at": timezone.now()})], "running"),
        ([("cancelled", 0, {}), ("lost", 1, {"started_at": timezone.now()})], "lost"),
        ([("failed", 0, {"reason": "unresolved"}), ("succeeded", 1, {"started_at": timezone.now()})], "failed"),
    ],
)
def test_the_last_status_is_that_of_the_latest_run(client, task, rows, expected):
    history(task, *rows)
    assert client.get(f"tasks/{task.pk}").json()["last_status"] == expected
    assert client.get("tasks/").json()["results"][0]["last_status"] == expected
    assert client.patch(f"tasks/{task.pk}", {}).json()["last_status"] == expected


def test_the_last_status_is_that_of_the_latest_attempt(client, task):
    at = timezone.now()
    same = {"fire_at": at, "run_at": at, "started_at": at}
    history(task, ("failed", 0, {**same, "attempt": 1}), ("succeeded", 0, {**same, "attempt": 2}))
    assert client.get(f"tasks/{task.pk}").json()["last_status"] == "succeeded"


def test_a_patch_changes_what_it_names(client, task):
    answer = client.patch(f"tasks/{task.pk}", {"name": "Other", "trigger_args": {"hours": 2}})
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["name"], changed["trigger_args"], changed["func"]) == ("Other", {"hours": 2}, task.func)
    assert changed["updated_by"] == "staff"


def test_a_put_needs_the_four_and_leaves_the_rest(client, add, definition):
    task = add(description="kept", priority=7)
    refused = client.put(f"tasks/{task.pk}", {"name": "Other", "func": task.func})
    assert (refused.status_code, set(refused.json())) == (400, {"trigger", "trigger_args"})
    changed = client.put(f"tasks/{task.pk}", definition(name="Other")).json()
    assert (changed["name"], changed["description"], changed["priority"]) == ("Other", "kept", 7)


def test_what_was_read_can_be_sent_back(client, task):
    read = client.get(f"tasks/{task.pk}").json()
    answer = client.put(f"tasks/{task.pk}", read | {"waiting": 0})
    assert (answer.status_code, answer.json()) == (200, read)


def test_read_only_fields_are_ignored(client, task, definition):
    ignored = {"status": 0, "next_run": None, "id": 7, "source": "code", "created_by": "me", "version": "x"}
    assert client.post("tasks/", definition(**ignored)).json()["status"] == 1
    changed = client.patch(f"tasks/{task.pk}", ignored).json()
    assert (changed["status"], changed["id"], changed["source"]) == (1, task.pk, "api")


def test_a_past_date_that_is_repeated_passes(client, task):
    past = {"trigger": "date", "trigger_args": {"run_date": "2020-01-01"}}
    SchedulerTask.objects.filter(pk=task.pk).update(**past)
    assert client.patch(f"tasks/{task.pk}", {"name": "Other", **past}).status_code == 200
    assert client.patch(f"tasks/{task.pk}", {"trigger_args": {"run_date": "2020-01-02"}}).status_code == 400


def test_a_deleted_task_leaves_its_history(client, task):
    run = client.post(f"tasks/{task.pk}/run").json()
    answer = client.delete(f"tasks/{task.pk}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get(f"tasks/{task.pk}").status_code == 404
    left = client.get(f"executions/{run['id']}").json()
    assert (left["task"], left["task_name"], left["status"]) == (None, task.name, "cancelled")


def test_a_pause_keeps_its_note_and_tells_what_waits(client, task):
    client.post(f"tasks/{task.pk}/run")
    paused = client.post(f"tasks/{task.pk}/pause", {"note": "moving"})
    assert paused.status_code == 200
    assert (paused.json()["status"], paused.json()["pause_note"], paused.json()["waiting"]) == (0, "moving", 1)
    again = client.post(f"tasks/{task.pk}/pause")
    assert (again.status_code, again.json()["pause_note"]) == (200, "moving")


def test_resuming_an_active_task_changes_nothing(client, task):
    before = client.get(f"tasks/{task.pk}").json()
    answer = client.post(f"tasks/{task.pk}/resume")
    assert (answer.status_code, answer.json()) == (200, before)


@pytest.fixture
def finished(task):
    SchedulerTask.objects.filter(pk=task.pk).update(trigger="date", trigger_args={"run_date": "2020-01-01"})
    planning.plan(timezone.now(), using="default", ids=[task.pk])
    task.refresh_from_db()
    assert task.status == 2
    return task


def test_a_finished_task_can_neither_be_paused_nor_resumed(client, finished):
    for verb in ("pause", "resume"):
        answer = client.post(f"tasks/{finished.pk}/{verb}")
        assert answer.status_code == 409
        assert "trigger with a future" in answer.json()["detail"]


def test_a_trigger_with_a_future_makes_a_finished_task_active(client, finished):
    answer = client.patch(f"tasks/{finished.pk}", {"trigger": "interval", "trigger_args": {"hours": 1}})
    assert answer.json()["status"] == 1


def test_a_paused_date_whose_time_is_past_cannot_be_resumed(client, task):
    past = {"trigger": "date", "trigger_args": {"run_date": "2020-01-01"}}
    SchedulerTask.objects.filter(pk=task.pk).update(status=0, **past)
    assert client.post(f"tasks/{task.pk}/resume").status_code == 409


def test_a_run_takes_its_own_arguments_and_works_on_paused_tasks(client, add):
    task = add(func="tests.zoo.tasks:add", args=[1])
    client.post(f"tasks/{task.pk}/pause")
    answer = client.post(f"tasks/{task.pk}/run", {"args": [2], "kwargs": {"b": 3}})
    assert answer.status_code == 202
    assert (answer.json()["args"], answer.json()["kwargs"]) == ([2], {"b": 3})
    assert answer.json()["requested_by"] == "staff"
    assert client.get(f"tasks/{task.pk}").json()["args"] == [1]


def test_the_same_key_answers_the_same_execution(client, add):
    task = add(func="tests.zoo.tasks:add", args=[1])
    key = {"Idempotency-Key": "k" * 64}
    first = client.post(f"tasks/{task.pk}/run", {"args": [2]}, **key)
    second = client.post(f"task/run/{task.pk}", {"args": [2]}, **key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert client.post(f"tasks/{task.pk}/run", {"args": [3]}, **key).status_code == 409
    assert client.post(f"tasks/{task.pk}/run", **key).status_code == 409
    assert client.post(f"tasks/{add(args=[]).pk}/run", **key).json()["id"] != first.json()["id"]


def test_words_are_in_the_readers_language(client, task):
    with translation.override("zh-hans"):
        answer = client.http.get(f"/api/scheduler/tasks/{task.pk}", headers={"Accept-Language": "zh-hans"})
    assert answer.status_code == 200
    assert answer.json()["status"] == 1


def test_instants_are_in_utc_whatever_the_site_says(client, task, settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    with timezone.override("America/New_York"):
        answer = client.get(f"tasks/{task.pk}").json()
    assert answer["created_at"].endswith("Z")
    assert answer["created_at"] == task.created_at.isoformat().replace("+00:00", "Z")
