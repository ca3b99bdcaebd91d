"""The project's own tasks as a JSON document: what people give, whether a task is paused, and why.

History, counters and the phase of an interval without ``start_date`` belong to the database and stay there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from django_sched_tasks import definitions, registry
from django_sched_tasks.models import SchedulerTask, Source, TaskStatus
from django_sched_tasks.porting.records import Record, UnreadableSource

FORMAT = "django-sched-tasks"
VERSION = 1

_BESIDE = ("status", "pause_note", "source")


def to_document(tasks: Iterable[SchedulerTask], *, with_secrets: bool = False) -> dict[str, Any]:
    """The tasks; secrets among their arguments are ``*****`` unless they are asked for."""
    exported = [_exported(task, with_secrets=with_secrets) for task in tasks]
    return {"format": FORMAT, "version": VERSION, "tasks": exported}


def _exported(task: SchedulerTask, *, with_secrets: bool) -> dict[str, Any]:
    given = {name: getattr(task, name) for name in definitions.FIELDS}
    if not with_secrets:
        given["args"], given["kwargs"] = registry.hidden_arguments(task.func, task.args, task.kwargs)
    status = TaskStatus(task.status).name.lower()
    return {"job_id": task.job_id, **given, "status": status, "pause_note": task.pause_note, "source": task.source}


def read_document(text: str) -> list[Record]:
    """The records of a document; UnreadableSource where it is none."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UnreadableSource(_("This is not JSON: %s") % error) from error
    if (
        not isinstance(document, dict)
        or document.get("format") != FORMAT
        or not isinstance(document.get("tasks"), list)
    ):
        text = _('This is not an export of tasks: it has no "format": "%(format)s" with a list of "tasks".')
        raise UnreadableSource(text % {"format": FORMAT})
    if document.get("version") != VERSION:
        text = _(
            "The document has version %(given)r, this release reads %(known)d. Import it with the one that wrote it."
        )
        raise UnreadableSource(text % {"given": document.get("version"), "known": VERSION})
    return list(_records(document["tasks"]))


def _records(tasks: list[Any]) -> Iterator[Record]:
    seen: set[str] = set()
    for number, given in enumerate(tasks, start=1):
        origin = _("task %d") % number
        job_id = given.get("job_id") if isinstance(given, Mapping) else None
        if not isinstance(job_id, str) or not job_id:
            text = _("It has no job_id, by which the next import would know it again. Give it one.")
            yield Record(origin, "", refusal=text)
        elif job_id in seen:
            yield Record(origin, job_id, refusal=_("The job id stands in this document twice."))
        else:
            seen.add(job_id)
            yield _record(origin, job_id, given)


def _record(origin: str, job_id: str, given: Mapping[str, Any]) -> Record:
    words = {status.name.lower(): status for status in TaskStatus}
    status, note = given.get("status", "active"), given.get("pause_note", "")
    fields = {name: value for name, value in given.items() if name not in (*_BESIDE, "job_id")}
    if not isinstance(status, str) or status not in words or not isinstance(note, str):
        text = _("status is %(given)r and pause_note %(note)r; give one of %(words)s, and text.")
        refusal = text % {"given": status, "note": note, "words": ", ".join(words)}
        return Record(origin, job_id, fields, refusal=refusal)
    return Record(
        origin,
        job_id,
        fields,
        status=words[status],
        pause_note=note,
        follows_status=True,
        is_declared=given.get("source") == Source.CODE,
    )
