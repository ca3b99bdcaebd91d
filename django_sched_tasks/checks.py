"""What ``manage.py check`` says about a site's settings. No check touches the database.

========================  ==============================================================
``sched_tasks.E001``      ``USE_TZ`` is off
``sched_tasks.E002``      an unknown key in ``SCHED_TASKS``
``sched_tasks.E003``      a value of ``SCHED_TASKS`` that is not as it must be
``sched_tasks.E004``      the ``BACKEND`` of an executor cannot be imported
``sched_tasks.E005``      ``DEFAULTS`` names no policy, or a value that it cannot have
``sched_tasks.W001``      ``rest_framework`` is not installed as an app
``sched_tasks.W002``      a task module cannot be imported
``sched_tasks.W003``      SQLite gives up on a lock sooner than writers can be expected to finish
``sched_tasks.W004``      the directory of ``LOCK_FILE`` does not exist
``sched_tasks.W005``      ``SCHED_TASKS_AUTO_START`` in the environment is neither 0 nor 1
``sched_tasks.W006``      this is uWSGI, told to run no threads, or green ones
========================  ==============================================================
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import connections
from django.utils import timezone
from django.utils.module_loading import import_string

from django_sched_tasks import conf, database, definitions, registry
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import SchedulerTask

TAG = "sched_tasks"
SQLITE_TIMEOUT = 5.0  # sqlite3's own default, in seconds


@register(TAG)
def check_time_zones(**options: Any) -> list[CheckMessage]:
    if settings.USE_TZ:
        return []
    text = "Fire times are instants, but USE_TZ is off."
    return [Error(text, hint="Set USE_TZ = True in the settings.", id="sched_tasks.E001")]


@register(TAG)
def check_settings(**options: Any) -> list[CheckMessage]:
    known = {conf.SETTING, *conf.KEYS}
    return [
        Error(sentence, hint=hint, id="sched_tasks.E003" if key in known else "sched_tasks.E002")
        for key, sentence, hint in conf.problems()
    ]


@register(TAG)
def check_executors(**options: Any) -> list[CheckMessage]:
    return [error for alias, entry in conf.executors().items() for error in _check_backend(alias, entry["BACKEND"])]


def _check_backend(alias: str, backend: str) -> Iterator[CheckMessage]:
    try:
        import_string(backend)
    except Exception as error:  # whatever the module raises while it is imported
        yield Error(
            f"The executor {alias!r} cannot be imported from {backend!r}: {type(error).__name__}: {error}",
            hint=f"Correct SCHED_TASKS['EXECUTORS'][{alias!r}]['BACKEND'], or install what it needs.",
            id="sched_tasks.E004",
        )


@register(TAG)
def check_defaults(**options: Any) -> list[CheckMessage]:
    given = conf.defaults()
    policies = {name: value for name, value in given.items() if name in definitions.POLICIES}
    return [*map(_unknown_policy, (name for name in given if name not in policies)), *_wrong_policies(policies)]


def _unknown_policy(name: Any) -> CheckMessage:
    nearest = difflib.get_close_matches(str(name), definitions.POLICIES, n=1)
    hint = f"Did you mean {nearest[0]!r}?" if nearest else f"Known are: {', '.join(definitions.POLICIES)}."
    return Error(f"SCHED_TASKS['DEFAULTS'] names {name!r}, which is no policy.", hint=hint, id="sched_tasks.E005")


def _wrong_policies(policies: dict[str, Any]) -> Iterator[CheckMessage]:
    try:
        definitions.clean_changes(SchedulerTask(), policies, now=timezone.now())
    except InvalidDefinition as error:
        for name, texts in error.errors.items():
            text = f"SCHED_TASKS['DEFAULTS'][{name!r}] is {policies[name]!r}."
            yield Error(text, hint=" ".join(texts), id="sched_tasks.E005")


@register(TAG)
def check_rest_framework(**options: Any) -> list[CheckMessage]:
    if apps.is_installed("rest_framework"):
        return []
    return [
        Warning(
            "The API's pages need templates of Django REST framework, which is not installed as an app.",
            hint="Add 'rest_framework' to INSTALLED_APPS.",
            id="sched_tasks.W001",
        )
    ]


@register(TAG)
def check_task_modules(**options: Any) -> list[CheckMessage]:
    registry.autodiscover()
    return [
        Warning(
            f"The task module {module!r} cannot be imported: {error}",
            hint="No function in it can be scheduled before it is mended.",
            id="sched_tasks.W002",
        )
        for module, error in sorted(registry.import_failures().items())
    ]


@register(TAG)
def check_sqlite(**options: Any) -> list[CheckMessage]:
    alias = database.alias()
    using = connections.settings[alias]
    timeout = using["OPTIONS"].get("timeout", SQLITE_TIMEOUT)
    if not using["ENGINE"].endswith("sqlite3") or timeout >= SQLITE_TIMEOUT:
        return []
    return [
        Warning(
            f"The SQLite database {alias!r} gives up on a lock after {timeout} s, while schedulers write to it.",
            hint=f"Set DATABASES[{alias!r}]['OPTIONS']['timeout'] to 20, and 'transaction_mode' to 'IMMEDIATE'.",
            id="sched_tasks.W003",
        )
    ]


@register(TAG)
def check_lock_file(**options: Any) -> list[CheckMessage]:
    lock_file = conf.lock_file()
    if lock_file is None or Path(lock_file).absolute().parent.is_dir():
        return []
    return [
        Warning(
            f"The directory of SCHED_TASKS['LOCK_FILE'], {lock_file!r}, does not exist.",
            hint="Create it, writable for the server's user, or leave LOCK_FILE out.",
            id="sched_tasks.W004",
        )
    ]


@register(TAG)
def check_environment(**options: Any) -> list[CheckMessage]:
    value = os.environ.get(conf.AUTO_START_VARIABLE, "").strip()
    if not value or conf.auto_start_override() is not None:
        return []
    return [
        Warning(
            f"The environment variable {conf.AUTO_START_VARIABLE} is {value!r}, and counts as not set.",
            hint="Set it to 0 or 1, or not at all.",
            id="sched_tasks.W005",
        )
    ]


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
        Warning(
            "uWSGI runs no threads with these options, or green ones, so no scheduler starts in it.",
            hint="Set 'enable-threads = true' without 'gevent', or run 'manage.py runscheduler' beside it.",
            id="sched_tasks.W006",
        )
    ]
