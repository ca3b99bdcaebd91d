"""``manage.py schedtasks``."""

import json

import pytest
from django.core.management import CommandError, call_command

from django_sched_tasks.models import TaskExecution

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
