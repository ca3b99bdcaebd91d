"""When there is something to do: the one statement of an idle poll."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db import connections

from django_sched_tasks import database
from django_sched_tasks.models import SchedulerTask, TaskExecution


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
        f"(SELECT MIN(run_at) FROM {execution} WHERE claim_rank IS NOT NULL)",
        *extra,
    )
    with wrapper.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(expressions)}", ())
        now, plan_at, run_at, *values = cursor.fetchone()
    return Peek(database.as_instant(now), database.as_instant(plan_at), database.as_instant(run_at), tuple(values))
