"""Where executions run: one class for each way, chosen by alias in ``SCHED_TASKS["EXECUTORS"]``."""

from __future__ import annotations

from django.utils.module_loading import import_string

from django_sched_tasks import conf
from django_sched_tasks.executors.base import BaseExecutor
from django_sched_tasks.executors.threads import ThreadExecutor

__all__ = ["BaseExecutor", "ThreadExecutor", "build"]


def build() -> dict[str, BaseExecutor]:
    """The configured executors, not started yet, by alias."""
    return {
        alias: import_string(entry["BACKEND"])(alias, **entry.get("OPTIONS", {}))
        for alias, entry in conf.executors().items()
    }
