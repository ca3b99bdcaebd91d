"""When there is something to do: the one statement of an idle poll."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db import connections

from django_sched_tasks import database
from django_sched_tasks.models import SchedulerTask, TaskExecution

# The index on what may be claimed is led by the rank. So the earliest of each rank is looked up, of which there are
# few, where the minimum over all would read the whole queue.
EARLIEST_RUN = """
WITH RECURSIVE ranks(claim_rank) AS (
    SELECT (SELECT claim_rank FROM {execution} WHERE claim_rank IS NOT NULL ORDER BY claim_rank LIMIT 1)
    UNION ALL
    SELECT (SELECT queued.claim_rank FROM {execution} AS queued WHERE queued.claim_rank > ranks.claim_rank
            ORDER BY queued.claim_rank LIMIT 1)
    FROM ranks WHERE ranks.claim_rank IS NOT NULL
)
SELECT MIN((SELECT queued.run_at FROM {execution} AS queued WHERE queued.claim_rank = ranks.claim_rank
            ORDER BY queued.run_at LIMIT 1))
FROM ranks
"""


class Peek(NamedTuple):
    """The database's instant, the earliest task to plan and the earliest execution to claim; None: there is none.

    ``extra`` are the values of the expressions that the caller added.
    """

    now: datetime
    plan_at: datetime | None
    run_at: datetime | None
    extra: tuple[Any, ...] = ()

    @property
    def next_due(self) -> datetime | None:
        return min((instant for instant in (self.plan_at, self.run_at) if instant is not None), default=None)


def peek(using: str, *extra: str) -> Peek:
    wrapper = connections[using]
    quote = wrapper.ops.quote_name
    task, execution = (quote(model._meta.db_table) for model in (SchedulerTask, TaskExecution))
    expressions = (
        database.clock_sql(wrapper),
        f"(SELECT plan_at FROM {task} WHERE plan_at IS NOT NULL ORDER BY plan_at, id LIMIT 1)",
        f"({EARLIEST_RUN.format(execution=execution)})",
        *extra,
    )
    with database.busy_cursor(using) as cursor:
        cursor.execute(f"SELECT {', '.join(expressions)}", ())
        now, plan_at, run_at, *values = cursor.fetchone()
    return Peek(database.as_instant(now), database.as_instant(plan_at), database.as_instant(run_at), tuple(values))
