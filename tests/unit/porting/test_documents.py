"""Export and import of the project's own tasks."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from django_sched_tasks import definitions, operations
from django_sched_tasks.models import SchedulerTask, Source


@pytest.fixture
def export(db, capsys):
    def export(*arguments):
        call_command("schedtasks", "export", *map(str, arguments))
        return json.loads(capsys.readouterr().out)

    return export


@pytest.fixture
def load(db, tmp_path, capsys):
    """Import a document; answers the exit code and the report."""

    def load(document, *options):
        path = tmp_path / "tasks.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        try:
            call_command("schedtasks", "import", str(path), *options, "--format", "json")
            code = 0
        except SystemExit as error:
            code = error.code
        return code, json.loads(capsys.readouterr().out)

    return load


def given():
    """What an export is about, of all tasks."""
    names = (*definitions.FIELDS, "status", "pause_note")
    return {task["job_id"]: task for task in SchedulerTask.objects.values(*names)}


def actions(report):
    return {row["job_id"]: row["action"] for row in report["rows"]}


def test_there_and_back(make, export, load):
    make(job_id="one", name="Eins", description="täglich", timezone="Asia/Tokyo", priority=5, queue="mail")
    make("add", job_id="two", args=[1], kwargs={"b": 2}, trigger="crontab", trigger_args={"expression": "0 2 * * *"})
    make(job_id="follows", trigger="after", trigger_args={"job_id": "two"})
    operations.pause_task(make(job_id="paused").pk, note="Maintenance")
    before, document = given(), export()
    SchedulerTask.objects.all().delete()

    code, report = load(document)
    assert (code, set(actions(report).values())) == (0, {"created"})
    assert given() == before
    assert set(SchedulerTask.objects.values_list("source", flat=True)) == {Source.IMPORT}
    assert set(actions(load(document, "--update")[1]).values()) == {"unchanged"}
    assert export() == {**document, "tasks": [{**task, "source": "import"} for task in document["tasks"]]}


def test_some_tasks_to_a_file(make, tmp_path, capsys):
    make(job_id="one"), make(job_id="two")
    path = tmp_path / "out.json"
    call_command("schedtasks", "export", "two", "--output", str(path))
    assert capsys.readouterr().out == f"1 tasks written to {path}\n"
    assert [task["job_id"] for task in json.loads(path.read_text())["tasks"]] == ["two"]
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("schedtasks", "export", "--output", str(tmp_path / "no" / "where"))
    with pytest.raises(CommandError, match="no task"):
        call_command("schedtasks", "export", "nobody")


def test_what_differs_is_kept_unless_it_is_to_be_updated(make, export, load):
    task = make(job_id="one", priority=5)
    document = export()
    operations.update_task(task.pk, {"priority": 7, "trigger_args": {"minutes": 2}})
    _code, report = load(document)
    row = report["rows"][0]
    assert (row["action"], row["changes"]) == ("kept", {"priority": 5, "trigger_args": {"minutes": 1}})
    assert given()["one"]["priority"] == 7
    assert actions(load(document, "--update")[1]) == {"one": "updated"}
    assert given()["one"]["priority"] == 5


def test_an_update_follows_the_status(make, export, load):
    task = make(job_id="one")
    active = export()
    operations.pause_task(task.pk, note="Maintenance")
    paused = export()
    assert actions(load(active)[1]) == {"one": "kept"}
    load(active, "--update")
    assert (given()["one"]["status"], given()["one"]["pause_note"]) == (1, "")
    load(paused, "--update")
    assert (given()["one"]["status"], given()["one"]["pause_note"]) == (0, "Maintenance")


def test_secrets_stay_at_home(make, export, load):
    make("keywords_only", job_id="one", kwargs={"kind": "x", "since": "y"})
    task = make("leaks_password", job_id="two", kwargs={"password": "hunter22"})
    document = export()
    assert "hunter22" not in json.dumps(document)
    assert export("--with-secrets")["tasks"][1]["kwargs"] == {"password": "hunter22"}

    assert set(actions(load(document, "--update")[1]).values()) == {"unchanged"}
    assert given()["two"]["kwargs"] == {"password": "hunter22"}
    task.delete()
    code, report = load(document)
    assert (code, actions(report)) == (1, {"one": "unchanged", "two": "refused"})
    assert "Give its value" in str(report["rows"][1]["reasons"])


def test_secrets_that_differ_are_not_told(make, export, load):
    task = make("leaks_password", job_id="two", kwargs={"password": "hunter22"})
    document = export("--with-secrets")
    operations.update_task(task.pk, {"kwargs": {"password": "another1"}})
    _code, report = load(document, "--update")
    assert report["rows"][0]["changes"] == {"kwargs": {"password": "*****"}}
    assert given()["two"]["kwargs"] == {"password": "hunter22"}


def test_a_file_with_secrets_is_for_its_owner(make, tmp_path):
    make(job_id="one")
    path = tmp_path / "out.json"
    call_command("schedtasks", "export", "--with-secrets", "--output", str(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_code_declares_is_not_made_by_an_import(make, export, load):
    make(job_id="one", source=Source.CODE)
    document = export()
    assert actions(load(document)[1]) == {"one": "unchanged"}
    SchedulerTask.objects.all().delete()
    code, report = load(document)
    assert (code, actions(report)) == (1, {"one": "refused"})
    assert "schedtasks sync" in str(report["rows"][0]["reasons"])


def test_what_has_finished_is_left_out(make, export, load):
    SchedulerTask.objects.filter(pk=make(job_id="one").pk).update(status=2)
    document = export()
    assert actions(load(document)[1]) == {"one": "unchanged"}
    SchedulerTask.objects.all().delete()
    assert load(document)[0] == 0
    assert not SchedulerTask.objects.exists()


def test_a_task_comes_after_the_one_that_it_follows(make, export, load):
    make(job_id="z"), make(job_id="a", trigger="after", trigger_args={"job_id": "z"})
    document = export()
    assert [task["job_id"] for task in document["tasks"]] == ["a", "z"]
    SchedulerTask.objects.all().delete()
    code, report = load(document)
    assert (code, actions(report)) == (0, {"a": "created", "z": "created"})


def test_tasks_that_follow_each_other_are_refused(load):
    tasks = [
        {
            "job_id": one,
            "name": one,
            "func": "tests.zoo.tasks:ok",
            "trigger": "after",
            "trigger_args": {"job_id": other},
        }
        for one, other in (("a", "b"), ("b", "a"))
    ]
    code, report = load({"format": "django-sched-tasks", "version": 1, "tasks": tasks})
    assert (code, set(actions(report).values())) == (1, {"refused"})


GOOD = {
    "job_id": "good",
    "name": "Good",
    "func": "tests.zoo.tasks:ok",
    "trigger": "interval",
    "trigger_args": {"hours": 1},
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"func": "os:system"}, "may be scheduled"),
        ({"trigger_args": {"hours": "x"}}, "must be a number"),
        ({"nmae": "x"}, "Did you mean 'name'?"),
        ({"now": "2026-01-01"}, "no such field"),
        ({"user": "root"}, "no such field"),
        ({"job_id": None}, "has no job_id"),
        ({"job_id": "good"}, "stands in this document twice"),
        ({"status": "asleep"}, "status is 'asleep'"),
        ({"pause_note": 1}, "pause_note 1"),
        ({"trigger": None}, "not a kind of trigger"),
    ],
)
def test_a_bad_task_is_refused_with_its_reason_and_holds_up_no_other(load, changes, reason):
    tasks = [GOOD, {**GOOD, "job_id": "bad", **changes}, 5]
    code, report = load({"format": "django-sched-tasks", "version": 1, "tasks": tasks})
    assert (code, [row["action"] for row in report["rows"]]) == (1, ["created", "refused", "refused"])
    assert reason in str(report["rows"][1]["reasons"])
    assert SchedulerTask.objects.count() == 1


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "not JSON"),
        ([], "not an export"),
        ({"format": "other", "tasks": []}, "not an export"),
        ({"format": "django-sched-tasks", "version": 2, "tasks": []}, "version 2"),
    ],
)
def test_what_is_no_document(load, document, reason):
    with pytest.raises(CommandError, match=reason):
        load(document)


def test_a_dry_run_writes_nothing(make, export, load, django_capture_on_commit_callbacks):
    make(job_id="one"), make(job_id="two"), make(job_id="three", trigger="after", trigger_args={"job_id": "two"})
    document = export()
    SchedulerTask.objects.filter(job_id__in=["two", "three"]).delete()
    operations.update_task(SchedulerTask.objects.get().pk, {"priority": 9})
    before = _all_rows()
    with django_capture_on_commit_callbacks() as callbacks:
        code, report = load(document, "--dry-run", "--update")
    assert (code, report["dry_run"]) == (0, True)
    assert actions(report) == {"one": "updated", "two": "created", "three": "created"}
    assert _all_rows() == before
    assert callbacks == []


def _all_rows():
    """Every row of every table."""
    with connection.cursor() as cursor:
        found = {}
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = sorted(map(repr, cursor.fetchall()))
    return found


def test_a_table_for_people(make, export, tmp_path, capsys):
    make(job_id="one", name="每日报表")
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(export()))
    SchedulerTask.objects.all().delete()
    call_command("schedtasks", "import", str(path), "--dry-run")
    assert capsys.readouterr().out.splitlines() == [
        "Action   Job ID  Name      When, or why not",
        "created  one     每日报表  Every minute",
        "1 created",
        "This was a dry run: nothing was written.",
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "Give one export"),
        (("a", "b"), "Give one export"),
        (("--from", "django-celery-beat", "a"), "leave the file out"),
        (("--from", "django-celery-beat"), "not in INSTALLED_APPS"),
        (("--from", "django-apscheduler"), "not in INSTALLED_APPS"),
        (("--from", "crontab"), "Give crontabs"),
        (("a", "--pause-source"), "rows of a database"),
        (("a", "--system"), "goes with --from crontab"),
        (("a", "--map", "x=y:z"), "goes with --from"),
        (("a", "--map", "x"), "is not PATTERN="),
        (("a", "--set", "x"), "is not FIELD=VALUE"),
        (("nowhere.json",), "cannot be read"),
    ],
)
def test_options_that_do_not_go_together(arguments, reason):
    with pytest.raises(CommandError, match=reason):
        call_command("schedtasks", "import", *arguments)
