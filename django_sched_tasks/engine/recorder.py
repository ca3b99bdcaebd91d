"""Start marks and finishes, committed in groups; the recorder feeds the executors.

A thread of the node waits for work that has ended and for claims that a free slot could take. It writes all that has
gathered in one transaction, and only then hands the started claims to their executors: a function is never called
before its ``running`` is committed, and no worker waits for a commit of its own. The busier the node, the larger the
groups. On PostgreSQL there are two such threads, so that one writes while the other gathers; each group is one
transaction of one of them, and they share nothing but what has gathered.

Claims of an executor that dispatches are marked as dispatched instead, and handed to it to be sent. They take no slot;
once their message is out they are the node's no longer.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from django.db import connections

from django_sched_tasks import conf, database, recording, runner
from django_sched_tasks.engine.clock import DatabaseClock
from django_sched_tasks.engine.node import Node
from django_sched_tasks.executors import BaseExecutor, DispatchingExecutor
from django_sched_tasks.models import Kind
from django_sched_tasks.models.transitions import Claim, Outcome, Room
from django_sched_tasks.recording import Accepted
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

GATHER = 0.0005  # seconds that a group waits for more after its first member
OUTAGE_PAUSE = 1.0


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
        self._sent: deque[Claim] = deque()
        self._unsent: deque[Claim] = deque()
        # By id, in the order of their arrival: a node that was given up may claim anew what it has here already.
        self._backlog: dict[str, dict[int, Accepted]] = {alias: {} for alias in executors}
        self._busy: Counter[str] = Counter()
        self._busy_in: Counter[str] = Counter()  # the same by queue, without what is only to be sent
        self._running: dict[int, Claim] = {}
        self._starting = True  # False: no more starts, the node drains
        self.left_some = False  # whether the last claim left due executions in the queue
        self._writers: set[int] = set()  # the threads whose group is on its way into the database
        self._stop = False
        for executor in executors.values():
            executor.on_free = self._work.set
        self._threads = [
            threading.Thread(target=self._run, name=f"sched-tasks-recorder-{number}", daemon=True)
            for number in range(2 if connections[node.using].vendor == "postgresql" else 1)
        ]

    # What the scheduler's thread calls.

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def room(self, alias: str, queues: dict[str, int]) -> Room:
        """What the next claim for an executor may take of what is limited; ``queues`` is shared by a pass's claims.

        What is only sent from here takes no slot. Backfill leaves half of the slots to what is due now.
        """
        executor = self._executors[alias]
        if executor.dispatches:
            return Room()
        with self._lock:
            claims = [claim for claim in self._running.values() if claim.executor == alias]
            claims += [claim for claim, _ in self._backlog[alias].values()]
        taken = sum(claim.kind == Kind.BACKFILL for claim in claims)
        return Room(queues, max(max(executor.slots // 2, 1) - taken, 0))

    def paused(self) -> list[str]:
        """The executors that take nothing for a while, since what they would send to cannot be reached."""
        return [alias for alias, executor in self._executors.items() if executor.is_paused]

    def capacity(self, alias: str) -> int:
        """How many claims the executor's backlog may still take."""
        executor = self._executors[alias]
        with self._lock:
            if not self._starting:
                return 0
            taken = self._busy[alias] + executor.stuck() + len(self._backlog[alias])
        if isinstance(executor, DispatchingExecutor):
            return executor.room(taken, self._node.using)
        return max(executor.slots + conf.prefetch() - taken, 0)

    def queue_room(self) -> dict[str, int]:
        """How many more runs the node may take from each queue that has slots of its own."""
        slots = self._node.queue_slots
        if not slots:
            return {}
        with self._lock:
            taken = self._busy_in.copy()
            for alias, backlog in self._backlog.items():
                if not self._executors[alias].dispatches:
                    taken.update(claim.queue for claim, _ in backlog.values())
        return {queue: max(limit - taken[queue], 0) for queue, limit in slots.items()}

    def accept(self, claim: Claim, function: ResolvedFunction) -> None:
        """Take over a claim.

        Others may have declared this node dead and released what it holds while it stood still. Until it learns of
        that it may claim the same execution anew, by the same name. The row cannot tell the two claims apart, so one of
        them goes: the older from the backlog, the newer where the older is on its way to start.
        """
        if self._executors[claim.executor].dispatches:
            claim = replace(claim, message_id=str(uuid.uuid4()))
        with self._lock:
            started = self._running.get(claim.id)
            if started is not None and _identity(started) == _identity(claim):
                return
            self._backlog[claim.executor][claim.id] = claim, function
        self._work.set()

    def slots_in_use(self) -> int:
        with self._lock:
            busy = sum(busy for alias, busy in self._busy.items() if not self._executors[alias].dispatches)
        return busy + self.stuck_slots()

    def stuck_slots(self) -> int:
        """Of those in use, the ones whose run is told already and goes on all the same."""
        return sum(executor.stuck() for executor in self._executors.values())

    # What the executors' threads call.

    def ended(self, claim: Claim, outcome: Outcome) -> None:
        """A run has ended; its slot is free at once, its row is finished with the next group."""
        outcome.finished_at = self._clock.now()
        with self._lock:
            self._set_free(claim)
            self._ended.append(outcome)
        self._work.set()

    def sent(self, claim: Claim, has_gone: bool) -> None:
        """The message about a claim is out, or could not be sent, and the claim goes back to the queue."""
        with self._lock:
            self._set_free(claim)
            (self._sent if has_gone else self._unsent).append(claim)
        self._work.set()

    # Draining.

    def stop_starting(self) -> list[int]:
        """Start nothing more; answers what was claimed and has not started, to be handed back."""
        with self._lock:
            self._starting = False
        return self.withdraw()

    def withdraw(self) -> list[int]:
        """What was claimed and has not started is not to start here; answers it, to be handed back."""
        with self._lock:
            claims = [claim_id for backlog in self._backlog.values() for claim_id in backlog]
            for backlog in self._backlog.values():
                backlog.clear()
        return claims

    def running(self) -> list[Claim]:
        """What runs on this node; a message that is only now on its way is not."""
        with self._lock:
            return [claim for claim in self._running.values() if not claim.message_id]

    def is_idle(self) -> bool:
        """Nothing runs, and all that has ended is written, with what followed from it."""
        with self._lock:
            return not (self._running or self._ended or self._sent or self._unsent or self._writers)

    def stop(self, timeout: float) -> None:
        self._stop = True
        self._work.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(deadline - time.monotonic(), 0.0))

    # The recorder's own threads.

    def _run(self) -> None:
        database.adopt_own_connection()
        pending: recording.Group | None = None
        while not (self._stop and pending is None and not (self._ended or self._sent or self._unsent)):
            try:
                pending = self._next(pending)
            except Exception:
                # Not again: what of it has been handed over must not be started twice.
                logger.exception("Recording runs met an error that nobody expected; it goes on with the next ones.")
                pending = None
                self._writers.discard(threading.get_ident())
        self._work.set()  # the other one is to see that it is to stop, too
        connections.close_all()

    def _next(self, pending: recording.Group | None) -> recording.Group | None:
        """Write what was to be tried again, else what has gathered; answers what is to be tried again."""
        if pending is None:
            self._work.wait()
            self._work.clear()
            if not self._is_complete():
                time.sleep(GATHER)
            pending = self._gather()
        if pending is not None:
            pending = self._commit(pending)
            if pending is None:
                self._writers.discard(threading.get_ident())
        return pending

    def _is_complete(self) -> bool:
        """Whether nothing could join the next group: no run is under way, and there is a claim for every slot."""
        if self._running:
            return False
        return all(len(self._backlog[alias]) >= executor.slots for alias, executor in self._executors.items())

    def _gather(self) -> recording.Group | None:
        """Take what has ended or was sent, and as many claims as there are free slots."""
        with self._lock:
            starts: list[Accepted] = []
            for alias, backlog in self._backlog.items():
                executor = self._executors[alias]
                free = executor.slots - self._busy[alias] - executor.stuck()
                if executor.dispatches:
                    free = len(backlog)
                while backlog and free > 0 and self._starting:
                    starts.append(backlog.pop(next(iter(backlog))))
                    free -= 1
            for claim, _ in starts:
                self._take_slot(claim)
            group = recording.Group(list(self._ended), starts, list(self._sent), list(self._unsent))
            for gathered in (self._ended, self._sent, self._unsent):
                gathered.clear()
            if not group.is_empty:
                self._writers.add(threading.get_ident())
        return None if group.is_empty else group

    def _take_slot(self, claim: Claim) -> None:
        self._busy[claim.executor] += 1
        self._running[claim.id] = claim
        if not claim.message_id:
            self._busy_in[claim.queue] += 1

    def _set_free(self, claim: Claim) -> None:
        self._busy[claim.executor] -= 1
        running = self._running.get(claim.id)
        if running is not None and _identity(running) == _identity(claim):
            del self._running[claim.id]
        if not claim.message_id:
            self._busy_in[claim.queue] -= 1

    def _commit(self, pending: recording.Group) -> recording.Group | None:
        """Write a group; answers what has to be tried again."""
        try:
            result = database.retrying(lambda: recording.commit(pending, self._clock.now(), self._node.using))
        except Exception as error:
            return self._after_error(pending, error)
        self._hand_over(pending, result)
        recording.follow_up(result, self._clock.now(), self._node.using)  # while what was handed over runs
        recording.announce_return(result.handed_back)
        recording.announce_ends(result)
        if result.let_in or self._wants_more():
            self._on_room()
        return None

    def _after_error(self, pending: recording.Group, error: Exception) -> recording.Group | None:
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
        return recording.Group.join(rest) if rest else None

    def _give_up(self, pending: recording.Group, error: Exception) -> recording.Group | None:
        """The one row that cannot be written as it is: its outcome is written without what the function gave."""
        rest = recording.Group([], [], pending.sent, pending.unsent)
        if not pending.ended:
            self._drop_starts(pending.starts)
            return None if rest.is_empty else rest
        outcome = pending.ended[0]
        if outcome.error.startswith(recording.NOT_RECORDED):
            logger.error("Execution %s cannot be recorded at all: %s", outcome.execution_id, error)
            return None if rest.is_empty else rest
        return replace(rest, ended=[recording.without_values(outcome, error)])

    def _drop_starts(self, starts: Sequence[Accepted]) -> None:
        """Claims that are ours no longer; the slots that they gave up are for the rest of the backlog."""
        if not starts:
            return
        with self._lock:
            for claim, _ in starts:
                self._set_free(claim)
        self._work.set()

    def _hand_over(self, done: recording.Group, result: recording.Result) -> None:
        started = {_identity(claim) for claim in result.started}
        self._drop_starts([item for item in done.starts if _identity(item[0]) not in started])
        for claim, function in done.starts:
            if _identity(claim) in started:
                self._submit(claim, function)

    def _submit(self, claim: Claim, function: ResolvedFunction) -> None:
        """An executor that refuses fails the run; the recorder goes on for the others."""
        executor = self._executors[claim.executor]
        if isinstance(executor, DispatchingExecutor):
            recording.announce_dispatch(claim)
            executor.dispatch(claim, function, self.sent)
            return
        recording.announce_start(claim)
        try:
            executor.submit(claim, function, self.ended)
        except Exception as error:
            logger.exception("Executor %r did not take execution %s.", claim.executor, claim.id)
            self.ended(claim, runner.failed(claim, error, 0.0))

    def _wants_more(self) -> bool:
        """Whether the scheduler should claim again before the slots run dry."""
        if not self.left_some:
            return False
        with self._lock:
            return self._starting and any(len(backlog) <= conf.prefetch() // 2 for backlog in self._backlog.values())


def _identity(claim: Claim) -> tuple[int, uuid.UUID | None]:
    """Whose claim it is tells apart what a node claimed before it was given up, and claimed again as the next one."""
    return claim.id, claim.node_id
