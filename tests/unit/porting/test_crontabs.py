"""Crontab files."""

import io
import json
import sys

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from django_sched_tasks import conf, operations
from django_sched_tasks.models import SchedulerTask, TaskExecution
from django_sched_tasks.testing import ManualScheduler

ALLOWED = {"AUTO_START": False, "COMMANDS": ["clearsessions", "check"]}


@pytest.fixture
def port(db, capsys, tmp_path):
    """Import a crontab; answers the exit code and the report."""

    def port(text, *options, path=None):
        path = path or tmp_path / "crontab"
        path.write_text(text)
        try:
            call_command("schedtasks", "import", "--from", "crontab", str(path), *options, "--format", "json")
            code = 0
        except SystemExit as error:
            code = error.code
        return code, json.loads(capsys.readouterr().out)

    return port


@override_settings(SCHED_TASKS=ALLOWED)
@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("python manage.py clearsessions", ["clearsessions"]),
        ("/srv/venv/bin/python3.12 /srv/app/manage.py clearsessions", ["clearsessions"]),
        ("cd /srv/app && ./manage.py check --tag models", ["check", "--tag", "models"]),
        ("DEBUG=0 python -m django check 'a b'", ["check", "a b"]),
        ("cd /srv && A=1 manage.py check >> /var/log/x.log 2>&1", ["check"]),
        ("django-admin check > /dev/null", ["check"]),
        ("python manage.py check 2>/dev/null", ["check"]),
        (r"python manage.py check --day 5\%", ["check", "--day", "5%"]),
    ],
)
def test_a_management_command(port, command, args):
    code, report = port(f"*/5 9-17 * * mon-fri {command}\n")
    task = SchedulerTask.objects.get()
    assert (code, report["rows"][0]["action"]) == (0, "created")
    assert (task.func, task.args) == (conf.RUN_COMMAND, args)
    assert (task.trigger, task.trigger_args) == ("crontab", {"expression": "*/5 9-17 * * mon-fri"})


@override_settings(SCHED_TASKS=ALLOWED)
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 2 * * * python manage.py flush --noinput", "command flush may not be scheduled"),
        ("0 2 * * * /usr/local/bin/backup.sh", "is not a function"),
        ("0 2 * * * manage.py check && rm -r /", "is not a function"),
        ("0 2 * * * manage.py check | mail root", "is not a function"),
        ("0 2 * * * manage.py check; reboot", "is not a function"),
        ("0 2 * * * manage.py check $(date)", "is not a function"),
        ("0 2 * * * manage.py check $HOME", "is not a function"),
        ("0 2 * * * manage.py check%input", "is not a function"),
        ("0 2 * * * manage.py check 'open", "is not a function"),
        ("0 2 * * * manage.py", "is not a function"),
        ("@reboot manage.py check", "no trigger here for @reboot"),
        ("0 2 * *", "too few fields"),
        ("61 2 * * * manage.py check", "is not valid"),
        ("0 2 31 2 * manage.py check", "is not valid"),
    ],
)
def test_what_is_refused(port, line, reason):
    code, report = port(line)
    assert (code, SchedulerTask.objects.count()) == (1, 0)
    assert reason in str(report["rows"][0]["reasons"])


@override_settings(SCHED_TASKS=ALLOWED)
def test_comments_variables_and_nicknames(port):
    _code, report = port(
        "# nightly\n\nMAILTO=ops@example.org\n  SHELL = /bin/bash\n@daily manage.py check\n"
        "CRON_TZ='Asia/Tokyo'\n0 2 * * * manage.py clearsessions\n"
    )
    assert [row["origin"].rpartition(", ")[2] for row in report["rows"]] == ["line 5", "line 7"]
    found = SchedulerTask.objects.order_by("id").values_list("trigger_args", "timezone")
    assert list(found) == [({"expression": "@daily"}, ""), ({"expression": "0 2 * * *"}, "Asia/Tokyo")]
    told = " ".join(report["remarks"])
    assert "MAILTO is not taken over" in told
    assert "SHELL is not taken over" in told
    assert "CRON_TZ=Asia/Tokyo is the time zone" in told
    assert "TIME_ZONE of the site" in told


@override_settings(SCHED_TASKS=ALLOWED)
def test_a_crontab_of_the_system(port):
    port("17 * * * *  www-data  manage.py check\n@hourly root manage.py clearsessions\n", "--system")
    assert list(SchedulerTask.objects.order_by("id").values_list("args", flat=True)) == [["check"], ["clearsessions"]]


def test_any_command_can_be_mapped(port):
    code, _report = port(
        "0 2 * * * /opt/backup.sh --to=s3 | logger\n", "--map", "/opt/backup.sh --to=*=tests.zoo.tasks:ok"
    )
    assert (code, SchedulerTask.objects.get().func) == (0, "tests.zoo.tasks:ok")


def test_nothing_is_written_twice_also_where_two_lines_are_alike(port):
    text = "0 2 * * * job\n0 3 * * * job\n"
    options = ("--map", "job=tests.zoo.tasks:ok")
    port(text, *options)
    _code, report = port(text, *options)
    assert [row["action"] for row in report["rows"]] == ["unchanged"] * 2
    _code, report = port("5 2 * * * job\n", *options, "--update")
    assert report["rows"][0]["action"] == "updated"
    assert SchedulerTask.objects.count() == 2


def test_passwords_of_a_command_line_are_not_shown(port):
    port("0 2 * * * job --password=hunter22\n", "--map", "job*=tests.zoo.tasks:ok")
    task = SchedulerTask.objects.get()
    assert "hunter22" not in task.name + task.description


def test_standard_input(db, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("0 2 * * * job\n"))
    call_command("schedtasks", "import", "--from", "crontab", "-", "--map", "job=tests.zoo.tasks:ok")
    assert "1 created" in capsys.readouterr().out


def test_a_file_that_is_none(port, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("schedtasks", "import", "--from", "crontab", str(tmp_path / "nowhere"))
    with pytest.raises(CommandError, match="not a text file"):
        port("0 2 * * * \0")


# The function that runs management commands


def test_it_is_off_unless_a_command_is_named(db):
    when = {"name": "x", "trigger": "interval", "trigger_args": {"hours": 1}}
    with pytest.raises(operations_error(), match="may be scheduled"):
        operations.add_task(func=conf.RUN_COMMAND, args=["check"], **when)
    with override_settings(SCHED_TASKS=ALLOWED):
        assert operations.add_task(func=conf.RUN_COMMAND, args=["check"], **when).pk


def operations_error():
    from django_sched_tasks.exceptions import InvalidDefinition

    return InvalidDefinition


@override_settings(SCHED_TASKS=ALLOWED)
@pytest.mark.parametrize(("args", "status"), [(["check", "--tag", "models"], "succeeded"), (["flush"], "failed")])
def test_it_runs_what_is_named_and_nothing_else(db, now, args, status):
    task = operations.add_task(
        name="x", func=conf.RUN_COMMAND, args=["check"], trigger="interval", trigger_args={"hours": 1}, now=now
    )
    SchedulerTask.objects.update(args=args)  # by other hands, which nothing refuses
    operations.run_task(task.pk, now=now)
    ManualScheduler(now=now).tick()
    execution = TaskExecution.objects.get()
    assert execution.status == status
    assert ("no issues" in execution.output) if status == "succeeded" else ("'flush' may not" in execution.error)
