"""uWSGI: its workers are forked in C, so Python's own fork hooks are silent there unless it is told to call them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django_sched_tasks.autostart.roles import Role


def role() -> Role:
    """What this uWSGI process is; only asked where the server's own module exists."""
    server: Any = sys.modules["uwsgi"]
    options = {_text(name) for name in server.opt}
    if options & {"gevent", "asyncio", "ugreen"}:
        return Role.GREEN
    if not options & {"enable-threads", "threads"}:
        return Role.THREADLESS
    # Loaded in the worker (lazy-apps), or by the master for the workers that it is about to fork.
    return Role.SERVER if server.worker_id() else Role.PRELOADING


def call_in_workers(start: Callable[[], None]) -> None:
    """Have ``start`` called in each worker after its fork, beside whatever else is hooked there."""
    server: Any = sys.modules["uwsgi"]
    earlier = getattr(server, "post_fork_hook", None)

    def hook() -> None:
        if earlier is not None:
            earlier()
        if server.worker_id():  # not in mules and spoolers
            start()

    server.post_fork_hook = hook


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
