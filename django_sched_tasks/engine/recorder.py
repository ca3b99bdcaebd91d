"""Start marks and finishes, committed in groups; the recorder feeds the executors.

One thread of the node waits for work that has ended and for claims that a free slot could take. It writes all that has
gathered in one transaction, and only then hands the started claims to their executors: a function is never called
before its ``running`` is committed, and no worker waits for a commit of its own. The busier the node, the larger the
groups.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from django.db import connections
from django.dispatch import Signal

from django_sched_tasks import conf, database, runner, signals
from django_sched_tasks.engine import group
from django_sched_tasks.engine.clock import DatabaseClock
from django_sched_tasks.engine.node import Node
from django_sched_tasks.executors import BaseExecutor
from django_sched_tasks.models import ExecutionStatus, Reason, TaskExecution
from django_sched_tasks.models.transitions import Claim, Outcome
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

GATHER = 0.0005  # seconds that a group waits for more after its first member
OUTAGE_PAUSE = 1.0

Accepted = tuple[Claim, ResolvedFunction]


class Recorder:
    """Owns the node's backlog of claims, its count of busy slots, and every commit about a run."""

    def __init__(
        self,
        node: Node,
        executors: Mapping[str, BaseExecutor],
        clock: DatabaseClock,
        on_room: Callable[[], None],
    ) -> None:
        self._node = node
        self._executors = executors
        self._clock = clock
        self._on_room = on_room
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._ended: deque[Outcome] = deque()
        self._backlog: dict[str, deque[Accepted]] = {alias: deque() for alias in executors}
        self._busy: Counter[str] = Counter()
        self._running: dict[int, Claim] = {}
        self._starting = True  # False: no more starts, the node drains
        self.left_some = False  # whether the last claim left due executions in the queue
        self._writing = False  # a group is on its way into the database
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="sched-tasks-recorder", daemon=True)

    # What the scheduler's thread calls.

    def start(self) -> None:
        self._thread.start()

    def capacity(self, alias: str) -> int:
        """How many claims the executor's backlog may still take."""
        with self._lock:
            if not self._starting:
                return 0
            taken = self._busy[alias] + len(self._backlog[alias])
        return max(self._executors[alias].slots + conf.prefetch() - taken, 0)

    def accept(self, claim: Claim, function: ResolvedFunction) -> None:
        with self._lock:
            self._backlog[claim.executor].append((claim, function))
        self._work.set()

    def slots_in_use(self) -> int:
        with self._lock:
            return sum(self._busy.values())

    # What the executors' threads call.

    def ended(self, claim: Claim, outcome: Outcome) -> None:
        """A run has ended; its slot is free at once, its row is finished with the next group."""
        stamped = replace(outcome, finished_at=self._clock.now())
        with self._lock:
            self._busy[claim.executor] -= 1
            self._running.pop(claim.id, None)
            self._ended.append(stamped)
        self._work.set()

    # Draining.

    def stop_starting(self) -> list[int]:
        """Start nothing more; answers what was claimed and has not started, to be handed back."""
        with self._lock:
            self._starting = False
            claims = [claim.id for backlog in self._backlog.values() for claim, _ in backlog]
            for backlog in self._backlog.values():
                backlog.clear()
        return claims

    def running(self) -> list[Claim]:
        with self._lock:
            return list(self._running.values())

    def is_idle(self) -> bool:
        """Nothing runs, and all that has ended is written, with what followed from it."""
        with self._lock:
            return not self._running and not self._ended and not self._writing

    def stop(self, timeout: float) -> None:
        self._stop = True
        self._work.set()
        self._thread.join(timeout)

    # The recorder's own thread.

    def _run(self) -> None:
        database.adopt_own_connection()
        pending: group.Group | None = None
        while not (self._stop and pending is None and not self._ended):
            if pending is None:
                self._work.wait()
                self._work.clear()
                time.sleep(GATHER)
                pending = self._gather()
            if pending is not None:
                pending = self._commit(pending)
                self._writing = pending is not None
        connections.close_all()

    def _gather(self) -> group.Group | None:
        """Take what has ended, and as many claims as there are free slots."""
        with self._lock:
            ended = list(self._ended)
            self._ended.clear()
            starts: list[Accepted] = []
            for alias, backlog in self._backlog.items():
                free = self._executors[alias].slots - self._busy[alias]
                while backlog and free > 0 and self._starting:
                    starts.append(backlog.popleft())
                    free -= 1
            self._busy.update(claim.executor for claim, _ in starts)
            self._running.update((claim.id, claim) for claim, _ in starts)
            self._writing = bool(ended or starts)
        return group.Group(ended, starts) if ended or starts else None

    def _commit(self, pending: group.Group) -> group.Group | None:
        """Write a group; answers what has to be tried again."""
        try:
            result = database.retrying(lambda: group.write(pending, self._clock.now(), self._node.using))
        except Exception as error:
            return self._after_error(pending, error)
        self._hand_over(pending, result)
        return None

    def _after_error(self, pending: group.Group, error: Exception) -> group.Group | None:
        connections[self._node.using].close()
        if database.is_outage(error) or not pending.can_split:
            if not database.is_outage(error) and pending.is_single:
                return self._give_up(pending, error)
            logger.warning("Runs cannot be recorded, trying again: %s", error)
            time.sleep(OUTAGE_PAUSE)
            return None if self._stop else pending
        # One value that the database refuses must not hold up the others: find it by halves.
        logger.warning("A group of runs cannot be recorded as one, trying its halves: %s", error)
        halves = [self._commit(half) for half in pending.halves()]
        rest = [half for half in halves if half is not None]
        return group.Group.join(rest) if rest else None

    def _give_up(self, pending: group.Group, error: Exception) -> group.Group | None:
        """The one row that cannot be written as it is: its outcome is written without what the function gave."""
        if not pending.ended:
            self._drop_starts(pending.starts)
            return None
        outcome = pending.ended[0]
        if outcome.error.startswith("Not recorded"):
            logger.error("Execution %s cannot be recorded at all: %s", outcome.execution_id, error)
            return None
        plain = replace(
            outcome,
            status=ExecutionStatus.FAILED.value,
            result=None,
            error=f"Not recorded, the database refused the outcome: {type(error).__name__}",
            traceback="",
            output="",
        )
        return group.Group([plain], [])

    def _drop_starts(self, starts: Sequence[Accepted]) -> None:
        """Claims that are ours no longer; the slots that they gave up are for the rest of the backlog."""
        if not starts:
            return
        with self._lock:
            for claim, _ in starts:
                self._busy[claim.executor] -= 1
                self._running.pop(claim.id, None)
        self._work.set()

    def _hand_over(self, done: group.Group, result: group.Result) -> None:
        started = set(result.started)
        self._drop_starts([item for item in done.starts if item[0].id not in started])
        for claim, function in done.starts:
            if claim.id in started:
                self._announce_start(claim)
                self._submit(claim, function)
        self._announce_ends(result)
        if result.let_in or self._wants_more():
            self._on_room()

    def _submit(self, claim: Claim, function: ResolvedFunction) -> None:
        """An executor that refuses fails the run; the recorder goes on for the others."""
        try:
            self._executors[claim.executor].submit(claim, function, self.ended)
        except Exception as error:
            logger.exception("Executor %r did not take execution %s.", claim.executor, claim.id)
            self.ended(claim, runner.failed(claim, error, 0.0))

    def _wants_more(self) -> bool:
        """Whether the scheduler should claim again before the slots run dry."""
        if not self.left_some:
            return False
        with self._lock:
            return self._starting and any(len(backlog) <= conf.prefetch() // 2 for backlog in self._backlog.values())

    def _announce_start(self, claim: Claim) -> None:
        if signals.execution_started.receivers:
            _send(signals.execution_started, claim, ExecutionStatus.RUNNING)

    def _announce_ends(self, result: group.Result) -> None:
        if signals.execution_finished.receivers:
            for outcome in result.ended:
                _send(signals.execution_finished, outcome, outcome.status, outcome.reason)
            for claim in result.missed:
                _send(signals.execution_finished, claim, ExecutionStatus.MISSED, Reason.GRACE)


def _send(signal: Signal, run: Claim | Outcome, status: str, reason: str = "") -> None:
    signals.send(
        signal,
        TaskExecution,
        execution_id=run.id if isinstance(run, Claim) else run.execution_id,
        task_id=run.task_id,
        job_id=run.job_id,
        status=str(status),
        reason=reason,
    )
