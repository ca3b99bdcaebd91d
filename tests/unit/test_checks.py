"""The system checks, by their ids."""

import sys
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks
from django.db import connections

from django_sched_tasks import checks, registry


def complaints(check):
    return {message.id: message for message in check()}


def test_a_right_site_has_nothing_to_hear(settings):
    assert run_checks(tags=[checks.TAG]) == []


@pytest.mark.django_db  # Django's own ask the database what it can do
def test_checks_run_without_a_tag_as_well(settings):
    settings.USE_TZ = False

    assert "sched_tasks.E001" in {message.id for message in run_checks()}


def test_e001_use_tz(settings):
    settings.USE_TZ = False

    assert complaints(checks.check_time_zones)["sched_tasks.E001"].hint == "Set USE_TZ = True in the settings."


def test_e002_unknown_key(settings):
    settings.SCHED_TASKS = {"POLL_INTERVALL": 3}

    assert complaints(checks.check_settings)["sched_tasks.E002"].hint == "Did you mean 'POLL_INTERVAL'?"


@pytest.mark.parametrize("value", [{"POLL_INTERVAL": -1}, {"HEARTBEAT_INTERVAL": 60}, []])
def test_e003_wrong_value(settings, value):
    settings.SCHED_TASKS = value

    [(identity, message)] = complaints(checks.check_settings).items()
    assert identity == "sched_tasks.E003"
    assert message.hint


def test_e004_executor_that_cannot_be_imported(settings):
    settings.SCHED_TASKS = {"EXECUTORS": {"default": {"BACKEND": "nowhere.ThreadExecutor"}}}

    message = complaints(checks.check_executors)["sched_tasks.E004"]
    assert "'default'" in message.msg
    assert "No module named 'nowhere'" in message.msg


@pytest.mark.parametrize(
    ("defaults", "part"),
    [
        ({"max_instanses": 2}, "max_instances"),
        ({"name": "x"}, "Known are"),
        ({"timeout": 0}, "1"),
        ({"overlap": "x"}, "x"),
    ],
)
def test_e005_defaults(settings, defaults, part):
    settings.SCHED_TASKS = {"DEFAULTS": defaults}

    assert part in complaints(checks.check_defaults)["sched_tasks.E005"].hint


def test_e005_right_defaults(settings):
    settings.SCHED_TASKS = {"DEFAULTS": {"max_instances": None, "overlap": "queue", "timeout": 60}}

    assert complaints(checks.check_defaults) == {}


def test_w001_rest_framework(settings):
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "rest_framework"]

    assert "INSTALLED_APPS" in complaints(checks.check_rest_framework)["sched_tasks.W001"].hint


def test_w002_task_module_that_does_not_import(settings, tmp_path, monkeypatch):
    (tmp_path / "brokenapp").mkdir()
    (tmp_path / "brokenapp" / "__init__.py").touch()
    (tmp_path / "brokenapp" / "tasks.py").write_text("raise RuntimeError('not today')\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "brokenapp"]
    try:
        message = complaints(checks.check_task_modules)["sched_tasks.W002"]
    finally:
        registry.clear_cache()
        sys.modules.pop("brokenapp", None)

    assert "'brokenapp.tasks'" in message.msg
    assert "not today" in message.msg


@pytest.mark.parametrize(
    ("engine", "options", "ids"),
    [
        ("django.db.backends.sqlite3", {"timeout": 1}, ["sched_tasks.W003"]),
        ("django.db.backends.sqlite3", {"timeout": 20}, []),
        ("django.db.backends.sqlite3", {}, []),
        ("django.db.backends.postgresql", {"timeout": 1}, []),
    ],
)
def test_w003_sqlite_that_gives_up_soon(monkeypatch, engine, options, ids):
    monkeypatch.setitem(connections.settings["default"], "ENGINE", engine)
    monkeypatch.setitem(connections.settings["default"], "OPTIONS", options)

    assert list(complaints(checks.check_sqlite)) == ids


def test_w004_lock_file_in_a_missing_directory(settings, tmp_path):
    settings.SCHED_TASKS = {"LOCK_FILE": tmp_path / "missing" / "lock"}
    assert list(complaints(checks.check_lock_file)) == ["sched_tasks.W004"]

    settings.SCHED_TASKS = {"LOCK_FILE": tmp_path / "lock"}
    assert complaints(checks.check_lock_file) == {}


@pytest.mark.parametrize(("value", "complains"), [("", False), ("0", False), ("1", False), ("true", True), ("2", True)])
def test_w005_environment(monkeypatch, value, complains):
    monkeypatch.setenv("SCHED_TASKS_AUTO_START", value)

    assert ("sched_tasks.W005" in complaints(checks.check_environment)) is complains


@pytest.mark.parametrize(
    ("options", "complains"),
    [
        ({"master": True}, True),
        ({"enable-threads": True}, False),
        ({b"threads": b"4"}, False),
        ({"enable-threads": True, "gevent": b"100"}, True),
    ],
)
def test_w006_uwsgi(monkeypatch, settings, options, complains):
    settings.SCHED_TASKS = {}
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options))

    assert ("sched_tasks.W006" in complaints(checks.check_uwsgi)) is complains
