"""APScheduler's job store, whose jobs are not tasks but executions that this node has just claimed.

The contract with APScheduler 3.11 that this leans on: ``get_due_jobs`` is the only call of a store that may fail, an
exception in any other ends the scheduler's thread while ``running`` stays true, so none of them raises; a job that
has a next fire time after its submission is given to ``update_job`` and no removal is announced;
``get_next_run_time`` comes right after the submissions, so what APScheduler did not submit is handed back there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.job import Job
from apscheduler.jobstores.base import BaseJobStore
from apscheduler.triggers.base import BaseTrigger
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_sched_tasks import conf, database, planning
from django_sched_tasks.engine.claims import Claims
from django_sched_tasks.engine.clock import DatabaseClock
from django_sched_tasks.engine.hold import Hold
from django_sched_tasks.engine.node import Node
from django_sched_tasks.engine.recorder import Recorder
from django_sched_tasks.engine.schema import SchemaGuard
from django_sched_tasks.engine.wakeup import Peek, peek
from django_sched_tasks.models import Kind
from django_sched_tasks.recording import Accepted

logger = logging.getLogger(__name__)

NEVER_AGAIN = datetime(9999, 1, 1, tzinfo=UTC)
STALLED_AFTER = 15.0  # seconds without a pass, beside the poll interval, after which the loop counts as stalled
LISTENING_POLL = 12.0  # seconds, less than STALLED_AFTER
NO_END = float("inf")
UNBOUNDED = 1 << 30  # instances: the limits are kept in the database, over all nodes


class OnceMore(BaseTrigger):
    """Names a far later time, so that APScheduler calls the no-op ``update_job`` and never believes the job removed."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return NEVER_AGAIN


class ClaimedJob(Job):
    """One claimed execution in the shape that APScheduler submits; due at the ``now`` it was handed out for."""

    def __init__(self, accepted: Accepted, now: datetime) -> None:
        # Job's own constructor registers with a scheduler and checks the callable against its arguments.
        self.id = str(accepted[0].id)
        self.accepted = accepted
        self.executor = accepted[0].executor
        self.trigger = _TRIGGER
        self.next_run_time = now
        self.misfire_grace_time = None
        self.coalesce = False
        self.max_instances = UNBOUNDED

    def _get_run_times(self, now: datetime) -> list[datetime]:
        return [now]

    def _modify(self, **changes: Any) -> None:
        """Nothing of a claimed execution changes."""


_TRIGGER = OnceMore()


class DatabaseJobStore(BaseJobStore):
    """Plans and claims in the database; a pass of the scheduler is one call of ``get_due_jobs``."""

    def __init__(
        self, node: Node, claims: Claims, recorder: Recorder, clock: DatabaseClock, aliases: list[str], *, hold: Hold
    ) -> None:
        super().__init__()
        self._node = node
        self._claims = claims
        self._recorder = recorder
        self._clock = clock
        self._hold = hold
        self._aliases = aliases
        self._connection: BaseDatabaseWrapper | None = None
        self._schema = SchemaGuard(node.using)
        self._extra_sql: tuple[str, ...] | None = None
        self._failures = 0
        self._wait = 0.0
        self._handed_out: dict[int, Accepted] = {}
        self._last_pass = time.monotonic()
        self.draining = False
        self.until: datetime | None = None  # what is due later is left alone
        self.hears_changes: Callable[[], bool] = lambda: False  # whether we are told of them, and need not look

    def get_due_jobs(self, now: datetime) -> list[Job]:
        try:
            jobs = self._pass(now)
        except Exception as error:
            self._after_error(error)
            return []
        if self._failures:
            logger.info("The database answers again; scheduling goes on.")
            self._failures = 0
        return jobs

    def get_next_run_time(self) -> datetime:
        self._hand_back_leftovers()
        return datetime.now(UTC) + timedelta(seconds=self._wait)

    def submitted(self, claim_id: int) -> None:
        """The executor has taken it."""
        self._handed_out.pop(claim_id, None)

    @property
    def seconds_since_pass(self) -> float:
        return time.monotonic() - self._last_pass

    def sessions(self) -> set[int]:
        """The number of this loop's session at a PostgreSQL server, as its notifications name the sender."""
        session = getattr(self._connection, "connection", None)
        return set() if session is None else {session.info.backend_pid}

    @property
    def problem(self) -> str:
        """What keeps this node from its work, for people; "" while all is well."""
        stalled = self.seconds_since_pass
        if stalled > STALLED_AFTER + conf.poll_interval():
            return f"The scheduler's loop has had no complete pass for {stalled:.0f} s."
        return self._schema.problem or self._hold.problem

    def _pass(self, now: datetime) -> list[Job]:
        if self._extra_sql is None:  # the first pass of this thread
            # What it plans and claims counts once a start is recorded, and that waits for the disk.
            self._connection = database.adopt_own_connection(waits_for_disk=False)
            self._extra_sql = (self._schema.count_sql(), *self._hold.sql())
        seen = peek(self._node.using, *self._extra_sql)
        self._clock.set(seen.now)
        if self.draining or self._stands_still(*seen.extra, now=seen.now):
            self._wait = min(conf.poll_interval(), self._hold.seconds_left(seen.now) or NO_END)
            self._last_pass = time.monotonic()
            return []
        due = seen.now if self.until is None else self.until
        behind = False
        if seen.plan_at is not None and seen.plan_at <= due:
            # A batch at a time: what it has queued runs while the next one is planned.
            planned = planning.plan(due, using=self._node.using, once=True)
            behind = planned.has_more or bool(planned.unfinished)
            seen = peek(self._node.using)
        jobs = self._claim(seen, seen.now if self.until is None else self.until, now)
        if jobs and not self._recorder.left_some:  # what was left the recorder asks for when it has room
            seen = peek(self._node.using)
        self._wait = 0.0 if behind else self._until_next(seen)
        self._last_pass = time.monotonic()
        return jobs

    def _stands_still(self, migrations: int, environment: str | None, maintenance_until: Any, *, now: datetime) -> bool:
        """Whether the schema is one to leave alone, or the node holds; then what has not started goes back."""
        if not self._schema.allows(migrations):
            return True
        if not self._hold.look(environment, maintenance_until, now):
            return False
        self._claims.give_back(self._recorder.withdraw(), now)
        return True

    def _claim(self, seen: Peek, due: datetime, now: datetime) -> list[Job]:
        """A job for each execution that was claimed; what is left for want of slots the recorder will ask for."""
        jobs: list[Job] = []
        left_some = False
        if seen.run_at is not None and seen.run_at <= due:
            queues = self._recorder.queue_room()
            for alias in self._aliases:
                free = self._recorder.capacity(alias)
                room = self._recorder.room(alias, queues)
                for_backfill = room.backfill
                taken = self._claims.take(alias, free, due, room) if free else []
                backfilled = sum(claim.kind == Kind.BACKFILL for claim, _ in taken)
                left_some = left_some or len(taken) == free or backfilled == for_backfill
                self._handed_out.update((accepted[0].id, accepted) for accepted in taken)
                jobs += [ClaimedJob(accepted, now) for accepted in taken]
            left_some = left_some or any(free <= 0 for free in queues.values())
        self._recorder.left_some = left_some
        return jobs

    def _until_next(self, seen: Peek) -> float:
        """Seconds to the next pass: at the next due instant, at the latest after the poll interval.

        Who is told of changes polls only to be sure.
        """
        known = [at for at in (seen.plan_at, seen.run_at) if at is not None]
        future = [at for at in known if at > seen.now]
        wait = conf.poll_interval()
        if len(future) == len(known) and self.hears_changes():  # nothing is due that was left lying
            wait = max(wait, LISTENING_POLL)
        if future:
            wait = min(wait, (min(future) - self._clock.now()).total_seconds())
        return max(wait, 0.0)

    def _after_error(self, error: Exception) -> None:
        self._failures += 1
        connections[self._node.using].close()
        self._wait = min(conf.poll_interval() * 2 ** min(self._failures - 1, 4), 10.0)
        if database.is_outage(error) and self._failures > 1:
            logger.debug("Still no database: %s", error)
        else:
            logger.error("A pass failed, trying again in %.1f s: %s", self._wait, error, exc_info=error)

    def _hand_back_leftovers(self) -> None:
        """What APScheduler could not submit goes back at once."""
        if not self._handed_out:
            return
        leftovers = list(self._handed_out)
        self._handed_out.clear()
        try:
            self._claims.give_back(leftovers, self._clock.now())
        except Exception:
            logger.exception("Claims %s could not be handed back; recovery will do it", leftovers)

    # A job of this store is a moment's view of an execution: there is nothing to look up, change or remove.

    def lookup_job(self, job_id: str) -> None:
        return None

    def get_all_jobs(self) -> list[Job]:
        return []

    def add_job(self, job: Job) -> None:
        raise NotImplementedError("Add tasks with django_sched_tasks.operations.add_task().")

    def update_job(self, job: Job) -> None:
        """An execution has no next run."""

    def remove_job(self, job_id: str) -> None:
        """Only operations remove tasks."""

    def remove_all_jobs(self) -> None:
        """Only operations remove tasks."""
