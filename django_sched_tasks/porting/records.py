"""What every source is read into: a task as it would be here, and what has to be said about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from django_sched_tasks.exceptions import SchedTasksError
from django_sched_tasks.models import SchedulerTask, TaskStatus

# From the name that a function has at the source to its path here; None where no --map names it.
FunctionMap = Callable[[str], str | None]

LONGEST_NAME = SchedulerTask._meta.get_field("name").max_length or 128


class UnreadableSource(SchedTasksError):
    """The source as a whole cannot be read; nothing was imported."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a source.

    Args:
        origin: where it stands there, in words.
        job_id: the same at every import, so that nothing is written twice.
        fields: the fields of a task, without ``job_id``.
        follows_status: an update takes over the status too; not that of a scheduler which is being switched off.
        remarks: what of it is not taken over, or taken over otherwise than one would think.
        refusal: why it cannot become a task.
        left_out: why it is not meant to become one.
        key: by what the source knows it again.
    """

    origin: str
    job_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    status: TaskStatus = TaskStatus.ACTIVE
    pause_note: str = ""
    follows_status: bool = False
    is_declared: bool = False
    remarks: Sequence[str] = ()
    refusal: str = ""
    left_out: str = ""
    key: Any = None

    @property
    def name(self) -> str:
        return str(self.fields.get("name", ""))


class Refused(Exception):
    """A row of a source cannot become a task; the text says why."""


def short_name(name: str, remarks: list[str]) -> str:
    """A name that fits; what was cut off is told."""
    if len(name) <= LONGEST_NAME:
        return name
    remarks.append(_("The name is longer than %(limit)d characters and was cut: %(name)s") % _cut(name))
    return name[: LONGEST_NAME - 1].rstrip() + "…"


def _cut(name: str) -> dict[str, Any]:
    return {"limit": LONGEST_NAME, "name": name}


def iso(moment: datetime) -> str:
    """An instant as a trigger's argument has it, in UTC and whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()
