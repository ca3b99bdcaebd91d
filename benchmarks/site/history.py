"""A long history, and what must not become slower with it: to claim, to show a page, to delete what is old."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain, repeat
from statistics import median

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper, F

from benchmarks.databases import analyze
from benchmarks.site.requests import client
from django_sched_tasks import database, operations
from django_sched_tasks.engine.claims import Claims
from django_sched_tasks.engine.node import Node
from django_sched_tasks.models import ExecutionStatus, Kind, SchedulerTask, TaskExecution
from django_sched_tasks.operations.history import PRUNE_BATCH

TASKS = 100  # that the history is of: one run of each, minute by minute
MINUTE = timedelta(minutes=1)
CLAIMED = 50
INSTANTS = ("fire_at", "run_at", "queued_at", "started_at", "finished_at")


def measure(executions: int, rounds: int) -> dict[str, float]:
    """Medians of so many rounds, in milliseconds."""
    now = database.now()
    fill(executions, now)
    analyze()
    site, claims = client(), _claims(now)
    task = SchedulerTask.objects.order_by("pk")[TASKS // 2].pk
    half = executions / TASKS * MINUTE / 2

    def page() -> None:
        _must_be_full(site.get("/api/scheduler/executions/?page_size=50").json())

    def page_of_task() -> None:
        site.get(f"/api/scheduler/tasks/{task}/executions/?page_size=50").json()

    def prune() -> None:
        pruned = prune_a_batch(half / timedelta(days=1), now=now)
        if pruned != PRUNE_BATCH:
            raise RuntimeError(f"{pruned} executions were deleted instead of {PRUNE_BATCH}.")

    pages = {"page_ms": _median(page, rounds), "task_page_ms": _median(page_of_task, rounds)}
    database.adopt_own_connection()  # as the engine's threads do, which claim and purge
    return {
        **pages,
        "claim_ms": median(_claim(claims) for _ in range(rounds)),
        "prune_ms": _median(prune, max(1, min(rounds // 2, executions // (4 * PRUNE_BATCH)))),
    }


def prune_a_batch(days: float, *, count: int | None = None, now: datetime) -> int:
    """Answers how many were deleted."""
    ends = chain([False], repeat(True))  # asked before the first part, and after its first batch
    return operations.prune(days, count=count, now=now, until=lambda: next(ends))


def fill(executions: int, now: datetime) -> None:
    """So many, oldest first as a history grows; each half is a copy of the one before, and later."""
    tasks = list(SchedulerTask.objects.order_by("pk")[:TASKS])
    began = now - (executions // TASKS + 1) * MINUTE
    TaskExecution.objects.bulk_create(_ended(task, began) for task in tasks)
    filled = len(tasks)
    while filled < executions:
        more = min(filled, executions - filled)
        _copy(more, shift=filled // TASKS * MINUTE)
        filled += more


def _ended(task: SchedulerTask, at: datetime) -> TaskExecution:
    return TaskExecution(
        task=task,
        task_name=task.name,
        job_id=task.job_id,
        func=task.func,
        kind=Kind.SCHEDULE,
        status=ExecutionStatus.SUCCEEDED,
        args=task.args,
        duration=0.001,
        **dict.fromkeys(INSTANTS, at),
    )


def _copy(count: int, shift: timedelta) -> None:
    """The database copies its rows itself, which a process could not in a reasonable time."""
    columns = {field.attname: str(field.column) for field in TaskExecution._meta.concrete_fields}
    del columns["id"]
    later = {f"later_{name}": ExpressionWrapper(F(name) + shift, output_field=DateTimeField()) for name in INSTANTS}
    values = [f"later_{name}" if name in INSTANTS else name for name in columns]
    rows = TaskExecution.objects.order_by("pk").annotate(**later).values_list(*values)[:count]
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TaskExecution._meta.db_table} ({', '.join(columns.values())}) {sql}", params)


def _claims(now: datetime) -> Claims:
    node = Node(started_by="benchmark", queues=None, executors=["default"], slots=CLAIMED, using="default")
    node.register(now)
    for task in SchedulerTask.objects.order_by("pk")[:CLAIMED]:
        operations.run_task(task.pk)
    return Claims(node)


def _claim(claims: Claims) -> float:
    """Milliseconds; what was claimed goes back for the next time."""
    now = database.now()
    began = time.perf_counter()
    taken = claims.take("default", CLAIMED, now)
    took = time.perf_counter() - began
    if len(taken) != CLAIMED:
        raise RuntimeError(f"{len(taken)} executions were claimed instead of {CLAIMED}.")
    claims.give_back([claim.id for claim, _function in taken], now)
    return took * 1000


def _median(act: Callable[[], None], rounds: int) -> float:
    """Milliseconds."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return median(took) * 1000


def _must_be_full(answer: dict[str, object]) -> None:
    if len(answer["results"]) != 50:  # type: ignore[arg-type]
        raise RuntimeError(f"The page is not full: {answer!r:.300}")
