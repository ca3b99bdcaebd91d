"""Checks of what may be scheduled: the modules that hold it, and the rows that name it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError

from django_sched_tasks import database, registry
from django_sched_tasks.checks.messages import TAG, warning
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import SchedulerTask, TaskStatus

MOST_TOLD = 20


@register(TAG)
def check_task_modules(**options: Any) -> list[CheckMessage]:
    registry.autodiscover()
    hint = "No function in it can be scheduled before it is mended."
    failures = sorted(registry.import_failures().items())
    return [
        warning(2, f"The task module {module!r} cannot be imported: {problem}", hint) for module, problem in failures
    ]


@register(Tags.database)
def check_functions(databases: Collection[str] | None = None, **options: Any) -> list[CheckMessage]:
    """Rows are only asked where the command was told to: ``check --database default``, and ``migrate``."""
    using = database.alias()
    if not databases or using not in databases:
        return []
    try:
        tasks = SchedulerTask.objects.using(using).filter(status=TaskStatus.ACTIVE)
        paths = list(tasks.order_by("func").values_list("func", flat=True).distinct())
    except DatabaseError:  # before the first migration there is nothing to ask
        return []
    gone = [(path, problem) for path in paths if (problem := _problem(path))]
    hint = "Bring the function back, or pause, edit or delete its tasks; until then their runs fail as unresolved."
    return [
        warning(11, f"Active tasks name the function {path!r}: {problem}", hint) for path, problem in gone[:MOST_TOLD]
    ]


def _problem(path: str) -> str:
    try:
        registry.check(path)
    except InvalidDefinition as refusal:
        return " ".join(text for texts in refusal.errors.values() for text in texts)
    return ""
