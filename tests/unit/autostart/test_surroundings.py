"""What a process is, told from its command line, its modules and its call stack, all of them made up here."""

import sys
from types import SimpleNamespace

import pytest

from django_sched_tasks.autostart.roles import Role, Surroundings
from django_sched_tasks.autostart.surroundings import is_new_worker, look

WEB = "/venv/bin/"


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """Not the process of this test run, nor the development server's."""
    for name in ("_pytest.main", "IPython", "uwsgi", "mod_wsgi"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("RUN_MAIN", "WERKZEUG_RUN_MAIN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def started_as(monkeypatch):
    return lambda *argv: monkeypatch.setattr(sys, "argv", list(argv))


def called(modules, act=look, function="load"):
    """What ``act`` answers where it is called by functions of these modules, outermost first."""
    if not modules:
        return act()
    scope = {"__name__": modules[0], "go_on": lambda: called(modules[1:], act, function)}
    exec(f"def {function}():\n    return go_on()", scope)
    return scope[function]()


@pytest.mark.parametrize(
    ("program", "modules", "role", "name"),
    [
        ("gunicorn", ["gunicorn.app.base", "gunicorn.workers.base", "company.wsgi"], Role.SERVER, "gunicorn"),
        ("gunicorn", ["gunicorn.arbiter", "gunicorn.app.base"], Role.PRELOADING, "gunicorn"),
        ("gunicorn", ["gunicorn.workers.ggevent", "gunicorn.workers.base"], Role.GREEN, "gunicorn"),
        ("gunicorn", ["gunicorn.workers.geventlet", "gunicorn.workers.base"], Role.GREEN, "gunicorn"),
        ("uvicorn", ["uvicorn.server", "uvicorn.config"], Role.SERVER, "uvicorn"),
        ("daphne", ["daphne.cli"], Role.SERVER, "daphne"),
        ("granian", ["granian.server.mp"], Role.SERVER, "granian"),
        ("hypercorn", ["hypercorn.utils"], Role.SERVER, "hypercorn"),
        ("waitress-serve", ["waitress.runner"], Role.SERVER, "waitress"),
        ("serve.py", ["waitress.runner"], Role.SERVER, "waitress"),  # whatever the program is called
        ("-c", ["uvicorn.server"], Role.SERVER, "uvicorn"),  # multiprocessing starts workers so
        ("gunicorn", [], Role.UNKNOWN, "gunicorn"),  # its name alone proves nothing
        ("serve.py", ["cherrypy.process"], Role.UNKNOWN, "serve.py"),
        ("celery", [], Role.OTHER, "celery"),
        ("celery/__main__.py", [], Role.OTHER, "celery"),
        ("pytest", ["waitress.runner"], Role.OTHER, "pytest"),
        ("ipython", [], Role.OTHER, "ipython"),
        ("-c", [], Role.OTHER, "-c"),
        ("", [], Role.OTHER, "unknown"),
    ],
)
def test_a_program(started_as, program, modules, role, name):
    started_as(WEB + program if program not in ("", "-c") else program)
    assert called(modules) == Surroundings(role, name)


@pytest.mark.parametrize(
    ("arguments", "role", "name"),
    [
        (["migrate"], Role.OTHER, "migrate"),
        (["-v0", "migrate"], Role.OTHER, "migrate"),
        ([], Role.OTHER, "help"),
        (["runserver"], Role.SUPERVISOR, "runserver"),
        (["runserver", "--noreload"], Role.SERVER, "runserver"),
        (["runserver_plus"], Role.SUPERVISOR, "runserver_plus"),
    ],
)
@pytest.mark.parametrize("program", ["manage.py", "django-admin", "/lib/django/__main__.py"])
def test_a_management_command(started_as, program, arguments, role, name):
    started_as(program, *arguments)
    assert called(["django.core.management"]) == Surroundings(role, name)


@pytest.mark.parametrize(("command", "variable"), [("runserver", "RUN_MAIN"), ("runserver_plus", "WERKZEUG_RUN_MAIN")])
def test_the_process_that_the_reloader_watches_serves(started_as, monkeypatch, command, variable):
    started_as("manage.py", command)
    monkeypatch.setenv(variable, "true")
    assert look().role == Role.SERVER


def test_a_command_that_loads_the_application_is_a_command_under_a_server_too(started_as):
    started_as("manage.py", "warm_up")
    assert called(["waitress.runner"]).role == Role.OTHER


def test_a_test_run_by_any_name(started_as, monkeypatch):
    started_as("run_tests.py")
    monkeypatch.setitem(sys.modules, "_pytest.main", SimpleNamespace())
    assert called(["daphne.testing"]).role == Role.OTHER


@pytest.mark.parametrize(
    ("options", "worker", "role"),
    [
        ({"enable-threads": True}, 0, Role.PRELOADING),
        ({"threads": b"4"}, 0, Role.PRELOADING),
        ({b"enable-threads": True}, 2, Role.SERVER),
        ({"lazy-apps": True}, 2, Role.THREADLESS),
        ({"gevent": b"100", "enable-threads": True}, 1, Role.GREEN),
    ],
)
def test_uwsgi(started_as, monkeypatch, options, worker, role):
    started_as("uwsgi")
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options, worker_id=lambda: worker))
    assert look() == Surroundings(role, "uwsgi")


def test_mod_wsgi(started_as, monkeypatch):
    started_as("mod_wsgi")
    monkeypatch.setitem(sys.modules, "mod_wsgi", SimpleNamespace())
    assert look() == Surroundings(Role.SERVER, "mod_wsgi")


@pytest.mark.parametrize(
    ("module", "function", "answer"),
    [
        ("gunicorn.arbiter", "spawn_worker", True),
        ("gunicorn.arbiter", "reexec", False),
        ("company.hooks", "spawn_worker", False),
    ],
)
def test_of_gunicorns_forks_only_one_makes_a_worker(module, function, answer):
    assert called([module], is_new_worker, function) is answer
