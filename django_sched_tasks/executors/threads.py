"""Runs in threads of the node's process."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import ClassVar

from django.db import connections

from django_sched_tasks import runner
from django_sched_tasks.executors.base import BaseExecutor, Done
from django_sched_tasks.executors.watchdog import Watchdog
from django_sched_tasks.models.transitions import Claim
from django_sched_tasks.registry import ResolvedFunction

Work = tuple[Claim, ResolvedFunction, Done]


class ThreadExecutor(BaseExecutor):
    """A fixed number of threads.

    They are daemons, unlike those of ``concurrent.futures``: a function that never ends must not keep a web server from
    stopping. The engine waits for runs as long as it may, then tells the truth about the rest.
    """

    supports_async: ClassVar[bool] = True
    supports_timeout: ClassVar[bool] = True

    def __init__(self, alias: str, *, max_workers: int = 10) -> None:
        super().__init__(alias, max_workers=max_workers)
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._watchdog = Watchdog()

    def start(self) -> None:
        for number in range(self.slots):
            threading.Thread(target=self._serve, name=f"sched-tasks-{self.alias}-{number}", daemon=True).start()

    def submit(self, claim: Claim, function: ResolvedFunction, done: Done) -> None:
        self._work.put((claim, function, done))

    def shutdown(self) -> None:
        self._watchdog.stop()
        for _ in range(self.slots):
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            claim, function, done = work
            done(claim, runner.run(claim, function, limit=self._watchdog.limit))
            del work, claim, function, done  # hold no arguments while waiting
        connections.close_all()
