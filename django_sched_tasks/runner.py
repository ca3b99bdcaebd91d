"""One execution: its function is called, and whatever happens becomes an outcome. Nothing gets past it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import connections, transaction
from django.utils import timezone, translation

from django_sched_tasks import context, database, payload
from django_sched_tasks.exceptions import RolledBack, RunTimedOut
from django_sched_tasks.models import transitions
from django_sched_tasks.models.execution import ExecutionStatus
from django_sched_tasks.models.transitions import Claim, Outcome
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

Limit = Callable[[float | None], AbstractContextManager[None]]


def no_limit(seconds: float | None) -> AbstractContextManager[None]:
    return nullcontext()


def run(
    claim: Claim,
    function: ResolvedFunction,
    *,
    limit: Limit = no_limit,
    clock: Callable[[], datetime] = database.now,
) -> Outcome:
    """Call the function of a claim that has been marked as running, and say how it went.

    Even ``SystemExit`` and ``KeyboardInterrupt`` raised by it are its failure and not the thread's end. ``limit`` is
    the executor's way to raise :class:`RunTimedOut` in what runs inside it for too long; ``clock`` is asked for the
    end of a transactional run.
    """
    began = time.perf_counter()
    with _django_duties():
        token = context.enter(_context(claim))
        try:
            if claim.transactional:
                return _call_in_transaction(claim, function, limit, clock)
            value = _call(claim, function, limit)
        except BaseException as error:
            return failed(claim, error, _since(began))
        finally:
            context.leave(token)
    return _succeeded(claim, value, _since(began))


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 6)


def _context(claim: Claim) -> context.ExecutionContext:
    return context.ExecutionContext(
        id=claim.id,
        task_id=claim.task_id,
        job_id=claim.job_id,
        kind=claim.kind,
        fire_at=claim.fire_at,
        attempt=claim.attempt,
        idempotency_key=claim.idempotency_key,
    )


def _call(claim: Claim, function: ResolvedFunction, limit: Limit) -> Any:
    if function.takes_context:
        raise TypeError(f"{function.path} wants the context of Django's tasks, which only their backends give.")
    if not function.is_async:
        with limit(claim.timeout):
            return function.callable(*claim.args, **claim.kwargs)
    # Its own loop ends a coroutine that awaits; the executor's limit is left for one that does not.
    with limit(None if claim.timeout is None else claim.timeout + 1):
        return asyncio.run(_await(claim, function))


async def _await(claim: Claim, function: ResolvedFunction) -> Any:
    scope = asyncio.timeout(claim.timeout)
    try:
        async with scope:
            return await function.callable(*claim.args, **claim.kwargs)
    except TimeoutError as error:
        if scope.expired():
            raise RunTimedOut from error
        raise


def _call_in_transaction(
    claim: Claim, function: ResolvedFunction, limit: Limit, clock: Callable[[], datetime]
) -> Outcome:
    """Commit what the function writes to the scheduler's database together with the end of its execution.

    Whoever has given the run up meanwhile (its node was declared dead, so it may be running again) has taken its row
    away: then nothing of it is committed. So, with another run after a crash, its effects there happen exactly once.
    """
    if function.is_async:
        raise TypeError(f"{function.path} is async: a transaction belongs to a thread, which a coroutine leaves.")
    using = database.alias()
    began = time.perf_counter()
    with transaction.atomic(using=using):
        depth = len(connections[using].savepoint_ids)
        value = _call(claim, function, limit)
        if transaction.get_rollback(using) or len(connections[using].savepoint_ids) != depth:
            raise RolledBack("Its writes are rolled back: the function left its transaction broken or open.")
        succeeded = _succeeded(claim, value, _since(began))
        outcome = replace(succeeded, finished_at=clock(), is_recorded=True)
        if not transitions.finish([outcome], using=using, late=False):
            raise RolledBack("Its writes are rolled back: the run had been given up before it ended.")
    return outcome


def _succeeded(claim: Claim, value: Any, duration: float) -> Outcome:
    return Outcome(
        execution_id=claim.id,
        task_id=claim.task_id,
        job_id=claim.job_id,
        node_id=claim.node_id,
        concurrency_key=claim.concurrency_key,
        status=ExecutionStatus.SUCCEEDED.value,
        result=None if value is None else payload.to_json(value),
        duration=duration,
    )


def failed(claim: Claim, error: BaseException, duration: float) -> Outcome:
    """The outcome of a run that ended with an exception after ``duration`` seconds."""
    line, text = payload.describe_error(error)
    timed_out = isinstance(error, RunTimedOut)
    return Outcome(
        execution_id=claim.id,
        task_id=claim.task_id,
        job_id=claim.job_id,
        node_id=claim.node_id,
        concurrency_key=claim.concurrency_key,
        status=(ExecutionStatus.TIMED_OUT if timed_out else ExecutionStatus.FAILED).value,
        error=f"It ran longer than its timeout of {claim.timeout} s." if timed_out else line,
        traceback=text,
        duration=duration,
    )


@contextmanager
def _django_duties() -> Iterator[None]:
    """What Django does around a request, done around a run: fresh connections before, nothing left behind after.

    A connection that is inside somebody's transaction already belongs to a caller (a test, an inline run) and is left
    alone.
    """
    borrowed = {connection.alias for connection in _connections() if connection.in_atomic_block}
    _each_own(borrowed, lambda connection: connection.close_if_unusable_or_obsolete())
    try:
        yield
    finally:
        _each_own(borrowed, _leave_clean)
        timezone.deactivate()
        translation.deactivate()


def _connections() -> Sequence[Any]:
    return connections.all(initialized_only=True)


def _each_own(borrowed: set[str], act: Callable[[Any], None]) -> None:
    for connection in _connections():
        if connection.alias not in borrowed:
            try:
                act(connection)
            except Exception:  # whatever a function did to it, the outcome must still be told
                logger.warning("The connection %r is thrown away after a run", connection.alias, exc_info=True)
                _discard(connection)


def _leave_clean(connection: Any) -> None:
    """Close what is obsolete; throw away a connection on which the function left a transaction open."""
    if connection.connection is None:
        return
    if connection.in_atomic_block or connection.autocommit != connection.settings_dict["AUTOCOMMIT"]:
        _discard(connection)
    else:
        connection.close_if_unusable_or_obsolete()


def _discard(connection: Any) -> None:
    # Django's close() only marks a connection that is inside a transaction; the transaction must end, and the wrapper's
    # belief to be inside one with it. A new wrapper is made on the next use.
    with suppress(Exception):
        connection.connection.close()
    del connections[connection.alias]
