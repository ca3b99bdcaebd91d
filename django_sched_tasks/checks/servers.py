"""Checks of where schedulers live: the lock between the processes of a host, and servers that run no threads."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, register

from django_sched_tasks import conf
from django_sched_tasks.checks.messages import TAG, warning
from django_sched_tasks.checks.places import network_share


@register(TAG)
def check_lock_file(**options: Any) -> list[CheckMessage]:
    if not conf.auto_start():
        return []  # nobody takes the lock
    given = conf.lock_file()
    file = Path(given or Path(tempfile.gettempdir()) / "lock").absolute()
    name = f"SCHED_TASKS['LOCK_FILE'], {given!r}," if given else "the lock file"
    hint = "Set SCHED_TASKS['LOCK_FILE'] to a file in a directory of this host that the server's user may write to."
    if not file.parent.is_dir():
        return [warning(4, f"The directory of {name} does not exist.", hint)]
    found = []
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        found.append(warning(9, f"This user cannot write {name} so every process hosts a scheduler.", hint))
    if kind := network_share(file.parent):
        text = f"The directory of {name} is a network share ({kind}): only one host would have a scheduler, or each."
        found.append(warning(10, text, hint))
    return found


@register(TAG)
def check_uwsgi(**options: Any) -> list[CheckMessage]:
    """Only seen where the checks run inside uWSGI; any other process cannot know which server the site will have."""
    server: Any = sys.modules.get("uwsgi")
    if server is None or not conf.auto_start():
        return []
    given = {name.decode() if isinstance(name, bytes) else name for name in server.opt}
    if given & {"enable-threads", "threads"} and not given & {"gevent", "asyncio", "ugreen"}:
        return []
    return [
        warning(
            6,
            "uWSGI runs no threads with these options, or green ones, so no scheduler starts in it.",
            "Set 'enable-threads = true' without 'gevent', or run 'manage.py runscheduler' beside it.",
        )
    ]
