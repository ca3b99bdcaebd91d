"""The one place where an import writes: through the operations, all of it in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from django_sched_tasks import database, definitions, operations, registry, triggers
from django_sched_tasks.exceptions import InvalidDefinition, SchedTasksError
from django_sched_tasks.models import SchedulerTask, Source, TaskStatus
from django_sched_tasks.porting.records import Record
from django_sched_tasks.porting.report import TAKEN_OVER, Action, Report, Row

# Switches rows of the source off, by their keys, and answers how many.
SwitchOff = Callable[[Collection[Any]], int]


@dataclass(frozen=True, slots=True)
class Options:
    """How to import.

    Args:
        update: give tasks that are there already the values of the source; else they are kept as they are.
        dry_run: do it all, then roll it back.
        fields: fields that every record gets, in place of its own.
        user: in whose name.
    """

    update: bool = False
    dry_run: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)
    user: Any = None


def write(
    records: Sequence[Record],
    options: Options,
    *,
    remarks: Sequence[str] = (),
    switch_off: SwitchOff | None = None,
    source_database: str | None = None,
) -> Report:
    """Make tasks of records, each by itself: one that is refused does not hold up the others.

    ``switch_off`` is called with the keys of what has been taken over, in the same transaction; where the rows of the
    source lie in a database of their own, in one around which ours closes.
    """
    using = database.alias()
    databases = dict.fromkeys([using, *([source_database] if source_database else [])])

    def work() -> Report:
        with ExitStack() as stack:
            for name in databases:
                stack.enter_context(transaction.atomic(using=name))
            done = {index: _write(record, options, using) for index, record in _in_order(records)}
            rows = [done[index] for index in range(len(records))]
            keys = [record.key for record, row in zip(records, rows, strict=True) if row.action in TAKEN_OVER]
            switched_off = switch_off(keys) if switch_off is not None else 0
            if options.dry_run:
                for name in databases:
                    transaction.set_rollback(True, using=name)
        return Report(rows, remarks, switched_off, options.dry_run)

    return database.retrying(work, using=using)


def _in_order(records: Sequence[Record]) -> Iterator[tuple[int, Record]]:
    """A task that follows another comes after it; those that follow each other in a ring come last and are refused."""
    waiting = dict(enumerate(records))
    while waiting:
        unwritten = {record.job_id for record in waiting.values()}
        ready = {index: record for index, record in waiting.items() if _followed(record) not in unwritten} or waiting
        yield from ready.items()
        waiting = {index: record for index, record in waiting.items() if index not in ready}


def _followed(record: Record) -> Any:
    args = record.fields.get("trigger_args")
    return args.get("job_id") if record.fields.get("trigger") == "after" and isinstance(args, Mapping) else None


def _write(record: Record, options: Options, using: str) -> Row:
    if record.left_out:
        return _row(record, Action.LEFT_OUT, reasons={"": [record.left_out]})
    if record.refusal:
        return _row(record, Action.REFUSED, reasons={"": [record.refusal]})
    given = {**record.fields, **options.fields}
    stored = SchedulerTask.objects.using(using).filter(job_id=record.job_id).first()
    try:
        with transaction.atomic(using=using):
            if stored is None:
                return _create(record, given, options)
            return _bring_up_to_date(record, given, stored, options, using)
    except InvalidDefinition as error:
        return _row(record, Action.REFUSED, reasons=error.errors)
    except SchedTasksError as error:
        return _row(record, Action.REFUSED, reasons={"": [str(error)]})


def _create(record: Record, given: Mapping[str, Any], options: Options) -> Row:
    if record.status == TaskStatus.FINISHED:
        return _row(record, Action.LEFT_OUT, reasons={"": [_("It has finished, and there is no such task here.")]})
    if record.is_declared:
        text = _("It is declared in code: deploy that, run 'manage.py schedtasks sync', then import again.")
        return _row(record, Action.REFUSED, reasons={"": [text]})
    wrong = {name: [_("This field is required.")] for name in definitions.REQUIRED if name not in given}
    # What the operation takes beside the fields of a task; all other unknown names it refuses itself.
    wrong |= {name: [_("There is no such field.")] for name in ("source", "user", "now") if name in given}
    if wrong:
        raise InvalidDefinition(wrong)
    task = operations.add_task(**{**given, "job_id": record.job_id, "source": Source.IMPORT, "user": options.user})
    if record.status == TaskStatus.PAUSED:
        task = operations.pause_task(task.pk, note=record.pause_note, user=options.user).task
    return _row(record, Action.CREATED, task=task)


def _bring_up_to_date(
    record: Record, given: Mapping[str, Any], stored: SchedulerTask, options: Options, using: str
) -> Row:
    """Update the task; without ``update`` only to see how it differs."""
    task = operations.update_task(stored.pk, given, user=options.user)
    if record.follows_status:
        task = _with_status(record, task, options)
    names = [*given, "status", "pause_note"] if record.follows_status else given
    changes = {name: getattr(task, name) for name in names if not _is_same(stored, task, name)}
    changes = _without_secrets(task, changes)
    if changes and not options.update:
        transaction.set_rollback(True, using=using)
        return _row(record, Action.KEPT, task=stored, changes=changes)
    return _row(record, Action.UPDATED if changes else Action.UNCHANGED, task=task, changes=changes)


def _is_same(one: SchedulerTask, other: SchedulerTask, name: str) -> bool:
    return definitions.is_same(getattr(one, name), getattr(other, name))


def _with_status(record: Record, task: SchedulerTask, options: Options) -> SchedulerTask:
    if record.status == TaskStatus.PAUSED and task.status != TaskStatus.FINISHED:
        return operations.pause_task(task.pk, note=record.pause_note, user=options.user).task
    if record.status == TaskStatus.ACTIVE and task.status == TaskStatus.PAUSED:
        return operations.resume_task(task.pk, user=options.user)
    return task


def _without_secrets(task: SchedulerTask, changes: dict[str, Any]) -> dict[str, Any]:
    args, kwargs = registry.hidden_arguments(task.func, task.args, task.kwargs)
    return {**changes, **{name: value for name, value in (("args", args), ("kwargs", kwargs)) if name in changes}}


def _row(
    record: Record,
    action: Action,
    *,
    task: SchedulerTask | None = None,
    reasons: Mapping[str, Sequence[str]] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Row:
    remarks = list(record.remarks)
    if task is not None and task.status == TaskStatus.PAUSED and record.status == TaskStatus.ACTIVE:
        remarks.append(_("The task is paused here. Once nothing fires it there, nothing fires it."))
    when = "" if task is None else triggers.describe(task.trigger, task.trigger_args, timezone=task.timezone)
    return Row(
        origin=record.origin,
        job_id=record.job_id,
        name=task.name if task is not None else record.name,
        action=action,
        reasons=reasons or {},
        changes=changes or {},
        remarks=remarks,
        when=when,
    )
