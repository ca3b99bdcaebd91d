"""Which instants are excluded for a task, by its own list and the site's: for those who show or follow, not plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django_sched_tasks import exclusions, triggers
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.exclusions import Exclusions
from django_sched_tasks.models import SchedulerState, SchedulerTask
from django_sched_tasks.triggers.zones import zone_named


def exclusions_of(task: SchedulerTask, *, using: str) -> Exclusions:
    """What is excluded for a task; what cannot be read excludes nothing, and is told elsewhere."""
    return exclusions_for(
        task.trigger, task.trigger_args, timezone=task.timezone, own=task.exclusions, site=site_exclusions(using=using)
    )


def exclusions_for(
    trigger: str, trigger_args: Mapping[str, Any], *, timezone: str, own: object, site: object
) -> Exclusions:
    """The same for a definition; read on the clocks on which its trigger is read."""
    try:
        default = zone_named(timezone, field="timezone")
        zone = triggers.build(trigger, trigger_args, timezone=timezone).read_in(default)
    except InvalidDefinition:
        zone = zone_named("", field="timezone")
    readable: list[exclusions.Exclusion] = []
    for value in (own, site):
        try:
            readable += exclusions.read(value)
        except InvalidDefinition:
            continue
    return Exclusions(readable, zone)


def site_exclusions(*, using: str) -> Any:
    """The list that holds for all tasks, as it is stored."""
    return SchedulerState.objects.using(using).values_list("exclusions", flat=True).first() or []


def notes_of(excluded: Exclusions, times: Iterable[datetime]) -> dict[datetime, str]:
    """Of these times those that are excluded, each with its note."""
    if not excluded:
        return {}
    return {time: note for time in times if (note := excluded.note(time)) is not None}
