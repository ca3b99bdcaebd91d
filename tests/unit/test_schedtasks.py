"""``manage.py schedtasks``."""

import io
import json
import sys

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection

from django_sched_tasks import database, operations
from django_sched_tasks.management.verbs import VERBS, Verb
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
    assert (code, len(text.splitlines())) == (0, 3)
    assert text.splitlines()[1].split()[1:] == ["one", "Active", "One", "Every", "minute", "2026-01-01T00:01:00+00:00"]
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


def test_who_waits_where_no_scheduler_runs_is_told_so(make, monkeypatch, capsys):
    from django_sched_tasks.management.verbs import steer

    make("ok", job_id="one")
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) > 3:
            ManualScheduler(now=database.now()).tick()

    monkeypatch.setattr(steer.time, "sleep", nap)
    monkeypatch.setattr(steer, "PATIENCE", -1.0)
    call_command("schedtasks", "run", "one", "--wait")
    assert capsys.readouterr().err.count("No scheduler is running") == 1


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


# Adding and editing


@pytest.mark.parametrize(
    ("options", "trigger", "trigger_args"),
    [
        (("--crontab", "*/5 * * * *"), "crontab", {"expression": "*/5 * * * *"}),
        (("--every", "30s"), "interval", {"seconds": 30}),
        (("--every", "90"), "interval", {"seconds": 90}),
        (("--every", "1.5s"), "interval", {"seconds": 1.5}),
        (("--every", "1w2d3h4m5s"), "interval", {"weeks": 1, "days": 2, "hours": 3, "minutes": 4, "seconds": 5}),
        (("--at", "2099-01-31T09:00"), "date", {"run_date": "2099-01-31T09:00"}),
        (("--trigger", "cron", "--trigger-args", '{"hour": 8}'), "cron", {"hour": 8}),
    ],
)
def test_add_in_the_words_of_each_when(schedtasks, db, options, trigger, trigger_args):
    code, text = schedtasks("add", "Mine", "tests.zoo.tasks:ok", *options, "--format", "json")
    task = SchedulerTask.objects.get()
    assert (code, json.loads(text)["id"], task.name) == (0, task.pk, "Mine")
    assert (task.trigger, task.trigger_args) == (trigger, trigger_args)


def test_add_with_all_the_rest(schedtasks, db):
    options = ("--job-id", "sum", "--timezone", "Asia/Tokyo", "--args", "[1]", "--kwargs", '{"b": 2}', "--user", "ada")
    fields = ("--set", "priority=5", "--set", "queue=mail", "--set", "timeout=null", "--set", "description=a=b")
    assert schedtasks("add", "Mine", "tests.zoo.tasks:add", "--every", "1h", *options, *fields)[0] == 0
    task = SchedulerTask.objects.get()
    assert (task.job_id, task.timezone, task.args, task.kwargs) == ("sum", "Asia/Tokyo", [1], {"b": 2})
    assert (task.priority, task.queue, task.timeout, task.description) == (5, "mail", None, "a=b")
    assert (task.source, task.created_by) == ("api", "ada")


@pytest.mark.parametrize(("given", "kept"), [("5", "5"), ("null", "null"), ('"5"', "5"), ("a b", "a b")])
def test_a_field_of_text_is_text(schedtasks, make, given, kept):
    make(job_id="one")
    schedtasks("edit", "one", "--set", f"description={given}")
    assert SchedulerTask.objects.get().description == kept


def test_edit(schedtasks, make):
    make(job_id="one", priority=3)
    assert schedtasks("edit", "one", "--name", "New", "--every", "5m", "--set", "priority=-1")[0] == 0
    task = SchedulerTask.objects.get()
    assert (task.name, task.trigger_args, task.priority, task.func) == ("New", {"minutes": 5}, -1, "tests.zoo.tasks:ok")
    schedtasks("edit", "one", "--func", "tests.zoo.tasks:add", "--args", "[1]", "--job-id", "two", "--user", "ada")
    task.refresh_from_db()
    assert (task.func, task.args, task.job_id, task.updated_by) == ("tests.zoo.tasks:add", [1], "two", "ada")


ADD = ("add", "Mine", "tests.zoo.tasks:add")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (ADD, "^Say when it runs"),
        ((*ADD, "--every", "1h"), "^--kwargs: Missing: 'a'"),
        ((*ADD, "--every", "1h", "--args", "[1, 2, 3]"), "^--args: 3 arguments by position"),
        ((*ADD, "--every", "1h", "--kwargs", '{"z": 1}'), "^--kwargs: Unknown: 'z'"),
        ((*ADD, "--args", "[1]", "--crontab", "* * *"), "^--crontab: expression: '\\* \\* \\*' has 3 fields"),
        ((*ADD, "--args", "[1]", "--at", "2020-01-01"), "^--at: "),
        ((*ADD, "--args", "[1]", "--every", "soon"), "not a span such as 30s"),
        ((*ADD, "--args", "[1]", "--every", "0s"), "^--every: The interval must be"),
        ((*ADD, "--args", "[1]", "--trigger", "lunar"), "^--trigger: 'lunar' is not a kind of trigger"),
        ((*ADD, "--args", "[1]", "--trigger", "cron", "--trigger-args", '{"hour": 25}'), "^--trigger-args: hour"),
        ((*ADD, "--args", "[1]", "--every", "1h", "--timezone", "Mars"), "^--timezone: "),
        ((*ADD, "--args", "[1]", "--every", "1h", "--set", "priority=x"), "^--set priority: "),
        ((*ADD, "--args", "[1]", "--every", "1h", "--set", "prio=1"), "^--set prio: .*Did you mean 'priority'"),
        ((*ADD, "--args", "[1]", "--every", "1h", "--set", "now=1"), "no field now"),
        ((*ADD, "--args", "[1]", "--every", "1h", "--set", "name=x"), "--set name: it is given twice"),
        ((*ADD, "--args", "[1]", "--every", "1h", "--job-id", "one"), "^--job-id: There is a task"),
        ((*ADD, "--every", "1h", "--at", "2099-01-01"), "not allowed with"),
        ((*ADD, "--every", "1h", "--trigger-args", "{}"), "belongs to --trigger"),
        (("add", "Mine", "os:system", "--every", "1h"), "^func: "),
        (("add", " ", "tests.zoo.tasks:ok", "--every", "1h"), "^name: "),
        (("edit", "one"), "Give what is to change"),
        (("edit", "one", "--func", "os:system"), "^--func: "),
        (("edit", "one", "--set", "next_run=null"), "^--set next_run: "),
        (("edit", "nobody", "--every", "1h"), "no task"),
    ],
)
def test_errors_stand_at_their_option(make, arguments, says):
    make(job_id="one")
    with pytest.raises(CommandError, match=says):
        call_command("schedtasks", *arguments)
    assert SchedulerTask.objects.count() == 1


# What people read, and what goes wrong below


def test_tables_are_aligned_whatever_their_letters(schedtasks, make):
    make(job_id="one", name="每日报表"), make(job_id="two", name="Daily")
    lines = schedtasks("list")[1].splitlines()
    assert lines[0].split() == ["ID", "Job", "ID", "Status", "Name", "When", "Next", "run"]
    chinese, daily = sorted(lines[1:], key=lambda line: "Daily" in line)
    assert daily.index("Every") - chinese.index("Every") == len("每日报表")


def test_run_follows_its_retries(schedtasks, make, monkeypatch):
    from django_sched_tasks.management.verbs import steer

    make("fails_first", job_id="one", max_retries=2, retry_delay=0)
    monkeypatch.setattr(steer.time, "sleep", lambda seconds: ManualScheduler(now=database.now()).tick())
    code, text = schedtasks("run", "one", "--wait", "--format", "json")
    assert (code, json.loads(text)["status"], json.loads(text)["attempt"]) == (0, "succeeded", 2)


class Broken(Verb):
    """The database answers it with an error."""

    help = ""

    def __init__(self, error):
        self.error = error

    def run(self, options, out):
        raise self.error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OperationalError("no such table: sys_scheduler_task"), "run 'manage.py migrate'"),
        (OperationalError("connection refused"), "The database cannot be asked: connection refused"),
        (InterfaceError("connection already closed"), "The database cannot be asked"),
    ],
)
def test_a_database_that_does_not_answer_is_told_in_a_sentence(monkeypatch, error, says):
    monkeypatch.setitem(VERBS, "prune", Broken(error))
    with pytest.raises(CommandError, match=says):
        call_command("schedtasks", "prune")


VERBS_AND_ARGUMENTS = [
    ("list",),
    ("show", "1"),
    ("executions",),
    ("preview", "cron", '{"hour": 8}'),
    ("add", "x", "tests.zoo.tasks:ok", "--every", "1h"),
    ("edit", "1", "--every", "1h"),
    ("pause", "1"),
    ("resume", "1"),
    ("run", "1"),
    ("cancel", "1"),
    ("retry", "1"),
    ("backfill", "1", *DAY),
    ("sync",),
    ("import", "--from", "crontab", "-", "--map", "job=tests.zoo.tasks:ok"),
    ("export",),
    ("prune",),
    ("maintenance",),
    ("exclusions",),
    ("environment",),
    ("health",),
]


def test_without_tables_every_verb_says_so(transactional_db, monkeypatch, schedtasks):
    tables = ("sys_scheduler_task", "sys_scheduler_execution", "sys_scheduler_state")
    with_no_need = {"preview"}
    _rename({table: f"{table}_gone" for table in tables})
    try:
        for verb, *arguments in VERBS_AND_ARGUMENTS:
            monkeypatch.setattr(sys, "stdin", io.StringIO("0 2 * * * job\n"))
            if verb == "health":
                assert "migrate" in schedtasks(verb, *arguments)[1]
            elif verb not in with_no_need:
                with pytest.raises(CommandError, match=r"run 'manage\.py migrate'"):
                    call_command("schedtasks", verb, *arguments)
    finally:
        _rename({f"{table}_gone": table for table in tables})
    assert {verb for verb, *_ in VERBS_AND_ARGUMENTS} == set(VERBS)


def _rename(tables):
    with connection.cursor() as cursor:
        for old, new in tables.items():
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")
