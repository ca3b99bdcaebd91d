"""``manage.py schedtasks``."""

import json

import pytest
from django.core.management import CommandError, call_command

from django_sched_tasks import database, operations
from django_sched_tasks.models import SchedulerTask, TaskExecution
from django_sched_tasks.testing import ManualScheduler

DAY = ("2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z")


@pytest.fixture
def schedtasks(capsys):
    """Run the command; answers its exit code and what it wrote."""

    def schedtasks(*arguments):
        try:
            call_command("schedtasks", *map(str, arguments))
            code = 0
        except SystemExit as error:
            code = error.code
        return code, capsys.readouterr().out

    return schedtasks


@pytest.mark.django_db
def test_ill_health_is_exit_code_1(schedtasks):
    code, text = schedtasks("health")
    assert code == 1
    assert text.startswith("failing, nodes: 0\nproblem: No scheduler is running")


@pytest.mark.django_db
def test_health_for_programs(schedtasks, monkeypatch):
    from django_sched_tasks import operations

    monkeypatch.setattr(operations, "health", lambda: operations.Health([], ["Look."], 2, 1.5))
    code, text = schedtasks("health", "--format", "json")
    assert code == 0
    assert json.loads(text) == {
        "status": "ok",
        "problems": [],
        "warnings": ["Look."],
        "nodes": 2,
        "oldest_waiting": 1.5,
    }
    assert schedtasks("health")[1] == "ok, nodes: 2\nwarning: Look.\n"


def test_backfill_by_id_and_by_job_id(schedtasks, make):
    task = make(max_instances=None, job_id="minutely")
    code, text = schedtasks("backfill", task.pk, *DAY, "--dry-run")
    assert (code, len(text.splitlines())) == (0, 7)
    assert text.endswith("6 runs would be queued, 0 left out that have run already\n")
    code, text = schedtasks("backfill", "minutely", *DAY, "--format", "json")
    assert (code, json.loads(text)["count"], TaskExecution.objects.count()) == (0, 6, 6)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nobody", *DAY), "no task with the id or job id 'nobody'"),
        (("999", *DAY), "no task"),
        (("minutely", "soon", "later"), "not an ISO 8601"),
        (("minutely", DAY[1], DAY[0]), "earlier instant as start"),
        (("minutely", *DAY, "--limit", "2"), "More than 2"),
        (("minutely", *DAY, "--reprocess", "some"), "invalid choice"),
    ],
)
def test_refusals(make, arguments, says):
    make(job_id="minutely")
    with pytest.raises(CommandError, match=says):
        call_command("schedtasks", "backfill", *arguments)


def test_a_verb_is_needed():
    with pytest.raises(CommandError, match="verb"):
        call_command("schedtasks")


# Looking and steering


def test_list_and_show(schedtasks, make):
    make(job_id="one", name="One", queue="etl")
    make(job_id="two", name="Two")
    code, text = schedtasks("list")
    assert (code, len(text.splitlines())) == (0, 2)
    assert "one  Active  One: every minute" in text.lower().replace("active", "Active").replace("one: ", "One: ")
    assert [task["job_id"] for task in json.loads(schedtasks("list", "--queue", "etl", "--format", "json")[1])] == [
        "one"
    ]
    assert schedtasks("list", "--status", "paused") == (0, "")
    shown = json.loads(schedtasks("show", "one", "--format", "json")[1])
    assert (shown["job_id"], len(shown["fire_times"]), shown["executions"]) == ("one", 5, [])


def test_a_task_that_was_broken_by_sql_is_shown(schedtasks, make):
    SchedulerTask.objects.filter(pk=make(job_id="one").pk).update(trigger="lunar", timezone="Mars/Base")
    assert schedtasks("show", "one")[0] == 0
    assert schedtasks("list")[0] == 0


def test_pause_and_resume(schedtasks, make):
    make(job_id="one"), make(job_id="two")
    assert schedtasks("pause", "one", "two", "--note", "Maintenance", "--user", "ada")[0] == 0
    assert list(SchedulerTask.objects.values_list("status", "pause_note", "updated_by")) == [
        (0, "Maintenance", "ada"),
        (0, "Maintenance", "ada"),
    ]
    assert schedtasks("resume", "one")[0] == 0
    assert SchedulerTask.objects.get(job_id="one").status == 1


def test_run_cancel_and_retry(schedtasks, make, node):
    make("add", args=[1], job_id="one")
    queued = json.loads(schedtasks("run", "one", "--kwargs", '{"b": 5}', "--format", "json")[1])
    assert (queued["status"], queued["kwargs"]) == ("queued", {"b": 5})
    assert schedtasks("cancel", queued["id"])[0] == 0
    assert "Queued" in schedtasks("retry", queued["id"])[1]
    told = json.loads(schedtasks("executions", "one", "--format", "json")[1])
    assert [(row["status"], row["attempt"]) for row in told] == [("queued", 2), ("cancelled", 1)]


def test_run_waits_for_the_end_and_answers_for_it(schedtasks, make, monkeypatch):
    from django_sched_tasks.management.verbs import steer

    for func, code in (("ok", 0), ("raises", 1)):
        make(func, job_id=func)
        monkeypatch.setattr(steer.time, "sleep", lambda seconds: ManualScheduler(now=database.now()).tick())
        assert schedtasks("run", func, "--wait")[0] == code


def test_preview(schedtasks, db):
    code, text = schedtasks("preview", "cron", '{"hour": 8}', "--timezone", "Asia/Shanghai", "--count", "2")
    assert code == 0
    assert [line[10:] for line in text.splitlines()[1:]] == ["T08:00:00+08:00"] * 2


def test_prune(schedtasks, make):
    task = make()
    operations.cancel_execution(operations.run_task(task.pk).pk)
    assert schedtasks("prune")[1] == "0 executions deleted\n"
    assert schedtasks("prune", "--days", "0", "--dry-run")[1] == "1 executions would be deleted\n"
    assert schedtasks("prune", "--days", "0")[1] == "1 executions deleted\n"


def test_prune_by_number(schedtasks, make):
    task = make()
    for _ in range(3):
        operations.cancel_execution(operations.run_task(task.pk).pk)
    told = schedtasks("prune", "--count", "1", "--format", "json")[1]
    assert json.loads(told) == {"deleted": 2, "dry_run": False, "expired": 2}


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause", "nobody"),
        ("cancel", "99"),
        ("retry", "x"),
        ("run", "one", "--args", "{}"),
        ("run", "one", "--kwargs", "{"),
        ("run", "one", "--kwargs", '{"z": 1}'),
        ("preview", "cron", '{"hour": 25}'),
        ("prune", "--days", "nan"),
        ("prune", "--count", "-1"),
        ("show", "999"),
    ],
)
def test_what_is_wrong_is_said(make, arguments):
    make(job_id="one")
    with pytest.raises(CommandError):
        call_command("schedtasks", *arguments)
