"""What a function can learn about the execution that is calling it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionContext:
    """The execution in whose name the current code runs.

    ``fire_at`` is the nominal instant (aware, UTC), not the moment of the start. ``idempotency_key`` is the same for
    every attempt at one fire time or request: hand it to outside systems that can tell a repetition.
    """

    id: int
    task_id: int | None
    job_id: str
    kind: str
    fire_at: datetime
    attempt: int
    idempotency_key: str


_current: ContextVar[ExecutionContext | None] = ContextVar("django_sched_tasks_execution", default=None)

enter = _current.set
leave = _current.reset


def current_execution() -> ExecutionContext | None:
    """The execution that is being run in this thread or coroutine; None outside a run."""
    return _current.get()
