"""What executors have in common that send executions to workers outside the nodes."""

from __future__ import annotations

import logging
import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from queue import SimpleQueue
from typing import ClassVar

from django.db import close_old_connections, connections

from django_sched_tasks.executors.base import BaseExecutor, Done
from django_sched_tasks.models import ExecutionStatus, TaskExecution
from django_sched_tasks.models.transitions import Claim
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

Sent = Callable[[Claim, bool], None]
Message = tuple[Claim, ResolvedFunction, Sent]

SENDERS = 4  # threads: one slow send does not hold up the others, nor the node
# Executions that are with the workers, or on their way to them from whatever node.
OUT = (ExecutionStatus.CLAIMED, ExecutionStatus.DISPATCHED, ExecutionStatus.RUNNING)
BATCH = 200  # claims that wait to be sent at most
DISPATCH_TIMEOUT = 3600.0  # seconds
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0


class DispatchingExecutor(BaseExecutor):
    """Sends a message for each execution; a worker that gets it runs it by :mod:`django_sched_tasks.worker`.

    A message says which execution, and is heeded once: the row knows its id before it is sent. So a message that a
    broker delivers twice starts nothing twice, and one that could not be sent for sure may be sent anew.

    Args:
        max_workers: how many executions may be with the workers at once, waiting or running; None for no limit.
        dispatch_timeout: after so many seconds without having started, one counts as lost. ``executor_options`` of a
            task may say otherwise.
    """

    dispatches: ClassVar[bool] = True

    def __init__(
        self, alias: str, *, max_workers: int | None = None, dispatch_timeout: float = DISPATCH_TIMEOUT
    ) -> None:
        super().__init__(alias, max_workers=0)
        self._most_open = max_workers
        self._messages: SimpleQueue[Message | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._failures = 0
        self._resume_at = 0.0

    @abstractmethod
    def send(self, claim: Claim, function: ResolvedFunction) -> None:
        """Send the message of a claim; raises whatever keeps it from being sent."""

    def start(self) -> None:
        for number in range(SENDERS):
            threading.Thread(target=self._serve, name=f"sched-tasks-{self.alias}-{number}", daemon=True).start()

    def room(self, waiting: int, using: str) -> int:
        """How many claims it may still take, while ``waiting`` are not sent yet."""
        if self.is_paused:
            return 0
        room = BATCH - waiting
        if self._most_open is not None:
            out = TaskExecution.objects.using(using).open().filter(executor=self.alias, status__in=OUT)
            room = min(room, self._most_open - out.count())
        return max(room, 0)

    @property
    def is_paused(self) -> bool:
        return time.monotonic() < self._resume_at

    def dispatch(self, claim: Claim, function: ResolvedFunction, sent: Sent) -> None:
        """Send it soon, and call ``sent`` with whether that went well, exactly once."""
        self._messages.put((claim, function, sent))

    def submit(self, claim: Claim, function: ResolvedFunction, done: Done) -> None:
        raise NotImplementedError("What is dispatched does not run on the node.")

    def shutdown(self) -> None:
        for _ in range(SENDERS):
            self._messages.put(None)

    def _serve(self) -> None:
        while (message := self._messages.get()) is not None:
            claim, function, sent = message
            sent(claim, self._try(claim, function))
            del message, claim, function, sent  # hold no arguments while waiting
        connections.close_all()

    def _try(self, claim: Claim, function: ResolvedFunction) -> bool:
        if self.is_paused:
            return False
        close_old_connections()
        try:
            self.send(claim, function)
        except Exception as error:
            self._pause(claim, error)
            return False
        finally:
            close_old_connections()
        if self._failures:
            with self._lock:
                self._failures = 0
            logger.info("Executor %r can send again.", self.alias)
        return True

    def _pause(self, claim: Claim, error: Exception) -> None:
        """Nothing is lost: what could not be sent goes back to the queue, and is tried again after a growing pause."""
        with self._lock:
            if self.is_paused:
                return  # another thread has met the same
            pause = min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE)
            self._failures += 1
            self._resume_at = time.monotonic() + pause
        logger.log(
            logging.WARNING if self._failures == 1 else logging.DEBUG,
            "Executor %r cannot send execution %s, trying again in %.0f s: %r",
            self.alias,
            claim.id,
            pause,
            error,
        )
