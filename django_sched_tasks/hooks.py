"""Where other apps take part in executions, without the engine knowing them.

Each hook is a list of callables, to which an app appends its own in ``AppConfig.ready()``. Nobody pays for an empty
list, and an exception in a hook is logged and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_sched_tasks.models.transitions import Claim

logger = logging.getLogger(__name__)

Hide = Callable[[str], str]
"""A text about the run without its secrets."""

around_run: list[Callable[[Claim, Hide], AbstractContextManager[Any]]] = []
"""Entered where a function is about to be called, in its own thread and process, and left when it has returned or
raised. ``current_execution()`` is set meanwhile."""

broken_off: list[Callable[[Claim, BaseException, float], None]] = []
"""Called in the node for a run that ends without its function having returned or raised: its process died or was
killed, or its thread goes on past its time. With what it ended by, and the seconds that it took."""

gatherers: list[Callable[[], dict[str, Any]]] = []
"""What goes along with an execution that somebody asks for, as JSON knows it: it is kept in ``headers``."""

is_child = False
"""Whether this process runs for a node and may be killed once it has told how a run ended: then nothing may be left to
be sent later."""


@contextmanager
def around(claim: Claim, hide: Hide) -> Iterator[None]:
    with ExitStack() as stack:
        for hook in around_run:
            stack.enter_context(_Guarded(hook, claim, hide))
        yield


def tell_broken_off(claim: Claim, error: BaseException, duration: float) -> None:
    for hook in broken_off:
        try:
            hook(claim, error, duration)
        except Exception:
            logger.exception("%r failed after execution %s was broken off", hook, claim.id)


def gather() -> dict[str, Any] | None:
    """What the gatherers give; None where they give nothing."""
    headers: dict[str, Any] = {}
    for gatherer in gatherers:
        try:
            headers |= gatherer()
        except Exception:
            logger.exception("%r failed for an execution that is asked for", gatherer)
    return headers or None


class _Guarded:
    """A hook's context manager, whose faults are not the run's, and which cannot swallow the run's."""

    def __init__(self, hook: Callable[[Claim, Hide], AbstractContextManager[Any]], claim: Claim, hide: Hide) -> None:
        self._hook = hook
        self._claim = claim
        self._hide = hide
        self._manager: AbstractContextManager[Any] | None = None

    def __enter__(self) -> None:
        try:
            manager = self._hook(self._claim, self._hide)
            manager.__enter__()
            self._manager = manager
        except Exception:
            logger.exception("%r failed before execution %s", self._hook, self._claim.id)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._manager is None:
            return
        try:
            self._manager.__exit__(kind, error, trace)
        except Exception as fault:
            if fault is not error:
                logger.exception("%r failed after execution %s", self._hook, self._claim.id)
