"""A trigger in words and its next fire times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django_sched_tasks import database, operations, triggers
from django_sched_tasks.api.rows import utc_text
from django_sched_tasks.exceptions import InvalidTrigger


def fire_times(
    trigger: str,
    trigger_args: Mapping[str, Any],
    timezone: str,
    *,
    after: datetime,
    count: int,
    anchor: datetime | None = None,
    own_exclusions: object = (),
) -> dict[str, Any]:
    """A stored trigger that other hands have broken has no fire times, and its description says why.

    Of the fire times those that are excluded, and will be skipped, are told once more, with their notes.
    """
    try:
        times = triggers.preview(trigger, trigger_args, timezone=timezone, after=after, count=count, anchor=anchor)
    except InvalidTrigger:
        times = []
    description = triggers.describe(trigger, trigger_args, timezone=timezone)
    site = operations.site_exclusions(using=database.alias())
    excluded = operations.exclusions_for(trigger, trigger_args, timezone=timezone, own=own_exclusions, site=site)
    notes = operations.notes_of(excluded, times)
    return {
        "description": description,
        "fire_times": [utc_text(time) for time in times],
        "excluded": [{"fire_time": utc_text(time), "note": note} for time, note in notes.items()],
    }
