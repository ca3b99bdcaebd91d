"""A trigger in words and its next fire times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django_sched_tasks import triggers
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
) -> dict[str, Any]:
    """A stored trigger that other hands have broken has no fire times, and its description says why."""
    try:
        times = triggers.preview(trigger, trigger_args, timezone=timezone, after=after, count=count, anchor=anchor)
    except InvalidTrigger:
        times = []
    description = triggers.describe(trigger, trigger_args, timezone=timezone)
    return {"description": description, "fire_times": [utc_text(time) for time in times]}
