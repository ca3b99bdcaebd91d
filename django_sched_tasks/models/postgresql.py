"""The engine's busiest changes of state on PostgreSQL, each in one statement; other databases take several.

They keep the same guards as the portable ones in :mod:`django_sched_tasks.models.transitions`, which are their only
callers. Two things hold for all of them:

- A row that another transaction has changed meanwhile is judged as it is now: PostgreSQL asks WHERE again on the
  newest version before it updates.
- Rows are named by ``id = ANY(…)`` with a literal list, even where a join names them too: so the planner knows how many
  there are, and takes the primary key for them however old its statistics are.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from django.db import models

from django_sched_tasks import database
from django_sched_tasks.models.execution import BACKFILL_RANK, TaskExecution

if TYPE_CHECKING:
    from django_sched_tasks.models.transitions import Claim, Outcome

# Queued → claimed. Backfills come last in order, so what they may take is what the others have left.
CLAIM = """
WITH due AS (
    SELECT id, claim_rank FROM sys_scheduler_execution
    WHERE claim_rank < {backfill_from} AND kind <> 'backfill' AND run_at <= %(now)s
        AND executor = %(executor)s{narrower}
    ORDER BY claim_rank, run_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), behind AS (
    SELECT id, claim_rank FROM sys_scheduler_execution
    WHERE claim_rank IS NOT NULL AND kind = 'backfill' AND run_at <= %(now)s
        AND executor = %(executor)s{narrower}
    ORDER BY claim_rank, run_at, id LIMIT LEAST(%(backfill)s, %(limit)s - (SELECT count(*) FROM due))
    FOR UPDATE SKIP LOCKED
), chosen(chosen_id, rank) AS (
    SELECT * FROM due UNION ALL SELECT * FROM behind
), taken AS (
    UPDATE sys_scheduler_execution SET status = 'claimed', reason = '', node_id = %(node)s, claim_rank = NULL
    FROM chosen WHERE id = ANY(ARRAY(SELECT chosen_id FROM chosen)) AND id = chosen_id AND status = 'queued'
    RETURNING rank, {columns}
)
SELECT {columns} FROM taken ORDER BY rank, run_at, id
"""
BACKFILL_FROM = BACKFILL_RANK // 2  # between the ranks of backfills and all others: there the search for those ends

# Running → how it ended, claimed → running, and what the tasks note of their starts.
RECORD = """
WITH told AS (
    SELECT * FROM json_to_recordset(%(outcomes)s::json) AS told(
        id bigint, node uuid, job_id text, status text, reason text, result text, error text, traceback text,
        output text, progress text, duration double precision, finished_at timestamptz)
), wanted AS (
    SELECT * FROM json_to_recordset(%(starts)s::json) AS wanted(id bigint, node uuid)
), followed AS (
    SELECT 1 FROM sys_scheduler_task
    WHERE %(unless_followed)s AND status = 1 AND follows <> '' AND follows = ANY(ARRAY(SELECT job_id FROM told))
    LIMIT 1
), finished AS (
    UPDATE sys_scheduler_execution AS run SET
        status = told.status, reason = CASE run.status WHEN 'lost' THEN 'late' ELSE told.reason END,
        result = told.result::jsonb, error = told.error, traceback = told.traceback, duration = told.duration,
        finished_at = told.finished_at, output = COALESCE(NULLIF(told.output, ''), run.output),
        progress = COALESCE(told.progress::jsonb, run.progress)
    FROM told
    WHERE run.id = ANY(%(ended_ids)s::bigint[]) AND run.id = told.id
        AND run.node_id IS NOT DISTINCT FROM told.node
        AND run.status IN ('dispatched', 'running', 'lost') AND NOT EXISTS (SELECT FROM followed)
    RETURNING run.id, run.node_id, run.reason
), started AS (
    UPDATE sys_scheduler_execution AS run SET status = 'running', started_at = %(now)s
    FROM wanted
    WHERE run.id = ANY(%(start_ids)s::bigint[]) AND run.id = wanted.id
        AND run.node_id IS NOT DISTINCT FROM wanted.node
        AND run.status IN ('claimed', 'running') AND NOT EXISTS (SELECT FROM followed)
    RETURNING run.id, run.node_id, run.task_id
), noted AS (
    UPDATE sys_scheduler_task AS task SET last_run = %(now)s, run_count = task.run_count + begun.times
    FROM (SELECT task_id, count(*) AS times FROM started GROUP BY task_id ORDER BY task_id) AS begun
    WHERE task.id = ANY(%(task_ids)s::bigint[]) AND task.id = begun.task_id
)
SELECT 'finished', id, node_id, reason FROM finished
UNION ALL SELECT 'started', id, node_id, '' FROM started
UNION ALL SELECT 'followed', 0, NULL, '' FROM followed
"""

# Whether a queued execution of these tasks, or under one of these keys, waits for room.
IS_AWAITED = """
SELECT EXISTS (
    SELECT FROM sys_scheduler_execution
    WHERE finished_at IS NULL AND task_id = ANY(%(task_ids)s::bigint[]) AND status = 'queued'
        AND claim_rank IS NULL AND reason <> 'coalescing'
) OR (%(keys)s::text[] <> '{}' AND EXISTS (
    SELECT FROM sys_scheduler_execution
    WHERE finished_at IS NULL AND task_id IS NOT NULL AND concurrency_key = ANY(%(keys)s::text[])
        AND status = 'queued' AND claim_rank IS NULL AND reason <> 'coalescing'
))
"""


def claim(
    node_id: uuid.UUID,
    now: datetime,
    limit: int,
    *,
    using: str,
    executor: str,
    queues: Collection[str] | None,
    without_funcs: Collection[str],
    backfill: int | None,
    fields: Sequence[str],
) -> list[list[Any]]:
    """The rows that the node has now, as values of ``fields``; at most ``backfill`` of them backfills."""
    narrower = ""
    params: dict[str, Any] = {"node": node_id, "now": now, "limit": limit, "executor": executor}
    params["backfill"] = limit if backfill is None else backfill
    if queues is not None:
        narrower, params["queues"] = " AND queue = ANY(%(queues)s)", list(queues)
    if without_funcs:
        narrower, params["funcs"] = f"{narrower} AND NOT func = ANY(%(funcs)s)", list(without_funcs)
    columns, documents = _columns(tuple(fields))
    with database.busy_cursor(using) as cursor:
        cursor.execute(CLAIM.format(backfill_from=BACKFILL_FROM, narrower=narrower, columns=columns), params)
        rows = [list(row) for row in cursor.fetchall()]
    for row in rows:
        for index in documents:
            if row[index] is not None:
                row[index] = json.loads(row[index])
    return rows


@cache
def _columns(fields: tuple[str, ...]) -> tuple[str, list[int]]:
    """Their columns, and which of them are JSON, which Django has the driver leave as text."""
    by_name = {field.attname: field for field in TaskExecution._meta.concrete_fields}
    documents = [index for index, name in enumerate(fields) if isinstance(by_name[name], models.JSONField)]
    return ", ".join(str(by_name[name].column) for name in fields), documents


def record(
    outcomes: Sequence[Outcome], starts: Sequence[Claim], now: datetime, *, using: str, unless_followed: bool
) -> list[tuple[str, int, uuid.UUID | None, str]]:
    """What has become of each, as ("finished" or "started", execution, node, reason).

    With ``unless_followed`` nothing at all is done where a task runs after one of those that ended; the answer then is
    "followed".
    """
    params: dict[str, Any] = {
        "outcomes": json.dumps([_told(outcome) for outcome in outcomes]),
        "starts": json.dumps([{"id": claim.id, "node": _text(claim.node_id)} for claim in starts]),
        "unless_followed": unless_followed,
        "ended_ids": _array(outcome.execution_id for outcome in outcomes),
        "start_ids": _array(claim.id for claim in starts),
        "task_ids": _array({claim.task_id for claim in starts if claim.task_id is not None}),
        "now": now,
    }
    with database.busy_cursor(using) as cursor:
        cursor.execute(RECORD, params)
        rows: list[Any] = cursor.fetchall()
    return rows


def is_awaited(task_ids: Collection[int], keys: Collection[str], *, using: str) -> bool:
    """Whether something waits for room under the limit of one of these tasks, or of all that share one of the keys."""
    with database.busy_cursor(using) as cursor:
        cursor.execute(IS_AWAITED, {"task_ids": _array(task_ids), "keys": sorted(keys)})
        (answer,) = cursor.fetchone()
    return bool(answer)


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": outcome.execution_id,
        "node": _text(outcome.node_id),
        "job_id": outcome.job_id,
        "status": outcome.status,
        "reason": outcome.reason,
        "result": None if outcome.result is None else json.dumps(outcome.result),
        "error": outcome.error,
        "traceback": outcome.traceback,
        "output": outcome.output,
        "progress": json.dumps(outcome.progress) if outcome.progress else None,
        "duration": outcome.duration,
        "finished_at": None if outcome.finished_at is None else outcome.finished_at.isoformat(),
    }


def _text(node_id: uuid.UUID | None) -> str | None:
    return None if node_id is None else str(node_id)


def _array(ids: Iterable[int]) -> str:
    """A literal, which costs the driver less than a list."""
    return f"{{{','.join(map(str, sorted(ids)))}}}"
