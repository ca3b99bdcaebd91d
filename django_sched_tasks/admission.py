"""Letting queued executions through, as many as their limit has room for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.db.models import Count, Q

from django_sched_tasks import database
from django_sched_tasks.models import Reason, SchedulerTask, TaskExecution, portable, postgresql, transitions

WINDOW = 1_000  # executions that are read and let in at a time: a backfill may queue many more


class Group(NamedTuple):
    """What shares a limit: the executions of one task, or those of one concurrency key."""

    key: str
    task_id: int | None

    @staticmethod
    def of(task_id: int, key: str) -> Group:
        return Group(key, None) if key else Group("", task_id)

    @property
    def condition(self) -> Q:
        return (
            Q(concurrency_key=self.key, task__isnull=False) if self.key else Q(task_id=self.task_id, concurrency_key="")
        )


def admit(task_ids: Collection[int], *, keys: Collection[str] = (), using: str) -> list[int]:
    """Let the waiting executions of these tasks, and of all that share these keys, be claimed; answers their ids.

    Whoever grants room holds the lock on the rows of all tasks concerned, so two nodes never grant the same room.
    """
    keys = {key for key in keys if key}
    if not _is_awaited(task_ids, keys, using=using):
        return []
    return database.retrying(lambda: _admit(task_ids, keys, using=using), using=using)


def admit_all(*, using: str) -> list[int]:
    """The same for every task: mends what a crash between an end and its follow-up left behind."""
    rows = TaskExecution.objects.using(using).waiting().exclude(reason=Reason.COALESCING).filter(task__isnull=False)
    waiting = list(rows.order_by().values_list("task_id", "concurrency_key").distinct())
    if not waiting:
        return []
    return admit([task_id for task_id, _ in waiting], keys=[key for _, key in waiting], using=using)


def _waiting(condition: Q, *, using: str) -> Any:
    return TaskExecution.objects.using(using).waiting().exclude(reason=Reason.COALESCING).filter(condition)


def _is_awaited(task_ids: Collection[int], keys: Collection[str], *, using: str) -> bool:
    """Asked after every group of runs that have ended; mostly nobody waits."""
    if connections[using].vendor == "postgresql":
        return postgresql.is_awaited(task_ids, keys, using=using)
    return portable.is_awaited(task_ids, keys, using=using)


def _groups(task_ids: Collection[int], keys: Collection[str], *, using: str) -> set[Group]:
    """The groups concerned in which something waits."""
    concerned = Q(task_id__in=task_ids)
    if keys:
        concerned |= Q(concurrency_key__in=keys, task__isnull=False)
    rows = _waiting(concerned, using=using).order_by().values_list("task_id", "concurrency_key").distinct()
    return {Group.of(task_id, key) for task_id, key in rows}


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
        groups = _groups(task_ids, keys, using=using)
        used = _used(groups, using=using)
        granted: list[int] = []
        for group in sorted(groups):
            for ids in _grants(group, limits, used.get(group, 0), using=using):
                granted += transitions.admit(ids, using=using)
        return granted


def _grants(group: Group, limits: Mapping[int, int | None], used: int, *, using: str) -> Iterator[list[int]]:
    """The executions of a group that there is room for, first come first, a window at a time.

    Tasks that share a key have limits of their own for what is used by all.
    """
    while True:
        roomy = [task_id for task_id, limit in limits.items() if limit is None or used < limit]
        rows = _waiting(group.condition & Q(task_id__in=roomy), using=using).order_by("-priority", "run_at", "pk")
        ids = []
        for pk, task_id in rows.values_list("pk", "task_id")[:WINDOW]:
            limit = limits[task_id]
            if limit is None or used < limit:
                used += 1
                ids.append(pk)
        if not ids:
            return
        yield ids


def _used(groups: Collection[Group], *, using: str) -> dict[Group, int]:
    """How many executions of each group are open and past the gate."""
    keys = {group.key for group in groups if group.key}
    tasks = {group.task_id for group in groups if not group.key}
    rows = TaskExecution.objects.using(using).open().filter(Q(task_id__in=tasks) | Q(concurrency_key__in=keys))
    passed = rows.exclude(status="queued", claim_rank__isnull=True).order_by()
    used: dict[Group, int] = {}
    for task_id, key, count in passed.values_list("task_id", "concurrency_key").annotate(Count("pk")):
        group = Group.of(task_id, key)
        used[group] = used.get(group, 0) + count
    return used
