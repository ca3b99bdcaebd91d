"""The system checks, by their ids."""

import contextlib
import sqlite3
import sys
from types import SimpleNamespace

import pytest
from django.core.checks import run_checks
from django.db import OperationalError, connection, connections
from django.utils import timezone

from django_sched_tasks import checks, registry
from django_sched_tasks.models import SchedulerNode, SchedulerTask


def complaints(check):
    return {message.id: message for message in check()}


def test_a_right_site_has_nothing_to_hear(monkeypatch):
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "init_command", "PRAGMA journal_mode=WAL;")
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
        ({"transactional": "yes"}, "true or false"),
        ({"transactional": True, "on_crash": "lose"}, "'retry'"),
    ],
)
def test_e005_defaults(settings, defaults, part):
    settings.SCHED_TASKS = {"DEFAULTS": defaults}

    assert part in complaints(checks.check_defaults)["sched_tasks.E005"].hint


@pytest.mark.parametrize(
    "defaults",
    [
        {"max_instances": None, "overlap": "queue", "timeout": 60},
        {"transactional": True},
        {"transactional": True, "on_crash": "retry"},
    ],
)
def test_e005_right_defaults(settings, defaults):
    settings.SCHED_TASKS = {"DEFAULTS": defaults}

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
    monkeypatch.setitem(connections.settings["default"], "NAME", ":memory:")  # a file has a journal to complain of

    assert list(complaints(checks.check_sqlite)) == ids


@pytest.fixture
def mounts(monkeypatch, tmp_path):
    """Makes a directory a mount of a kind of file system."""

    def mount(directory, kind):
        table = tmp_path / "mounts"
        table.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/export {directory} {kind} rw 0 0\n")
        monkeypatch.setattr("django_sched_tasks.checks.places._MOUNTS", table)

    return mount


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


@pytest.fixture
def sqlite_file(monkeypatch, tmp_path):
    """The settings of the site's database, which they say is this file."""
    file = tmp_path / "data" / "db.sqlite3"
    file.parent.mkdir()
    monkeypatch.setitem(connections.settings["default"], "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setitem(connections.settings["default"], "NAME", file)
    monkeypatch.setitem(connections.settings["default"], "OPTIONS", {})
    return file


def with_table(file, journal):
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute(f"PRAGMA journal_mode={journal}")
        database.execute("CREATE TABLE t (x)")


def test_w007_sqlite_without_a_write_ahead_log(sqlite_file):
    assert complaints(checks.check_sqlite) == {}  # not there yet
    with_table(sqlite_file, "delete")
    assert "journal_mode=WAL" in complaints(checks.check_sqlite)["sched_tasks.W007"].hint

    connections.settings["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL;"
    assert complaints(checks.check_sqlite) == {}


def test_w007_is_silent_where_the_file_says_itself_that_it_has_one(sqlite_file):
    with_table(sqlite_file, "wal")
    assert complaints(checks.check_sqlite) == {}


@pytest.mark.parametrize(("kind", "ids"), [("nfs4", ["sched_tasks.W008"]), ("cifs", ["sched_tasks.W008"]), ("xfs", [])])
def test_w008_sqlite_on_a_network_share(sqlite_file, mounts, kind, ids):
    with_table(sqlite_file, "wal")
    mounts(sqlite_file.parent, kind)
    assert list(complaints(checks.check_sqlite)) == ids


def test_w009_lock_file_that_cannot_be_written(settings, monkeypatch, tmp_path):
    settings.SCHED_TASKS = {"LOCK_FILE": tmp_path / "lock"}
    writable = {tmp_path: False, tmp_path / "lock": True}
    monkeypatch.setattr("django_sched_tasks.checks.servers.os.access", lambda path, mode: writable[path])
    assert list(complaints(checks.check_lock_file)) == ["sched_tasks.W009"]

    (tmp_path / "lock").touch()
    assert complaints(checks.check_lock_file) == {}


def test_w010_lock_file_on_a_network_share(settings, tmp_path, mounts):
    mounts(tmp_path, "nfs")
    settings.SCHED_TASKS = {"LOCK_FILE": tmp_path / "lock"}
    assert list(complaints(checks.check_lock_file)) == ["sched_tasks.W010"]

    settings.SCHED_TASKS = {"LOCK_FILE": tmp_path / "lock", "AUTO_START": False}
    assert complaints(checks.check_lock_file) == {}


def test_w011_rows_whose_function_is_gone(db):
    when = {"trigger": "interval", "trigger_args": {"hours": 1}}
    SchedulerTask.objects.create(name="here", func="tests.zoo.tasks:ok", **when)
    SchedulerTask.objects.create(name="paused", func="tests.zoo.tasks:sold", status=0, **when)
    assert checks.check_functions(databases=["default"]) == []

    SchedulerTask.objects.create(name="gone", func="tests.zoo.tasks:eaten", **when)
    [message] = checks.check_functions(databases=["default"])
    assert (message.id, "tests.zoo.tasks:eaten" in message.msg) == ("sched_tasks.W011", True)


def test_rows_are_asked_only_where_the_command_says_so(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert run_checks(tags=[checks.TAG]) is not None
        assert checks.check_functions() == checks.check_hosts(databases=["replica"]) == []


@pytest.mark.parametrize("check", [checks.check_functions, checks.check_hosts])
def test_before_the_first_migration_rows_have_nothing_to_say(db, sqlite_file, monkeypatch, check):
    def missing(*_arguments, **_options):
        raise OperationalError("no such table: sys_scheduler_task")

    monkeypatch.setattr("django.db.models.query.QuerySet._fetch_all", missing)
    assert check(databases=["default"]) == []


@pytest.mark.parametrize(("machines", "ids"), [(["a", "a"], []), (["a", "b"], ["sched_tasks.W012"])])
def test_w012_several_hosts_on_sqlite(db, monkeypatch, machines, ids):
    monkeypatch.setitem(connections.settings["default"], "ENGINE", "django.db.backends.sqlite3")
    now = timezone.now()
    for machine in machines:
        SchedulerNode.objects.create(host=f"web-{machine}", machine=machine, pid=1, started_at=now, heartbeat_at=now)

    assert [message.id for message in checks.check_hosts(databases=["default"])] == ids


@pytest.fixture
def postgresql(monkeypatch):
    """The settings of the site's database, which they say is PostgreSQL."""
    own = connections.settings["default"]
    for name, value in {"ENGINE": "django.db.backends.postgresql", "PORT": "5432", "OPTIONS": {}}.items():
        monkeypatch.setitem(own, name, value)
    monkeypatch.setitem(own, "DISABLE_SERVER_SIDE_CURSORS", False)
    return own


@pytest.mark.parametrize(
    ("changes", "ids"),
    [({}, []), ({"PORT": 6432}, ["sched_tasks.W013"]), ({"DISABLE_SERVER_SIDE_CURSORS": True}, ["sched_tasks.W013"])],
)
def test_w013_a_pooler_of_transactions(postgresql, changes, ids):
    postgresql.update(changes)
    assert list(complaints(checks.check_poolers)) == ids


@pytest.mark.parametrize(
    ("pool", "workers", "ids"),
    [
        (True, 10, ["sched_tasks.W014"]),
        ({"min_size": 2, "max_size": 9}, 10, ["sched_tasks.W014"]),
        ({"max_size": 10}, 10, []),
        (True, 4, []),
        (False, 10, []),
    ],
)
def test_w014_a_pool_smaller_than_the_threads(postgresql, settings, pool, workers, ids):
    executor = {"BACKEND": "django_sched_tasks.executors.ThreadExecutor", "OPTIONS": {"max_workers": workers}}
    settings.SCHED_TASKS = {"EXECUTORS": {"default": executor}}
    postgresql["OPTIONS"]["pool"] = pool
    assert list(complaints(checks.check_poolers)) == ids
