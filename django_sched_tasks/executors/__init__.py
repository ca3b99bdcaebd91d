"""Where executions run: one class for each way, chosen by alias in ``SCHED_TASKS["EXECUTORS"]``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_sched_tasks import conf
from django_sched_tasks.executors.base import BaseExecutor
from django_sched_tasks.executors.dispatching import DispatchingExecutor
from django_sched_tasks.executors.processes import ProcessExecutor
from django_sched_tasks.executors.threads import ThreadExecutor

if TYPE_CHECKING:
    from django_sched_tasks.executors.celery import CeleryExecutor
    from django_sched_tasks.executors.django_tasks import DjangoTasksExecutor

__all__ = [
    "BaseExecutor",
    "CeleryExecutor",
    "DispatchingExecutor",
    "DjangoTasksExecutor",
    "ProcessExecutor",
    "ThreadExecutor",
    "build",
]

# Those that need more than this package does; they are loaded when they are asked for.
_OPTIONAL = {
    "CeleryExecutor": ("celery", "celery"),
    "DjangoTasksExecutor": ("django_tasks", "tasks"),
}


def __getattr__(name: str) -> Any:
    if name not in _OPTIONAL:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = _OPTIONAL[name]
    try:
        return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        raise ImproperlyConfigured(
            f"{name} needs a package that is not installed ({error.name}): pip install 'django-sched-tasks[{extra}]'."
        ) from error


def build() -> dict[str, BaseExecutor]:
    """The configured executors, not started yet, by alias."""
    return {
        alias: import_string(entry["BACKEND"])(alias, **entry.get("OPTIONS", {}))
        for alias, entry in conf.executors().items()
    }
