"""Tasks that are declared in code by ``@scheduled``, and their rows.

Code says how a task is meant to be, people may say otherwise for their site. What they have changed is told apart by
what the code said last time, kept in ``declared``: a field that still has that value follows the code, one that has
another is theirs and stays. So is a pause.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from django_sched_tasks import database, definitions, registry
from django_sched_tasks.exceptions import InvalidDefinition, SchedTasksError
from django_sched_tasks.models import SchedulerTask, Source, TaskStatus
from django_sched_tasks.operations.commit import task_rows
from django_sched_tasks.operations.tasks import add_task, pause_task, resume_task, update_task

USER = "code"
LEFT_NOTE = "No longer declared in code."  # not translated: the next sync must know it again

Drift = dict[str, dict[str, Any]]


class SyncAction(enum.StrEnum):
    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    LEFT = "left"  # it has left the code, so it is paused and kept
    RETURNED = "returned"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of one declaration: the fields that followed the code, and those that people have changed."""

    job_id: str
    action: SyncAction
    changes: dict[str, Any] = field(default_factory=dict)
    drift: Drift = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Declared:
    """One declaration as the fields of a task; ``error`` says why it cannot be one."""

    job_id: str
    fields: dict[str, Any]
    error: str = ""


def sync_declared(*, dry_run: bool = False) -> list[Synced]:
    """Make the rows of what is declared in code, and bring them up to date; answers what was, or would be, done.

    Each declaration is done by itself: one that is refused does not hold up the others. Rows whose declaration has
    left the code are paused and kept, unless their module could not be imported just now.
    """
    using = database.alias()
    registry.autodiscover()
    wanted = list(_declarations())
    rows = {task.job_id: task for task in SchedulerTask.objects.using(using).filter(source=Source.CODE)}
    results = [_sync(item, rows.get(item.job_id), dry_run=dry_run, using=using) for item in wanted]
    left = rows.keys() - {item.job_id for item in wanted}
    return results + [
        Synced(job_id, SyncAction.LEFT)
        for job_id in sorted(left)
        if _has_left(rows[job_id]) and _leave(rows[job_id], dry_run=dry_run)
    ]


def drift(task: SchedulerTask) -> Drift:
    """The fields in which people have departed from the code: what it says, and what the task has."""
    return {
        name: {"code": value, "task": getattr(task, name)}
        for name, value in (task.declared or {}).items()
        if name in definitions.FIELDS and not definitions.is_same(value, getattr(task, name))
    }


def reset_to_declared(task_id: int, *, user: Any = None) -> SchedulerTask:
    """Give a task the values that its declaration has, in place of what people have changed.

    Raises:
        SchedulerTask.DoesNotExist: there is no such task.
        InvalidDefinition: by field, what of the declaration is not valid any more.
    """
    task = SchedulerTask.objects.using(database.alias()).get(pk=task_id)
    return update_task(task_id, {name: both["code"] for name, both in drift(task).items()}, user=user)


def _declarations() -> Iterator[_Declared]:
    seen: set[str] = set()
    for declaration in registry.declarations():
        options = dict(declaration.options)
        job_id = options.pop("job_id", None) or derived_job_id(declaration.path)
        title = declaration.path.rpartition(":")[2].replace("_", " ").capitalize()
        given = {
            "name": declaration.name or title,
            "func": declaration.path,
            "trigger": declaration.trigger,
            "trigger_args": declaration.trigger_args,
            **options,
        }
        try:
            fields = json.loads(json.dumps(given, allow_nan=False))
        except (TypeError, ValueError) as error:
            yield _Declared(
                job_id, {}, f"@scheduled of {declaration.path} has a value that JSON does not know: {error}"
            )
            continue
        if job_id in seen:
            text = f"@scheduled of {declaration.path} has the job id {job_id!r}, which another declaration has already."
            yield _Declared(job_id, {}, f"{text} Give it a job_id of its own.")
            continue
        seen.add(job_id)
        yield _Declared(job_id, fields)


def derived_job_id(path: str) -> str:
    """The stable job id of a function's declaration that names none."""
    job_id = f"code:{path}"
    longest = SchedulerTask._meta.get_field("job_id").max_length or 64
    if len(job_id) <= longest:
        return job_id
    digest = hashlib.sha256(path.encode()).hexdigest()[:12]
    return f"code:{digest}:{path[-(longest - len(digest) - 6) :]}"


def _sync(item: _Declared, task: SchedulerTask | None, *, dry_run: bool, using: str) -> Synced:
    if item.error:
        return Synced(item.job_id, SyncAction.REFUSED, error=item.error)

    def work() -> Synced:
        if task is None:
            return _add(item, dry_run=dry_run, using=using)
        return _follow(item, task, dry_run=dry_run, using=using)

    try:
        return database.retrying(work, using=using)
    except SchedTasksError as error:
        return Synced(item.job_id, SyncAction.REFUSED, error=str(error))


def _add(item: _Declared, *, dry_run: bool, using: str) -> Synced:
    with transaction.atomic(using=using):
        if SchedulerTask.objects.using(using).filter(job_id=item.job_id).exists():
            text = "There is a task with this job id that was not made by code. Delete it, or give another job_id."
            raise InvalidDefinition({"job_id": text})
        task = add_task(**item.fields, job_id=item.job_id, source=Source.CODE, user=USER)
        task_rows(task.pk, using).update(declared=item.fields)
        if dry_run:
            transaction.set_rollback(True, using=using)
    return Synced(item.job_id, SyncAction.ADDED, changes=item.fields)


def _follow(item: _Declared, task: SchedulerTask, *, dry_run: bool, using: str) -> Synced:
    before = task.declared or {}
    changes = _changes(item.fields, before, task)
    has_returned = task.status == TaskStatus.PAUSED and task.pause_note == LEFT_NOTE
    with transaction.atomic(using=using):
        if changes:
            update_task(task.pk, changes, user=USER)
        if not definitions.is_same(task.declared, item.fields):
            task_rows(task.pk, using).update(declared=item.fields)
        if has_returned:
            resume_task(task.pk, user=USER)
        task.refresh_from_db(using=using)
        apart = drift(task)
        if dry_run:
            transaction.set_rollback(True, using=using)
    action = SyncAction.RETURNED if has_returned else SyncAction.UPDATED if changes else SyncAction.UNCHANGED
    return Synced(item.job_id, action, changes, apart)


def _changes(code: Mapping[str, Any], before: Mapping[str, Any], task: SchedulerTask) -> dict[str, Any]:
    """What follows the code: fields that it says anew, where nobody has changed them since it spoke last."""
    changes = {}
    for name in {*code, *before}:
        now_says = code[name] if name in code else definitions.default(name)
        said, has = before.get(name, getattr(task, name)), getattr(task, name)
        if definitions.is_same(said, has) and not definitions.is_same(now_says, has):
            changes[name] = now_says
    return changes


def _has_left(task: SchedulerTask) -> bool:
    """Whether its declaration is gone, and not only its module unreadable at the moment."""
    module = task.func.partition(":")[0]
    return not any(module == failed or module.startswith(f"{failed}.") for failed in registry.import_failures())


def _leave(task: SchedulerTask, *, dry_run: bool) -> bool:
    """Pause it; False where nothing is to be done."""
    if task.status != TaskStatus.ACTIVE:
        return False
    if not dry_run:
        pause_task(task.pk, note=LEFT_NOTE, user=USER)
    return True
