"""One execution: its function is called, and whatever happens becomes an outcome. Nothing gets past it."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from types import ModuleType
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import connections, transaction
from django.utils import timezone, translation

from django_sched_tasks import context, database, hooks, live, operations, payload
from django_sched_tasks.exceptions import RolledBack, RunCancelled, RunTimedOut
from django_sched_tasks.models import transitions
from django_sched_tasks.models.execution import ExecutionStatus, Reason
from django_sched_tasks.models.transitions import Claim, Outcome
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

_NOTHING = nullcontext()
PATIENCE = 1.0  # seconds that a coroutine gets to await something, before its thread is interrupted

Limit = Callable[[float | None], AbstractContextManager[None]]
Interrupt = Callable[[float], None]
"""Raise :class:`RunCancelled` in the run's thread, so many seconds from now unless it has ended."""


def no_limit(seconds: float | None) -> AbstractContextManager[None]:
    return nullcontext()


def run(
    claim: Claim,
    function: ResolvedFunction,
    *,
    limit: Limit = no_limit,
    interrupt: Interrupt | None = None,
    clock: Callable[[], datetime] = database.now,
) -> Outcome:
    """Call the function of a claim that has been marked as running, and say how it went.

    Even ``SystemExit`` and ``KeyboardInterrupt`` raised by it are its failure and not the thread's end. ``limit`` is
    the executor's way to raise :class:`RunTimedOut` in what runs inside it for too long; ``interrupt`` its way to raise
    :class:`RunCancelled` there, from another thread. Without them a coroutine still ends when it is to; a plain
    function can see the request, and its caller may have stronger means. ``clock`` is asked for the end of a
    transactional run.
    """
    began = time.perf_counter()
    opened = _connections()
    borrowed = _borrowed(opened)
    side = live.open_run(claim.id, _secrets(claim, function), is_watched=not borrowed)

    def call() -> Any:
        value = _call(claim, function, side, limit, interrupt)
        return _results().return_value(value) if claim.is_enqueued else value

    def end(value: Any = None, error: BaseException | None = None) -> Outcome:
        return _outcome(claim, side, value, error, round(time.perf_counter() - began, 6))

    try:
        with _django_duties(opened, borrowed):
            token = context.enter(_context(claim, side))
            try:
                with _around(claim, side):
                    if claim.transactional:
                        return _in_transaction(function, call, end, clock)
                    value = call()
            finally:
                side.end()
                context.leave(token)
    except BaseException as error:
        return end(error=error)
    return end(value)


def _around(claim: Claim, side: live.Run) -> AbstractContextManager[None]:
    return hooks.around(claim, side.hide) if hooks.around_run else _NOTHING


def _secrets(claim: Claim, function: ResolvedFunction) -> list[str]:
    """As they are now: the function may change what it is given."""
    if not claim.args and not claim.kwargs:
        return []
    return list(function.arguments.secret_texts(claim.args, claim.kwargs))


def _context(claim: Claim, side: live.Run) -> context.ExecutionContext:
    return context.ExecutionContext(
        id=claim.id,
        task_id=claim.task_id,
        job_id=claim.job_id,
        kind=claim.kind,
        fire_at=claim.fire_at,
        attempt=claim.attempt,
        idempotency_key=claim.idempotency_key,
        deadline=None if claim.timeout is None else timezone.now() + timedelta(seconds=claim.timeout),
        parent=claim.parent_id,
        side=side,
    )


def _results() -> ModuleType:
    """The room that speaks to Django's task framework, which only sites that use it have."""
    from django_sched_tasks import results  # noqa: PLC0415

    return results


def _call(claim: Claim, function: ResolvedFunction, side: live.Run, limit: Limit, interrupt: Interrupt | None) -> Any:
    called = partial(function.callable, *_context_argument(claim, function), *claim.args, **claim.kwargs)
    if not function.is_async:
        with limit(claim.timeout):
            side.begin(None if interrupt is None else partial(interrupt, 0.0))
            return called()
    # Its own loop ends a coroutine that awaits; what the executor has is left for one that does not.
    with limit(None if claim.timeout is None else claim.timeout + PATIENCE):
        return asyncio.run(_await(claim, called, side, interrupt))


def _context_argument(claim: Claim, function: ResolvedFunction) -> list[Any]:
    if not function.takes_context:
        return []
    if not claim.is_enqueued:
        raise TypeError(f"{function.path} wants the context of Django's tasks, which only what they enqueue has.")
    return [_results().context_of(claim)]


async def _await(claim: Claim, called: Callable[[], Any], side: live.Run, interrupt: Interrupt | None) -> Any:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None

    def end() -> None:
        loop.call_soon_threadsafe(task.cancel)
        if interrupt is not None:
            interrupt(PATIENCE)

    side.begin(end)
    scope = asyncio.timeout(claim.timeout)
    try:
        async with _thread_of_its_own(), scope:
            return await called()
    except TimeoutError as error:
        if scope.expired():
            raise RunTimedOut from error
        raise
    except asyncio.CancelledError as error:
        if side.is_cancel_requested:
            raise RunCancelled from error
        raise
    finally:
        side.end()  # before the loop closes


@asynccontextmanager
async def _thread_of_its_own() -> AsyncIterator[None]:
    """A thread for what a coroutine calls through ``sync_to_async``, the ORM above all, and the end of its connections.

    Without it all coroutines of the process would share one, and wait for each other.
    """
    async with ThreadSensitiveContext() as own:
        try:
            yield
        finally:
            if own in SyncToAsync.context_to_thread_executor:  # it has called something
                await sync_to_async(_discard_all)()


def _in_transaction(
    function: ResolvedFunction, call: Callable[[], Any], end: Callable[[Any], Outcome], clock: Callable[[], datetime]
) -> Outcome:
    """Commit what the function writes to the scheduler's database together with the end of its execution.

    Whoever has given the run up meanwhile (its node was declared dead, so it may be running again) has taken its row
    away: then nothing of it is committed. So, with another run after a crash, its effects there happen exactly once.
    """
    if function.is_async:
        raise TypeError(f"{function.path} is async: a transaction belongs to a thread, which a coroutine leaves.")
    using = database.alias()
    with transaction.atomic(using=using):
        depth = len(connections[using].savepoint_ids)
        value = call()
        if transaction.get_rollback(using) or len(connections[using].savepoint_ids) != depth:
            raise RolledBack("Its writes are rolled back: the function left its transaction broken or open.")
        outcome = replace(end(value), finished_at=clock(), is_recorded=True)
        if not transitions.finish([outcome], using=using, late=False):
            raise RolledBack("Its writes are rolled back: the run had been given up before it ended.")
        ended = operations.Ended(outcome.execution_id, outcome.job_id, outcome.status)
        operations.queue_followers([ended], clock(), using=using)
    return outcome


def _outcome(claim: Claim, side: live.Run, value: Any, error: BaseException | None, duration: float) -> Outcome:
    told = live.close_run(side)
    output, progress = told.output or "", told.progress
    if error is not None:
        ended = failed(claim, error, duration)
        line, text = side.hide(ended.error), side.hide(ended.traceback)
        return replace(ended, error=line, traceback=text, output=output, progress=progress)
    # Whoever has seen that it is to end, and ends, has been cancelled.
    status = ExecutionStatus.CANCELLED if side.cancel_noticed else ExecutionStatus.SUCCEEDED
    result = None if value is None else payload.to_json(value)
    return _ended(claim, status, duration, result=result, output=output, progress=progress)


def given_up(claim: Claim, duration: float) -> Outcome:
    """The outcome of a run that goes on past its timeout, in a thread that nothing ends."""
    told = live.give_up(claim.id)
    return replace(
        broken_off(claim, RunTimedOut(), duration),
        error=f"It ran longer than its timeout of {claim.timeout} s and could not be ended: its thread still runs, and"
        " holds a slot of its node.",
        traceback="",
        output=told.output or "",
        progress=told.progress,
    )


def broken_off(claim: Claim, error: BaseException, duration: float) -> Outcome:
    """The outcome of a run whose function has neither returned nor raised: its process is gone, or it goes on."""
    hooks.tell_broken_off(claim, error, duration)
    return failed(claim, error, duration)


def failed(claim: Claim, error: BaseException, duration: float) -> Outcome:
    """The outcome of a run that ended with an exception after ``duration`` seconds."""
    line, text = payload.describe_error(error)
    if isinstance(error, RunCancelled):
        line = "It was cancelled while it ran."
        return _ended(claim, ExecutionStatus.CANCELLED, duration, error=line, traceback=text)
    may_retry = matches(error, claim.retry_on)
    if isinstance(error, RunTimedOut):
        line = f"It ran longer than its timeout of {claim.timeout} s."
        return _ended(claim, ExecutionStatus.TIMED_OUT, duration, error=line, traceback=text, may_retry=may_retry)
    return _ended(claim, ExecutionStatus.FAILED, duration, error=line, traceback=text, may_retry=may_retry)


def _ended(claim: Claim, status: ExecutionStatus, duration: float, **more: Any) -> Outcome:
    return Outcome(
        execution_id=claim.id,
        task_id=claim.task_id,
        job_id=claim.job_id,
        node_id=claim.node_id,
        concurrency_key=claim.concurrency_key,
        status=status.value,
        kind=claim.kind,
        reason=(Reason.REQUESTED if status == ExecutionStatus.CANCELLED else Reason.NONE).value,
        duration=duration,
        **more,
    )


def matches(error: BaseException, names: Collection[str]) -> bool:
    """Whether an exception is one of those named, or of a class below one; no names are all."""
    return not names or any(name in names for name in _names(type(error))) or _is_named(error, names)


def _names(kind: type[BaseException]) -> Iterator[str]:
    for base in kind.__mro__:
        yield f"{base.__module__}.{base.__qualname__}"
        if base.__module__ == "builtins":
            yield base.__qualname__


def _is_named(error: BaseException, names: Collection[str]) -> bool:
    """By another module's name for the class (``requests.Timeout``); whatever raised it has imported that, if any."""
    for name in names:
        module, _dot, attribute = name.rpartition(".")
        found = getattr(sys.modules.get(module), attribute, None)
        if isinstance(found, type) and isinstance(error, found):
            return True
    return False


@contextmanager
def _django_duties(opened: Sequence[Any], borrowed: Collection[str]) -> Iterator[None]:
    """What Django does around a request, done around a run: fresh connections before, nothing left behind after.

    Connections whose aliases are ``borrowed`` are left alone.
    """
    _each_own(opened, borrowed, _refresh)
    leave = _leave_clean
    try:
        yield
    except (RunTimedOut, RunCancelled):
        leave = _discard  # interrupted on any line, perhaps in the middle of a query
        raise
    finally:
        _each_own(_connections(), borrowed, leave)
        timezone.deactivate()
        translation.deactivate()


def _borrowed(opened: Sequence[Any]) -> set[str]:
    """The connections that are inside somebody's transaction: they belong to a caller (a test, an inline run)."""
    return {connection.alias for connection in opened if connection.in_atomic_block}


def _connections() -> Sequence[Any]:
    return connections.all(initialized_only=True)


def _each_own(opened: Sequence[Any], borrowed: Collection[str], act: Callable[[Any], None]) -> None:
    for connection in opened:
        if connection.alias not in borrowed:
            try:
                act(connection)
            except Exception:  # whatever a function did to it, the outcome must still be told
                logger.warning("The connection %r is thrown away after a run", connection.alias, exc_info=True)
                _discard(connection)


def _refresh(connection: Any) -> None:
    connection.close_if_unusable_or_obsolete()


def _leave_clean(connection: Any) -> None:
    """Close what is obsolete; throw away a connection on which the function left a transaction open."""
    if connection.connection is None:
        return
    if connection.in_atomic_block or connection.autocommit != connection.settings_dict["AUTOCOMMIT"]:
        _discard(connection)
    else:
        connection.close_if_unusable_or_obsolete()


def _discard_all() -> None:
    for connection in _connections():
        _discard(connection)


def _discard(connection: Any) -> None:
    # Django's close() only marks a connection that is inside a transaction; the transaction must end, and the wrapper's
    # belief to be inside one with it. A new wrapper is made on the next use.
    if database.shares_memory(connection):
        _reset(connection)
        return
    with suppress(Exception):
        connection.connection.close()
    connection.connection = None  # for whoever still holds the wrapper
    del connections[connection.alias]


def _reset(connection: Any) -> None:
    """An in-memory database would go with its connection, so that one only begins anew."""
    with suppress(Exception):
        connection.connection.rollback()
    connection.in_atomic_block = connection.needs_rollback = connection.closed_in_transaction = False
    connection.savepoint_ids, connection.atomic_blocks, connection.run_on_commit = [], [], []
    connection.set_autocommit(connection.settings_dict["AUTOCOMMIT"])
