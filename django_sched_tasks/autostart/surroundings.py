"""What kind of process this is: a server that may host a scheduler, or something that must not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from django_sched_tasks.autostart import uwsgi
from django_sched_tasks.autostart.roles import Role, Surroundings

# Servers that load the application in the process that serves it: their package is on the call stack while Django is
# being set up. That proves that the application is being loaded by the server, and not merely imported beside it.
SERVERS = ("uvicorn", "daphne", "hypercorn", "granian", "waitress", "cheroot", "bjoern")
GREEN_WORKERS = ("gunicorn.workers.ggevent", "gunicorn.workers.geventlet")
NO_SERVERS = ("celery", "pytest", "py.test", "ipython", "tox")


def look() -> Surroundings:
    """Judge the current process; meant to be called while the application is being loaded."""
    command = _management_command()
    if command is not None:
        return Surroundings(_role_of_command(command), command)
    program = _program()
    if program.lower() in NO_SERVERS or "_pytest.main" in sys.modules:
        return Surroundings(Role.OTHER, program)
    return _server() or Surroundings(Role.OTHER if _is_interactive() else Role.UNKNOWN, program or "unknown")


def _program() -> str:
    """The name that this process was started by; of ``python -m name``, that name."""
    path = Path(sys.argv[0])
    return path.parent.name if path.name == "__main__.py" else path.name


def _is_interactive() -> bool:
    return hasattr(sys, "ps1") or sys.argv[0] in ("-c", "") or "IPython" in sys.modules


def _server() -> Surroundings | None:
    if "uwsgi" in sys.modules:  # uWSGI puts this module there itself
        return Surroundings(uwsgi.role(), "uwsgi")
    if "mod_wsgi" in sys.modules:
        return Surroundings(Role.SERVER, "mod_wsgi")
    modules = list(_modules_on_stack())
    packages = {name.partition(".")[0] for name in modules}
    if "gunicorn" in packages:
        return Surroundings(_role_in_gunicorn(modules), "gunicorn")
    server = next((server for server in SERVERS if server in packages), None)
    return None if server is None else Surroundings(Role.SERVER, server)


def _management_command() -> str | None:
    """The management command that this process runs, if it is one."""
    if _program() not in ("manage.py", "django", "django-admin", "django-admin.py", "django-admin.exe"):
        return None
    return next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "help")


def _role_of_command(command: str) -> Role:
    """Of all commands only ``runserver`` hosts, and of its processes only the one that serves, not the reloader."""
    if command not in ("runserver", "runserver_plus"):
        return Role.OTHER
    serves = "--noreload" in sys.argv or "true" in (os.environ.get("RUN_MAIN"), os.environ.get("WERKZEUG_RUN_MAIN"))
    return Role.SERVER if serves else Role.SUPERVISOR


def _role_in_gunicorn(modules: list[str]) -> Role:
    """A worker has its own module on the stack; the arbiter is there alone while it preloads the application."""
    workers = [name for name in modules if name.startswith("gunicorn.workers")]
    if not workers:
        return Role.PRELOADING
    return Role.GREEN if any(name in GREEN_WORKERS for name in workers) else Role.SERVER


def is_new_worker() -> bool:
    """Whether this process is being forked by gunicorn to be a worker.

    It forks for other ends too: for a new master (SIGUSR2), which replaces itself by exec at once.
    """
    return any(frame.f_code.co_name == "spawn_worker" and _module(frame) == "gunicorn.arbiter" for frame in _stack())


def _modules_on_stack() -> Iterator[str]:
    return map(_module, _stack())


def _stack() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
