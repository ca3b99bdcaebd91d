"""Application servers, each with the options that a site would start it with, and how it recycles its workers."""

import signal
import socket
import sys
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from django_sched_tasks.engine import process as processes
from tests.support.waiting import until


@dataclass(frozen=True)
class Server:
    """How to start it, and what it does when it is asked to start its workers anew.

    Args:
        command: its program and options; ``{port}`` and ``{python}``, the environment's directory, are filled in.
        recycle: makes a running one replace its workers; None for a server of one process, which is started again.
        survives_kills: whether it replaces a worker that was killed.
        calm: for how many seconds a worker must have lived, or its death makes the server give up.
    """

    command: str
    recycle: Callable | None = None
    survives_kills: bool = True
    calm: int = 2

    @property
    def program(self):
        return self.command.split()[0]

    @property
    def has_standby(self):
        return self.recycle is not None

    def start(self, site, **env):
        path = program(self.program)
        port = free_port()
        arguments = self.command.format(port=port, python=sys.prefix).split()[1:]
        started = site.start(path, *arguments, **env)
        started.port = port
        until(lambda: answers(site, started), within=30, what=f"an answer of {self.command}:\n{started.log}")
        return started


def program(name):
    """The path of a program of this Python's environment; the test is skipped where it is not installed."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        pytest.skip(f"{name} is not installed beside this Python")
    return path


def hang_up(site, server):
    server.signal(signal.SIGHUP)


def use_up_requests(site, server):
    """Ask until the hosting worker has had its ``--max-requests``."""
    node = hosting(site)
    until(lambda: answers(site, server) and hosting(site) != node, within=20, what="a worker that has had enough")


# Settings with which the scheduler says what it does.
LOGS = """
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django_sched_tasks": {"handlers": ["console"], "level": "INFO"}},
}
"""

GUNICORN = "gunicorn --bind 127.0.0.1:{port} --workers 2 "
GRANIAN = "granian --host 127.0.0.1 --port {port} --workers 2 --respawn-failed-workers --respawn-interval 1 "
UWSGI = (
    "uwsgi --http 127.0.0.1:{port} --master --die-on-term --processes 2 --enable-threads --home {python} "
    "--need-app --module company.wsgi "
)

SERVERS = {
    "gunicorn": Server(GUNICORN + "company.wsgi", hang_up),
    "gunicorn-gthread-preload": Server(GUNICORN + "--threads 4 --preload company.wsgi", hang_up),
    "gunicorn-max-requests": Server(GUNICORN + "--max-requests 20 company.wsgi", use_up_requests),
    "gunicorn-uvicorn": Server(GUNICORN + "-k uvicorn.workers.UvicornWorker company.asgi", hang_up),
    "uvicorn": Server("uvicorn --port {port} company.asgi:application"),
    "uvicorn-workers": Server("uvicorn --port {port} --workers 2 company.asgi:application", hang_up),
    "daphne": Server("daphne --port {port} company.asgi:application"),
    "granian-wsgi": Server(GRANIAN + "--interface wsgi company.wsgi:application", hang_up, calm=6),
    "granian-asgi": Server(GRANIAN + "--interface asginl company.asgi:application", hang_up, calm=6),
    "hypercorn": Server(
        "hypercorn --bind 127.0.0.1:{port} --workers 2 company.asgi:application", hang_up, survives_kills=False
    ),
    "runserver": Server("python manage.py runserver --noreload 127.0.0.1:{port}"),
    "waitress": Server("waitress-serve --listen 127.0.0.1:{port} company.wsgi:application"),
    "uwsgi": Server(UWSGI, hang_up),
    "uwsgi-lazy": Server(UWSGI + "--lazy-apps", hang_up),
    "uwsgi-osafterfork": Server(UWSGI + "--py-call-osafterfork", hang_up),
}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answers(site, server):
    assert server.is_running, server.log
    try:
        return site.get(server) == (200, "Welcome")
    except (OSError, urllib.error.URLError):
        return False


def hosting(site):
    """The node whose process lives; at no time are there two."""
    nodes = [node for node in site.live_nodes() if processes.started(node["pid"]) == node["pid_started"]]
    assert len(nodes) <= 1, nodes
    return nodes[0] if nodes else None


def host_other_than(site, node, within=20):
    """The node that follows; for a moment after a kill the old one may still be seen alive."""

    def other():
        now = hosting(site)
        return now if now and now["id"] != node["id"] else None

    return until(other, within=within, what="another node")
