"""What an engine asks of an executor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from django_sched_tasks.models.transitions import Claim, Outcome
from django_sched_tasks.registry import ResolvedFunction

Done = Callable[[Claim, Outcome], None]


class BaseExecutor(ABC):
    """Runs executions that have been marked as running, at most ``slots`` at a time.

    The engine never submits more than there are free slots, so an executor needs no queue of its own.
    """

    supports_async: ClassVar[bool] = False
    """Can it run ``async def`` functions?"""
    supports_timeout: ClassVar[bool] = False
    """Can it end a run that takes too long?"""
    supports_cancel: ClassVar[bool] = False
    """Can it end a run that somebody wants stopped?"""
    isolates_crashes: ClassVar[bool] = False
    """Does the node live on when a function crashes the interpreter?"""
    dispatches: ClassVar[bool] = False
    """Does it send executions to workers outside the nodes, instead of running them itself?"""

    def __init__(self, alias: str, *, max_workers: int = 10) -> None:
        self.alias = alias
        self.slots = max_workers
        self.on_free: Callable[[], None] = lambda: None
        """The engine's: to be called when a stuck slot is free again."""

    @property
    def is_paused(self) -> bool:
        """Does it take nothing for a while?"""
        return False

    @abstractmethod
    def start(self) -> None:
        """Get ready to run; called once, in the process and after the fork in which the runs happen."""

    @abstractmethod
    def submit(self, claim: Claim, function: ResolvedFunction, done: Done) -> None:
        """Run the claim and call ``done`` with the outcome, exactly once, from whatever thread."""

    def cancel(self, execution_id: int) -> None:  # noqa: B027 - an executor may be unable to
        """Ask that a run ends; its outcome arrives by ``done`` as ever. From whatever thread, and more than once.

        One that has ended meanwhile, or that cannot be ended, is left alone.
        """

    def stuck(self) -> int:
        """How many slots are held by runs whose outcome is told already, because nothing could end them."""
        return 0

    @abstractmethod
    def shutdown(self) -> None:
        """Take no more; do not wait for what is running."""
