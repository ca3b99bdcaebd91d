"""Checks of the settings: what Django's and this app's own must be."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, register
from django.utils import timezone
from django.utils.module_loading import import_string

from django_sched_tasks import conf, definitions
from django_sched_tasks.checks.messages import TAG, error, warning
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import SchedulerTask


@register(TAG)
def check_time_zones(**options: Any) -> list[CheckMessage]:
    if settings.USE_TZ:
        return []
    return [error(1, "Fire times are instants, but USE_TZ is off.", "Set USE_TZ = True in the settings.")]


@register(TAG)
def check_settings(**options: Any) -> list[CheckMessage]:
    known = {conf.SETTING, *conf.KEYS}
    return [error(3 if key in known else 2, sentence, hint) for key, sentence, hint in conf.problems()]


@register(TAG)
def check_executors(**options: Any) -> list[CheckMessage]:
    return [found for alias, entry in conf.executors().items() for found in _check_backend(alias, entry["BACKEND"])]


def _check_backend(alias: str, backend: str) -> Iterator[CheckMessage]:
    try:
        import_string(backend)
    except Exception as problem:  # whatever the module raises while it is imported
        text = f"The executor {alias!r} cannot be imported from {backend!r}: {type(problem).__name__}: {problem}"
        yield error(4, text, f"Correct SCHED_TASKS['EXECUTORS'][{alias!r}]['BACKEND'], or install what it needs.")


@register(TAG)
def check_defaults(**options: Any) -> list[CheckMessage]:
    given = conf.defaults()
    policies = {name: value for name, value in given.items() if name in definitions.POLICIES}
    return [*map(_unknown_policy, (name for name in given if name not in policies)), *_wrong_policies(policies)]


def _unknown_policy(name: Any) -> CheckMessage:
    nearest = difflib.get_close_matches(str(name), definitions.POLICIES, n=1)
    hint = f"Did you mean {nearest[0]!r}?" if nearest else f"Known are: {', '.join(definitions.POLICIES)}."
    return error(5, f"SCHED_TASKS['DEFAULTS'] names {name!r}, which is no policy.", hint)


def _wrong_policies(policies: dict[str, Any]) -> Iterator[CheckMessage]:
    try:
        definitions.clean_changes(SchedulerTask(), policies, now=timezone.now())
    except InvalidDefinition as problem:
        for name, texts in problem.errors.items():
            if name in policies:  # not the function, against which some are checked and which defaults do not have
                yield error(5, f"SCHED_TASKS['DEFAULTS'][{name!r}] is {policies[name]!r}.", " ".join(texts))


@register(TAG)
def check_rest_framework(**options: Any) -> list[CheckMessage]:
    if apps.is_installed("rest_framework"):
        return []
    text = "The API's pages need templates of Django REST framework, which is not installed as an app."
    return [warning(1, text, "Add 'rest_framework' to INSTALLED_APPS.")]


@register(TAG)
def check_environment(**options: Any) -> list[CheckMessage]:
    value = os.environ.get(conf.AUTO_START_VARIABLE, "").strip()
    if not value or conf.auto_start_override() is not None:
        return []
    text = f"The environment variable {conf.AUTO_START_VARIABLE} is {value!r}, and counts as not set."
    return [warning(5, text, "Set it to 0 or 1, or not at all.")]
