"""What a function can learn about the execution that is calling it, and tell of it."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from dataclasses import InitVar, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

LONGEST_MESSAGE = 255
LARGEST_AMOUNT = 1e18


class LiveSide(Protocol):
    """What goes on of a run while it goes on; :class:`django_sched_tasks.live.Run` is it."""

    @property
    def cancel_requested(self) -> bool: ...

    def set_progress(self, progress: dict[str, Any]) -> None: ...


class _HasLiveSide:
    """A place for it that is no field, so that the context can be copied, compared and turned into a dict."""

    __slots__ = ("_live",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionContext(_HasLiveSide):
    """The execution in whose name the current code runs.

    ``fire_at`` is the nominal instant (aware, UTC), not the moment of the start. ``idempotency_key`` is the same for
    every attempt at one fire time or request: hand it to outside systems that can tell a repetition. ``deadline``
    (aware, UTC, by this host's clock) is when its timeout passes; None without one. ``parent`` is the id of the
    execution whose end set this one off.
    """

    id: int
    task_id: int | None
    job_id: str
    kind: str
    fire_at: datetime
    attempt: int
    idempotency_key: str
    deadline: datetime | None = None
    parent: int | None = None
    side: InitVar[LiveSide | None] = None

    def __post_init__(self, side: LiveSide | None) -> None:
        object.__setattr__(self, "_live", side)

    @property
    def live(self) -> LiveSide | None:
        """The engine's, for what goes on meanwhile; None in a copy of this object."""
        found: LiveSide | None = getattr(self, "_live", None)
        return found

    @property
    def cancel_requested(self) -> bool:
        """Whether somebody wants the run to end. A function that returns after it has seen this is ``cancelled``."""
        return self.live is not None and self.live.cancel_requested

    def set_progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell how far the run is; cheap, so call it as often as you like. The row follows about once a second.

        Raises:
            TypeError: ``done`` or ``total`` is no number, or ``message`` no text.
            ValueError: a number is negative, not finite or above 1e18.
        """
        progress = {"done": _amount("done", done), "total": None, "message": _message(message)}
        if total is not None:
            progress["total"] = _amount("total", total)
        if self.live is not None:
            self.live.set_progress(progress)

    @property
    def logger(self) -> RunLogger:
        """A logger for this run's output, from whatever thread; it also goes where the site sends its logs."""
        return RunLogger(self)


def _amount(name: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"set_progress: {name} is {value!r}; it must be a number, such as 3 of total 10.")
    if not 0 <= value <= LARGEST_AMOUNT:  # not so for NaN either
        raise ValueError(f"set_progress: {name} is {value!r}; it must be from 0 to {LARGEST_AMOUNT:.0e}.")
    return value


def _message(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"set_progress: message is {value!r}; it must be text.")
    return value if len(value) <= LONGEST_MESSAGE else value[: LONGEST_MESSAGE - 1] + "…"


class RunLogger(_Adapter):
    """Logs in the name of one run, also from threads that know nothing of it."""

    def __init__(self, execution: ExecutionContext) -> None:
        super().__init__(logging.getLogger("django_sched_tasks.run"), None)
        self._execution = execution

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        token = enter(self._execution)
        try:
            kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # this method is not where it was logged
            super().log(level, msg, *args, **kwargs)
        finally:
            leave(token)


_current: ContextVar[ExecutionContext | None] = ContextVar("django_sched_tasks_execution", default=None)

enter = _current.set
leave = _current.reset


def current_execution() -> ExecutionContext | None:
    """The execution that is being run in this thread or coroutine; None outside a run."""
    return _current.get()
