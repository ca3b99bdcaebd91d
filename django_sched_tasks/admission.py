"""Letting queued executions through, as many as their limit has room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q

from django_sched_tasks import database
from django_sched_tasks.models import Reason, SchedulerTask, TaskExecution, transitions


class Waiting(NamedTuple):
    """An execution as this room sees it."""

    pk: int
    task_id: int
    concurrency_key: str


def admit(task_ids: Collection[int], *, keys: Collection[str] = (), using: str) -> list[int]:
    """Let the waiting executions of these tasks, and of all that share these keys, be claimed; answers their ids.

    Whoever grants room holds the lock on the rows of all tasks concerned, so two nodes never grant the same room.
    """
    keys = {key for key in keys if key}
    if not _waiting(task_ids, keys, using=using):
        return []
    return database.retrying(lambda: _admit(task_ids, keys, using=using), using=using)


def admit_all(*, using: str) -> list[int]:
    """The same for every task: mends what a crash between an end and its follow-up left behind."""
    rows = TaskExecution.objects.using(using).waiting().exclude(reason=Reason.COALESCING).filter(task__isnull=False)
    waiting = list(rows.order_by().values_list("task_id", "concurrency_key").distinct())
    if not waiting:
        return []
    return admit([task_id for task_id, _ in waiting], keys=[key for _, key in waiting], using=using)


def _waiting(task_ids: Collection[int], keys: Collection[str], *, using: str) -> list[Waiting]:
    concerned = Q(task_id__in=task_ids)
    if keys:
        concerned |= Q(concurrency_key__in=keys, task__isnull=False)
    rows = TaskExecution.objects.using(using).waiting().exclude(reason=Reason.COALESCING).filter(concerned)
    rows = rows.order_by("-priority", "run_at", "pk")
    return [Waiting(*row) for row in rows.values_list("pk", "task_id", "concurrency_key")]


def _admit(task_ids: Collection[int], keys: Collection[str], *, using: str) -> list[int]:
    with transaction.atomic(using=using):
        concerned = Q(pk__in=task_ids)
        if keys:
            concerned |= Q(concurrency_key__in=keys)
        limits = dict(
            SchedulerTask.objects.using(using)
            .filter(concerned)
            .order_by("pk")
            .select_for_update()
            .values_list("pk", "max_instances")
        )
        waiting = [row for row in _waiting(task_ids, keys, using=using) if row.task_id in limits]
        used = _used(waiting, using=using)
        granted = []
        for row in waiting:
            limit, group = limits[row.task_id], _group(row)
            if limit is None or used[group] < limit:
                used[group] += 1
                granted.append(row.pk)
        return transitions.admit(granted, using=using)


def _group(row: Waiting) -> tuple[str, Any]:
    return ("key", row.concurrency_key) if row.concurrency_key else ("task", row.task_id)


def _used(waiting: Collection[Waiting], *, using: str) -> Counter[tuple[str, Any]]:
    """How many executions of each group are open and past the gate."""
    keys = {row.concurrency_key for row in waiting if row.concurrency_key}
    tasks = {row.task_id for row in waiting if not row.concurrency_key}
    rows = TaskExecution.objects.using(using).open().filter(Q(task_id__in=tasks) | Q(concurrency_key__in=keys))
    passed = rows.exclude(status="queued", claim_rank__isnull=True)
    columns = passed.order_by().values_list("pk", "task_id", "concurrency_key")
    return Counter(_group(Waiting(*row)) for row in columns)
