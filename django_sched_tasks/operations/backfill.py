"""Running a task for fire times of the past: after it was added late, was broken, or paused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_sched_tasks import database, definitions, hooks, signals, triggers
from django_sched_tasks.exceptions import InvalidDefinition, InvalidTrigger, StateConflict
from django_sched_tasks.models import Kind, SchedulerTask, TaskExecution
from django_sched_tasks.models.execution import FAILURE_STATUSES, NEVER_RAN
from django_sched_tasks.operations.commit import (
    after_commit,
    let_others_in,
    locked,
    task_rows,
    tell_request,
    transact,
    who,
)
from django_sched_tasks.operations.executions import new_request

BACKFILL_LIMIT = 1_000
MOST_BACKFILLED = 100_000
MICROSECOND = timedelta(microseconds=1)
_BATCH = 1_000  # rows of one INSERT


class Reprocess(models.TextChoices):
    """Which fire times of the range run again."""

    NONE = "none", gettext_lazy("Those that have not run")
    FAILED = "failed", gettext_lazy("Those that have not run, or have failed")
    ALL = "all", gettext_lazy("All")


@dataclass(frozen=True, slots=True)
class BackfillResult:
    """What :func:`backfill` has queued, or in a dry run would queue.

    ``request`` is what the executions of it have in common; "" in a dry run. ``left_out`` fire times have run already.
    """

    request: str
    fire_times: list[datetime]
    left_out: int


def backfill(
    task_id: int,
    start: datetime,
    end: datetime,
    *,
    reprocess: str = Reprocess.NONE,
    limit: int = BACKFILL_LIMIT,
    dry_run: bool = False,
    idempotency_key: str = "",
    user: Any = None,
    now: datetime | None = None,
) -> BackfillResult:
    """Queue a run for each fire time from ``start`` to ``end`` (aware, both included) under the task's present trigger.

    They wait behind all scheduled and manual runs, take at most half of a node's slots, and count against the task's
    limits as every execution does. ``limit`` (at most 100,000) guards against a slip in the range: where more fire
    times than that are due, nothing is queued. The same ``idempotency_key`` for the same task queues nothing twice.

    Raises:
        SchedulerTask.DoesNotExist: there is no such task.
        InvalidDefinition: the range is empty or not past, or has more fire times than ``limit``.
        StateConflict: the trigger of the task is not valid, or the key was used for another range.
    """
    using = database.alias()
    key = definitions.clean_idempotency_key(idempotency_key)

    def work() -> tuple[BackfillResult, list[TaskExecution]]:
        instant = now or database.now(using)
        _check(start, end, reprocess, limit, instant)
        task = locked(task_id, using)
        if key and (earlier := _queued_before(task, key, start, end, using)):
            return BackfillResult(key, earlier, 0), []
        due = _fire_times(task, start, end, limit)
        wanted = due if reprocess == Reprocess.ALL else _not_run(task, due, reprocess, using)
        left_out = len(due) - len(wanted)
        if dry_run:
            return BackfillResult("", wanted, left_out), []
        request, headers = key or uuid.uuid4().hex, hooks.gather()
        rows = [
            new_request(task, Kind.BACKFILL, request, instant, fire_at=fire_at, requested_by=who(user), headers=headers)
            for fire_at in wanted
        ]
        _queue_all(task, rows, using)
        return BackfillResult(request, wanted, left_out), rows

    result, rows = transact(work, using)
    if rows:
        let_others_in(task_id, rows[0].concurrency_key, using)
        queued = TaskExecution.objects.using(using).filter(task_id=task_id, request=result.request)
        if signals.execution_queued.receivers:
            for execution in queued:
                after_commit(using, signals.execution_queued, execution=execution)
        if signals.execution_requested.receivers:
            tell_request(using, queued.order_by("fire_at", "pk")[0], "backfill", user, count=len(rows))
    return result


def _check(start: datetime, end: datetime, reprocess: str, limit: int, now: datetime) -> None:
    errors: dict[str, list[str]] = {}
    if start > end:
        errors["start"] = [_("It is after the end. Give the earlier instant as start, the later one as end.")]
    if end > now:
        errors["end"] = [_("It lies in the future: fire times to come run by themselves. Give an end up to now.")]
    if reprocess not in Reprocess.values:
        known = ", ".join(Reprocess.values)
        errors["reprocess"] = [
            _("%(given)s is not known here. Allowed: %(words)s.") % {"given": reprocess, "words": known}
        ]
    if not 1 <= limit <= MOST_BACKFILLED:
        text = _("%(given)s was given; it must be a whole number from 1 to %(most)d.")
        errors["limit"] = [text % {"given": limit, "most": MOST_BACKFILLED}]
    if errors:
        raise InvalidDefinition(errors)


def _fire_times(task: SchedulerTask, start: datetime, end: datetime, limit: int) -> list[datetime]:
    try:
        trigger = triggers.build(
            task.trigger, task.trigger_args, timezone=task.timezone or settings.TIME_ZONE, anchor=task.anchor
        )
    except InvalidTrigger as error:
        raise StateConflict(_("The trigger of the task is not valid, correct it first: %s") % error) from error
    found: list[datetime] = []
    following = trigger.next_after(start - MICROSECOND)
    while following is not None and following <= end:
        if len(found) == limit:
            text = _(
                "More than %(limit)d fire times lie between start and end. Narrow the range, or give a higher limit."
            )
            raise InvalidDefinition({"limit": text % {"limit": limit}})
        found.append(following)
        following = trigger.next_after(following)
    return found


def _not_run(task: SchedulerTask, due: Sequence[datetime], reprocess: str, using: str) -> list[datetime]:
    """Without the fire times that an execution already stands for, as it is or was run."""
    if not due:
        return []
    rows = TaskExecution.objects.using(using).filter(task=task, fire_at__gte=due[0], fire_at__lte=due[-1])
    rows = rows.filter(kind__in=(Kind.SCHEDULE, Kind.BACKFILL)).exclude(status__in=NEVER_RAN)
    if reprocess == Reprocess.FAILED:
        rows = rows.exclude(status__in=FAILURE_STATUSES)
    done = set(rows.values_list("fire_at", flat=True))
    return [fire_at for fire_at in due if fire_at not in done]


def _queued_before(task: SchedulerTask, key: str, start: datetime, end: datetime, using: str) -> list[datetime]:
    rows = TaskExecution.objects.using(using).filter(task=task, kind=Kind.BACKFILL, request=key, attempt=1)
    # MariaDB's usual collations take "abc", "ABC" and "abc " for the same.
    earlier = sorted(fire_at for fire_at, request in rows.values_list("fire_at", "request") if request == key)
    if earlier and not start <= earlier[0] <= earlier[-1] <= end:
        raise StateConflict(_("This Idempotency-Key was used for this task with another range. Use a new key."))
    return earlier


def _queue_all(task: SchedulerTask, rows: Sequence[TaskExecution], using: str) -> None:
    """Save them; under a limit of the task they wait, and are let in one after another."""
    task_rows(task.pk, using).update(version=F("version") + 1)  # a planner that has counted before counts anew
    if task.max_instances is None and not task.concurrency_key:
        for row in rows:
            row.claim_rank = row.rank
    for batch in _batches(rows):
        TaskExecution.objects.using(using).bulk_create(batch)


def _batches(rows: Sequence[TaskExecution]) -> Iterator[Sequence[TaskExecution]]:
    for begin in range(0, len(rows), _BATCH):
        yield rows[begin : begin + _BATCH]
