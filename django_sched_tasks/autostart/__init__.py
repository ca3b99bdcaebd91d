"""May this process host a scheduler, and if so, when does it start?

``AppConfig.ready()`` asks :func:`on_ready`; ``start_scheduler()`` asks :func:`host_here`. Both only register a wish: no
query, no thread that works and no lock file before the process is known to be a server, and never before a fork.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started

from django_sched_tasks import conf
from django_sched_tasks.autostart import uwsgi
from django_sched_tasks.autostart.host import Host
from django_sched_tasks.autostart.roles import Role, Surroundings
from django_sched_tasks.autostart.surroundings import is_new_worker, look

__all__ = ["current_host", "host_here", "on_ready", "stop_hosting"]

logger = logging.getLogger(__name__)

_guard = threading.Lock()
_host: Host | None = None
_preloading_pid: int | None = None
_hooked = False


def on_ready() -> None:
    """The app is loaded: host a scheduler where this process is a server and the site wants that."""
    if conf.auto_start():
        host_here()


def host_here() -> None:
    """Host a scheduler in the background of this process, or stand by for it, if it is of the kind that may."""
    if conf.auto_start_override() is False:
        return
    surroundings = look()
    acts = _BY_ROLE
    if conf.auto_start_override() is True:
        acts = _BY_ROLE | _BY_ROLE_WHERE_ASKED_FOR
    act = acts.get(surroundings.role)
    if act is not None:
        act(surroundings)


def current_host() -> Host | None:
    """The host of this very process."""
    return _host if _host is not None and _host.pid == os.getpid() else None


def stop_hosting() -> None:
    """Stop what runs here in the background; waits for runs no longer than ``SHUTDOWN_GRACE``."""
    global _host
    host = current_host()
    if host is not None:
        host.stop()
    _host = None


def _start(started_by: str) -> None:
    global _host
    with _guard:
        if current_host() is not None:
            return
        _hook_forks()
        _host = Host(started_by)
        _host.start()


def _start_here(surroundings: Surroundings) -> None:
    _start(surroundings.name)


def _start_in_children(surroundings: Surroundings) -> None:
    """Threads do not survive a fork, so each worker starts its own after it."""
    global _preloading_pid
    if surroundings.name == "uwsgi":
        uwsgi.call_in_workers(lambda: _start("uwsgi"))
        return
    _preloading_pid = os.getpid()
    _hook_forks()


def _start_at_first_request(surroundings: Surroundings) -> None:
    def start(sender: type, **kwargs: object) -> None:
        # Django's test client sends the signal too, in the name of handlers of its own.
        if issubclass(sender, (WSGIHandler, ASGIHandler)):
            request_started.disconnect(dispatch_uid=_FIRST_REQUEST)
            _start(surroundings.name)

    request_started.connect(start, weak=False, dispatch_uid=_FIRST_REQUEST)


def _warn_of_green_threads(surroundings: Surroundings) -> None:
    logger.warning(
        "No scheduler in this process: %s serves on green threads here, which do not go with the scheduler's own. "
        "Run 'manage.py runscheduler' beside the server.",
        surroundings.name,
    )


def _warn_of_no_threads(surroundings: Surroundings) -> None:
    logger.warning(
        "No scheduler in this process: %s runs without threads. Set 'enable-threads = true' for it, or run "
        "'manage.py runscheduler' beside it.",
        surroundings.name,
    )


_FIRST_REQUEST = "sched_tasks_first_request"
_BY_ROLE: dict[Role, Callable[[Surroundings], None]] = {
    Role.SERVER: _start_here,
    Role.PRELOADING: _start_in_children,
    Role.GREEN: _warn_of_green_threads,
    Role.THREADLESS: _warn_of_no_threads,
    Role.UNKNOWN: _start_at_first_request,
}
# Where SCHED_TASKS_AUTO_START=1 asks for one. Servers do as ever: a preloading one must run no threads when it forks.
_BY_ROLE_WHERE_ASKED_FOR: dict[Role, Callable[[Surroundings], None]] = {
    Role.OTHER: _start_here,
    Role.UNKNOWN: _start_here,
}


def _hook_forks() -> None:
    global _hooked
    if not _hooked and hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
        _hooked = True


def _before_fork() -> None:
    if _host is not None:
        _host.before_fork()


def _after_fork() -> None:
    if _host is not None:
        _host.after_fork()


def _in_child() -> None:
    """In every forked child: let go of what the parent hosts; start where the parent is a preloading server."""
    global _host, _guard
    _guard = threading.Lock()
    _after_fork()
    _host = None
    if _preloading_pid is not None and os.getppid() == _preloading_pid and is_new_worker():
        _start("gunicorn")
