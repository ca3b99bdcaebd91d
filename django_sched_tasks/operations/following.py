"""Tasks that run after another: the end of one execution queues those of its followers, in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db.models import F
from django.utils.translation import gettext as _

from django_sched_tasks import triggers
from django_sched_tasks.exceptions import InvalidDefinition, InvalidTrigger
from django_sched_tasks.models import (
    ExecutionStatus,
    Kind,
    Overlap,
    Reason,
    SchedulerTask,
    TaskExecution,
    TaskStatus,
    portable,
    transitions,
)
from django_sched_tasks.models.execution import FAILURE_STATUSES
from django_sched_tasks.operations.commit import after_commit, let_others_in, task_rows
from django_sched_tasks.operations.excluding import exclusions_of
from django_sched_tasks.operations.executions import new_request
from django_sched_tasks.signals import execution_finished, execution_queued, task_finished

LONGEST_CHAIN = 100
REQUEST = "after:"


class Ended(NamedTuple):
    """An execution whose last attempt has ended: what its followers need to know of it."""

    execution_id: int
    job_id: str
    status: str


def queue_followers(ended: Sequence[Ended], now: datetime, *, using: str) -> list[TaskExecution]:
    """Queue an execution of each task that runs after one of these, in the caller's transaction; each end counts once.

    What a follower's limit forbids is told as its ``overlap`` says: skipped, or waiting.
    """
    by_job: dict[str, list[Ended]] = {}
    for end in ended:
        if end.job_id:  # what Django's task framework has enqueued has none, and no followers
            by_job.setdefault(end.job_id, []).append(end)
    if not by_job:
        return []
    queued = []
    for task_id in portable.followers(by_job, using=using):
        queued += _follow(task_id, by_job, now, using)
    return queued


def fail_unstarted(job_ids: Mapping[int, str], now: datetime, *, using: str, reason: Reason, error: str) -> list[int]:
    """queued or claimed → failed, for executions that nobody can run, given with their job ids; their followers run.

    In the caller's transaction; answers the ids that it won.
    """
    won = transitions.fail_unstarted(job_ids, now, using=using, reason=reason, error=error)
    queue_followers([Ended(pk, job_ids[pk], ExecutionStatus.FAILED) for pk in won], now, using=using)
    return won


def refuse_circle(task: SchedulerTask, using: str) -> None:
    """Refuse a task that would, over others that it follows, set itself off again for ever.

    Raises:
        InvalidDefinition: it would.
    """
    job_id, seen = task.follows, {task.job_id}
    while job_id and len(seen) < LONGEST_CHAIN:
        if job_id in seen:
            text = _("It would run after itself, over %(chain)s, without an end.") % {"chain": " → ".join(sorted(seen))}
            raise InvalidDefinition({"trigger_args": text})
        seen.add(job_id)
        rows = SchedulerTask.objects.using(using).filter(job_id=job_id)
        job_id = rows.values_list("follows", flat=True).first() or ""


def refuse_unknown(trigger: str, trigger_args: object, using: str) -> None:
    """Refuse to follow a task that is not there, which is most likely a slip.

    Raises:
        InvalidDefinition: there is no such task.
    """
    job_id = trigger_args.get("job_id") if trigger == "after" and isinstance(trigger_args, dict) else None
    if job_id is not None and not SchedulerTask.objects.using(using).filter(job_id=job_id).exists():
        text = _("There is no task with the job id %r to run after. Make that one first.")
        raise InvalidDefinition({"trigger_args": text % job_id})


def _follow(task_id: int, by_job: dict[str, list[Ended]], now: datetime, using: str) -> list[TaskExecution]:
    if not task_rows(task_id, using).update(version=F("version") + 1):  # locked, and a planner counts anew
        return []
    task = SchedulerTask.objects.using(using).get(pk=task_id)
    wanted = [end for end in by_job.get(task.follows, ()) if _is_meant(task, end)]
    known = {f"{REQUEST}{end.execution_id}" for end in wanted}
    done = set(
        TaskExecution.objects.using(using).filter(task=task, request__in=known).values_list("request", flat=True)
    )
    rows = [_row(task, end, now) for end in wanted if f"{REQUEST}{end.execution_id}" not in done]
    rows = _within_limit(task, rows, now, using)
    for row in rows:
        row.save(using=using, force_insert=True)
        is_open = row.finished_at is None
        after_commit(using, execution_queued if is_open else execution_finished, execution=row)
    _count(task, rows, using)
    return rows


def _within_limit(task: SchedulerTask, rows: Sequence[TaskExecution], now: datetime, using: str) -> list[TaskExecution]:
    """The rows, each in its place, up to the last run that ``max_runs`` allows."""
    placed: list[TaskExecution] = []
    for row in rows:
        if task.has_had_all_runs:
            break
        _place(task, row, now, using)
        task.planned_runs += row.finished_at is None
        placed.append(row)
    return placed


def _is_meant(task: SchedulerTask, end: Ended) -> bool:
    try:
        trigger = triggers.build(task.trigger, task.trigger_args, anchor=task.anchor)
    except InvalidTrigger:  # broken by other hands; its next plan says so
        return False
    outcome = getattr(trigger, "outcome", "")
    if outcome == "finished":
        return True
    return (end.status in FAILURE_STATUSES) if outcome == "failed" else end.status == ExecutionStatus.SUCCEEDED


def _row(task: SchedulerTask, end: Ended, now: datetime) -> TaskExecution:
    row = new_request(task, Kind.SCHEDULE, f"{REQUEST}{end.execution_id}", now)
    row.parent_id = end.execution_id
    row.misfire_grace_time = task.misfire_grace_time
    return row


def _place(task: SchedulerTask, row: TaskExecution, now: datetime, using: str) -> None:
    """Let it be claimed, let it wait, or skip it, by the task's exclusions, limit and ``overlap``."""
    if exclusions_of(task, using=using).at(row.fire_at)[0]:
        _skip(row, Reason.EXCLUDED, now)
        return
    open_rows = TaskExecution.objects.using(using).open().filter(task=task)
    count = 0 if task.max_instances is None else open_rows.count()
    if task.concurrency_key:
        let_others_in(task.pk, task.concurrency_key, using)  # it waits until those that share the key are counted
    elif task.max_instances is None or count < task.max_instances:
        row.claim_rank = row.rank
        return
    if task.max_instances is None or count < task.max_instances:
        return
    if task.overlap == Overlap.REPLACE:
        transitions.cancel(open_rows.waiting(), now, using=using, reason=Reason.REPLACED)
    elif task.overlap == Overlap.SKIP:
        _skip(row, Reason.OVERLAP, now)
    elif open_rows.waiting().count() >= task.max_catch_up:
        _skip(row, Reason.QUEUE_FULL, now)


def _skip(row: TaskExecution, reason: Reason, now: datetime) -> None:
    row.status, row.reason, row.finished_at = ExecutionStatus.SKIPPED, reason, now


def _count(task: SchedulerTask, rows: Collection[TaskExecution], using: str) -> None:
    skipped = sum(row.status == ExecutionStatus.SKIPPED for row in rows)
    if rows:
        task_rows(task.pk, using).update(
            fire_count=F("fire_count") + len(rows),
            skipped_count=F("skipped_count") + skipped,
            planned_runs=task.planned_runs,
        )
    if task.has_had_all_runs:
        task.status = TaskStatus.FINISHED
        task_rows(task.pk, using).update(status=task.status)
        after_commit(using, task_finished, task=task, user="")
