"""For Celery's ``app.autodiscover_tasks()``, which loads this module of every app: here is the task that runs ours."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("celery") is not None:
    from django_sched_tasks.executors.celery import run

    __all__ = ["run"]
