"""Runs in threads of the node's process."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from queue import SimpleQueue
from typing import ClassVar

from django.db import connections

from django_sched_tasks import live, runner
from django_sched_tasks.exceptions import RunCancelled, RunTimedOut
from django_sched_tasks.executors.base import BaseExecutor, Done
from django_sched_tasks.executors.watchdog import Watchdog
from django_sched_tasks.models.transitions import Claim, Outcome
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

Work = tuple[Claim, ResolvedFunction, Done]


class _Job:
    """What one thread is at; its outcome is told once, by whoever comes first."""

    def __init__(self, claim: Claim, done: Done) -> None:
        self.claim = claim
        self.done = done
        self.began = time.perf_counter()
        self.is_told = False


class ThreadExecutor(BaseExecutor):
    """A fixed number of threads.

    They are daemons, unlike those of ``concurrent.futures``: a function that never ends must not keep a web server from
    stopping. The engine waits for runs as long as it may, then tells the truth about the rest.

    A thread cannot be killed. One that has not ended a second after its timeout is told as timed out all the same; it
    goes on, holds its slot as a stuck one, and whatever comes of it is ignored.
    """

    supports_async: ClassVar[bool] = True
    supports_timeout: ClassVar[bool] = True
    supports_cancel: ClassVar[bool] = True

    def __init__(self, alias: str, *, max_workers: int = 10) -> None:
        super().__init__(alias, max_workers=max_workers)
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._watchdog = Watchdog()
        self._lock = threading.Lock()
        self._stuck = 0

    def start(self) -> None:
        for number in range(self.slots):
            threading.Thread(target=self._serve, name=f"sched-tasks-{self.alias}-{number}", daemon=True).start()

    def submit(self, claim: Claim, function: ResolvedFunction, done: Done) -> None:
        self._work.put((claim, function, done))

    def cancel(self, execution_id: int) -> None:
        live.cancel(execution_id)

    def stuck(self) -> int:
        return self._stuck

    def shutdown(self) -> None:
        self._watchdog.stop()
        for _ in range(self.slots):
            self._work.put(None)

    def _serve(self) -> None:
        ident = threading.get_ident()
        interrupt = partial(self._watchdog.cancel, ident)
        while (work := self._work.get()) is not None:
            claim, function, done = work
            job = _Job(claim, done)
            limit = partial(self._watchdog.limit, on_stuck=partial(self._give_up, job))
            try:
                outcome = runner.run(claim, function, limit=limit, interrupt=interrupt)
            except (RunTimedOut, RunCancelled) as error:  # on the threshold of the limit, where nobody caught it
                outcome = runner.failed(claim, error, time.perf_counter() - job.began)
            self._watchdog.release()
            self._end(job, outcome)
            del work, claim, function, done, job, limit, outcome  # hold no arguments while waiting
        connections.close_all()

    def _end(self, job: _Job, outcome: Outcome) -> None:
        with self._lock:
            was_told, job.is_told = job.is_told, True
            self._stuck -= was_told
        if was_told:
            logger.warning(
                "Execution %s, told as timed out, has ended after all (%s); its slot is free again.",
                *(outcome.execution_id, outcome.status),
            )
            self.on_free()
        else:
            job.done(job.claim, outcome)

    def _give_up(self, job: _Job) -> None:
        """Its thread goes on past its time, and nothing helps: say so now."""
        with self._lock:
            if job.is_told:
                return
            job.is_told = True
            self._stuck += 1
        logger.warning("Execution %s does not end at its timeout; its thread holds a slot.", job.claim.id)
        job.done(job.claim, runner.given_up(job.claim, round(time.perf_counter() - job.began, 6)))
