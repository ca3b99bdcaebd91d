"""The worker's side of a dispatched execution: what the message of an executor makes a worker do.

It runs in a process that is no node: a Celery worker, a worker of Django's tasks. What it writes about the run is what
a node's recorder would write. While the function runs, a thread gives the run's sign of life.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from django.db import connections, transaction

from django_sched_tasks import conf, database, operations, recording, registry, runner, signals
from django_sched_tasks.exceptions import FunctionNotFound, RunCancelled, RunTimedOut
from django_sched_tasks.models import ExecutionStatus, Reason, SchedulerTask, TaskExecution, transitions
from django_sched_tasks.models.transitions import Claim, Outcome
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

PATIENCE = 600.0  # seconds for which an outcome is held while the database is away
FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0

Found = ResolvedFunction | FunctionNotFound
T = TypeVar("T")


def perform(
    execution_id: int,
    message_id: str,
    *,
    limit: runner.Limit = runner.no_limit,
    interrupt: runner.Interrupt | None = None,
) -> str:
    """Run the execution of a message, unless it is not, or no longer, its own; answers the status, "" for no run.

    A message that arrives twice, or whose execution has been taken back, cancelled or lost meanwhile, starts nothing.
    ``limit`` and ``interrupt`` are those of :func:`django_sched_tasks.runner.run`.
    """
    using = database.alias()
    if problem := _insisting(operations.environment, using).problem:
        logger.error("Execution %s is not run: %s", execution_id, problem)
        return ""
    found = _insisting(lambda: _find(execution_id, message_id, using), using)
    if isinstance(found, FunctionNotFound):
        return _refuse(execution_id, message_id, found, using)
    claim = None if found is None else _insisting(lambda: _begin(execution_id, message_id, using), using)
    if claim is None or found is None:
        logger.info("Message %s about execution %s is out of date; nothing was run.", message_id, execution_id)
        return ""
    recording.announce_start(claim)
    with _sign_of_life(claim, using):
        began = time.perf_counter()
        try:
            outcome = runner.run(claim, found, limit=limit, interrupt=interrupt)
        except (RunTimedOut, RunCancelled) as error:  # on the threshold of the limit, where nobody caught it
            outcome = runner.failed(claim, error, round(time.perf_counter() - began, 6))
        try:
            record(outcome)
        except Exception as error:  # a limit of the worker's own may strike here as well; it does so once
            if database.is_outage(error):
                raise
            record(outcome)
    return outcome.status


def _begin(execution_id: int, message_id: str, using: str) -> Claim | None:
    now = database.now(using)
    return database.retrying(lambda: recording.begin(execution_id, message_id, _name(), now, using), using=using)


def record(outcome: Outcome) -> bool:
    """Write how a run ended, and what follows from it; answers whether the row was still to be finished.

    While the database is away the outcome is held for some minutes: it is the only one who knows.
    """
    using = database.alias()
    if outcome.finished_at is None:
        ended = time.monotonic()
        now = _insisting(lambda: database.now(using), using)
        outcome = replace(outcome, finished_at=now - timedelta(seconds=time.monotonic() - ended))
    try:
        result = _insisting(lambda: _write(outcome, using), using)
    except Exception as error:
        if database.is_outage(error):
            raise
        plain = recording.without_values(outcome, error)
        result = _insisting(lambda: _write(plain, using), using)
    recording.announce_ends(result)
    if result.let_in:
        signals.send(signals.schedule_changed, SchedulerTask)
    return bool(result.ended)


def _write(outcome: Outcome, using: str) -> recording.Result:
    group = recording.Group([outcome], [])
    return database.retrying(lambda: recording.write(group, outcome.finished_at or database.now(using), using))


def end(message_id: str, status: ExecutionStatus, *, reason: str = "", error: str = "") -> bool:
    """Record the end of a run whose process can no longer do so; answers whether it had not been recorded yet."""
    using = database.alias()
    rows = TaskExecution.objects.using(using).open().filter(message_id=message_id, status=ExecutionStatus.RUNNING)
    execution = rows.first()
    if execution is None or execution.started_at is None:
        return False
    now = database.now(using)
    return record(
        Outcome(
            execution_id=execution.pk,
            task_id=execution.task_id,
            job_id=execution.job_id,
            node_id=None,
            concurrency_key=execution.concurrency_key,
            status=status.value,
            kind=execution.kind,
            reason=reason,
            error=error,
            duration=round((now - execution.started_at).total_seconds(), 6),
            finished_at=now,
        )
    )


def give_up(message_id: str, *, has_expired: bool) -> bool:
    """A message has been thrown away unheeded: it was revoked, or has expired. Answers whether that was still news."""
    using = database.alias()
    execution = TaskExecution.objects.using(using).open().filter(message_id=message_id).first()
    if execution is None:
        return False
    now = database.now(using)

    def work() -> recording.Result:
        return recording.give_up(execution, now, using, has_expired=has_expired)

    result = _insisting(lambda: database.retrying(work, using=using), using)
    recording.announce_ends(result)
    return bool(result.ended)


def _insisting(work: Callable[[], T], using: str) -> T:
    """Do it although the database may be away for a while."""
    deadline, delay = time.monotonic() + PATIENCE, FIRST_DELAY
    while True:
        try:
            return work()
        except Exception as error:
            if not database.is_outage(error) or time.monotonic() > deadline or connections[using].in_atomic_block:
                raise
            logger.warning("The database does not answer about a run, trying again: %s", error)
            connections[using].close()
            time.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)


def _find(execution_id: int, message_id: str, using: str) -> Found | None:
    rows = TaskExecution.objects.using(using).filter(
        pk=execution_id, message_id=message_id, status=ExecutionStatus.DISPATCHED
    )
    execution = rows.only("func", "kind").first()
    if execution is None:
        return None
    try:
        return registry.resolve(execution.func, enqueued=execution.is_enqueued)
    except FunctionNotFound as error:
        return error


def _refuse(execution_id: int, message_id: str, error: FunctionNotFound, using: str) -> str:
    """Give it back for a worker that knows the function (a deploy may be under way); in the end say that none does."""
    now = database.now(using)
    execution = TaskExecution.objects.using(using).get(pk=execution_id)
    hopeless = execution.handed_back_at and now - execution.handed_back_at >= timedelta(seconds=conf.node_timeout())
    logger.warning("Cannot run execution %s here: %s", execution_id, error)

    def work() -> list[int]:
        with transaction.atomic(using=using):
            if hopeless:
                return operations.fail_unstarted(
                    {execution_id: execution.job_id}, now, using=using, reason=Reason.UNRESOLVED, error=str(error)
                )
            return transitions.refuse(execution_id, message_id, now, using=using)

    if database.retrying(work, using=using):
        signal = signals.execution_finished if hopeless else signals.execution_handed_back
        status = ExecutionStatus.FAILED if hopeless else ExecutionStatus.QUEUED
        signals.send(
            signal,
            TaskExecution,
            execution_id=execution_id,
            task_id=execution.task_id,
            job_id=execution.job_id,
            kind=execution.kind,
            status=status.value,
            reason=str(Reason.UNRESOLVED if hopeless else Reason.NONE),
        )
        return ExecutionStatus.FAILED.value if hopeless else ""
    return ""


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:255]


@contextmanager
def _sign_of_life(claim: Claim, using: str) -> Iterator[None]:
    """Tell the nodes every few seconds that the run goes on; without that it would count as lost."""
    ended = threading.Event()
    thread = threading.Thread(target=_keep_alive, args=(claim.id, using, ended), name="sched-tasks-life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def _keep_alive(execution_id: int, using: str, ended: threading.Event) -> None:
    own = False
    while not ended.wait(min(conf.heartbeat_interval(), conf.node_timeout() / 3)):
        try:
            if not own:
                database.adopt_own_connection()
                own = True
            rows = TaskExecution.objects.using(using).filter(pk=execution_id, status=ExecutionStatus.RUNNING)
            rows.update(alive_at=database.now(using))
        except Exception as error:
            logger.debug("Execution %s cannot give a sign of life: %s", execution_id, error)
            connections[using].close()
    connections.close_all()
