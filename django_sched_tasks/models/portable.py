"""The engine's busiest statements, as every database understands them.

On SQLite and MariaDB they are carried out for every few runs; on PostgreSQL a single statement does most of that, and
these the rest. They are for :mod:`django_sched_tasks.models.transitions` and its neighbours, which keep the rules. They
are said in SQL because on SQLite the ORM takes longer to build such a statement than the database to carry it out. What
is locked is locked in the order of the ids.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from django_sched_tasks.models.execution import TaskExecution
from django_sched_tasks.models.task import SchedulerTask

CHUNK = 500  # ids that one statement names: SQLite takes no more than 999 parameters where it is old


def lock_own(ids: Collection[int], node_id: uuid.UUID | None, *, using: str) -> list[tuple[int, str]]:
    """Those of these executions that the node has, with their states; None is nobody's, as what a worker has."""
    wrapper = connections[using]
    for_update = " FOR UPDATE" if wrapper.features.has_select_for_update else ""
    whose, params = "node_id IS NULL", []
    if node_id is not None:
        whose, params = "node_id = %s", [_prepared(TaskExecution, "node", node_id, wrapper)]
    found: list[tuple[int, str]] = []
    with wrapper.cursor() as cursor:
        for chunk in _chunks(sorted(ids)):
            cursor.execute(
                f"SELECT id, status FROM sys_scheduler_execution WHERE id IN ({_marks(chunk)}) AND {whose} "
                f"ORDER BY id{for_update}",
                [*chunk, *params],
            )
            found += cursor.fetchall()
    return found


def start(ids: Collection[int], now: datetime, *, using: str) -> None:
    """Mark executions that are locked as running."""
    wrapper = connections[using]
    at = _prepared(TaskExecution, "started_at", now, wrapper)
    with wrapper.cursor() as cursor:
        for chunk in _chunks(sorted(ids)):
            cursor.execute(
                f"UPDATE sys_scheduler_execution SET status = 'running', started_at = %s WHERE id IN ({_marks(chunk)})",
                [at, *chunk],
            )


def note_starts(task_ids: Collection[int], times: int, now: datetime, *, using: str) -> None:
    """These tasks have started so many runs each."""
    wrapper = connections[using]
    at = _prepared(SchedulerTask, "last_run", now, wrapper)
    with wrapper.cursor() as cursor:
        for chunk in _chunks(sorted(task_ids)):
            cursor.execute(
                "UPDATE sys_scheduler_task SET last_run = %s, run_count = run_count + %s "
                f"WHERE id IN ({_marks(chunk)})",
                [at, times, *chunk],
            )


def followers(job_ids: Collection[str], *, using: str) -> list[int]:
    """The active tasks that run after one of these."""
    found: list[int] = []
    with connections[using].cursor() as cursor:
        for chunk in _chunks(sorted(job_ids)):
            cursor.execute(
                f"SELECT id FROM sys_scheduler_task WHERE status = 1 AND follows IN ({_marks(chunk)})", chunk
            )
            found += [pk for (pk,) in cursor.fetchall()]
    return sorted(found)


def is_awaited(task_ids: Collection[int], keys: Collection[str], *, using: str) -> bool:
    """Whether something waits for room under the limit of one of these tasks, or of all that share one of the keys."""
    asked: list[tuple[str, Sequence[Any]]] = [("task_id", chunk) for chunk in _chunks(sorted(task_ids))]
    asked += [("task_id IS NOT NULL AND concurrency_key", chunk) for chunk in _chunks(sorted(keys))]
    with connections[using].cursor() as cursor:
        for what, chunk in asked:
            cursor.execute(
                "SELECT 1 FROM sys_scheduler_execution WHERE finished_at IS NULL AND status = 'queued' AND "
                f"claim_rank IS NULL AND reason <> 'coalescing' AND {what} IN ({_marks(chunk)}) LIMIT 1",
                chunk,
            )
            if cursor.fetchone():
                return True
    return False


def _prepared(model: type[models.Model], name: str, value: Any, wrapper: BaseDatabaseWrapper) -> Any:
    field: Any = model._meta.get_field(name)
    return field.get_db_prep_value(value, wrapper)


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start_at in range(0, len(values), CHUNK):
        yield values[start_at : start_at + CHUNK]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))
