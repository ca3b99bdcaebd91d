"""From the name of a Celery task to the path of its function."""

from __future__ import annotations

import sys
from typing import Any

from django.utils.translation import gettext as _

from django_sched_tasks.porting.records import FunctionMap, Refused


class CeleryFunctions:
    """The tasks of the site's Celery app, loaded as its workers load them."""

    def __init__(self, mapped: FunctionMap) -> None:
        self._mapped = mapped
        self._tasks: Any = None

    def path_of(self, name: str) -> str:
        """``module:function`` of a task; Refused where no task of this name is found as a name in its module."""
        path = self._mapped(name)
        if path is not None:
            return path
        task = self._registered().get(name)
        if task is None:
            text = _(
                "No task %(name)r is registered in the Celery app of this process. Define it, or say which function it "
                "is now: --map '%(name)s=package.module:function'."
            )
            raise Refused(text % {"name": name})
        module = type(task).__module__
        found = next((key for key, value in _names_of(module) if _is_task(value, task)), None)
        if found is None:
            text = _("The task %(name)r is not a name in the module %(module)r; say where it is: --map '%(name)s=…'.")
            raise Refused(text % {"name": name, "module": module})
        return f"{module}:{found}"

    def _registered(self) -> Any:
        if self._tasks is None:
            from celery import current_app  # noqa: PLC0415 - whoever has rows of django-celery-beat has Celery

            current_app.loader.import_default_modules()
            current_app.finalize(auto=True)
            self._tasks = current_app.tasks
        return self._tasks


def _names_of(module: str) -> list[tuple[str, Any]]:
    return list(getattr(sys.modules.get(module), "__dict__", {}).items())


def _is_task(value: Any, task: Any) -> bool:
    current = getattr(type(value), "_get_current_object", None)
    if current is None:
        return value is task
    return bool(getattr(value, "name", None) == task.name)  # a proxy of @shared_task
