"""The engine put together: one node, running in threads of this process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler
from django.db import connections, transaction

from django_sched_tasks import conf, database, executors, operations, registry, signals
from django_sched_tasks.engine import recovery
from django_sched_tasks.engine.claims import Claims
from django_sched_tasks.engine.clock import DatabaseClock
from django_sched_tasks.engine.dispatch import RecordingExecutor
from django_sched_tasks.engine.heartbeat import Heartbeat
from django_sched_tasks.engine.hold import Hold
from django_sched_tasks.engine.housekeeping import Housekeeping
from django_sched_tasks.engine.jobstore import DatabaseJobStore
from django_sched_tasks.engine.listener import Listener
from django_sched_tasks.engine.node import Node
from django_sched_tasks.engine.recorder import Recorder
from django_sched_tasks.models import Reason, SchedulerTask, TaskExecution

logger = logging.getLogger(__name__)

STOP_TIMEOUT = 5.0  # seconds that each of the engine's own threads gets to end


class Scheduler:
    """A node: it plans, claims and runs until it is shut down.

    Args:
        started_by: what hosts it, for people to read, such as ``runscheduler`` or ``gunicorn``.
        queues: the queues that it serves, as names or as names and slots; None for what ``QUEUES`` says.
    """

    def __init__(self, *, started_by: str, queues: Mapping[str, int | None] | Collection[str] | None = None) -> None:
        self._executors = executors.build()
        served = conf.queues() if queues is None else conf.as_queues(queues)
        self.node = Node(
            started_by=started_by,
            queues=None if served is None else list(served),
            queue_slots={name: slots for name, slots in (served or {}).items() if slots is not None},
            executors=list(self._executors),
            slots=sum(executor.slots for executor in self._executors.values()),
            using=database.alias(),
        )
        self._shut_down = threading.Event()

    def start(self, *, passes: bool = True) -> None:
        """Register the node, clean up after dead ones, and begin; raises what the database raises.

        Without ``passes`` nothing is planned or claimed until :meth:`run_all_due`.
        """
        try:
            self._begin(passes=passes)
        except BaseException:
            self._give_up()
            raise

    def _begin(self, *, passes: bool) -> None:
        registry.autodiscover()
        using = self.node.using
        now = database.now(using)
        self._clock = DatabaseClock(now)
        self.node.register(now)
        self._is_registered = True
        operations.record_environment(now, using=using)
        self._hold = Hold(using)
        self._hold.read(now)
        if not self._hold.is_elsewhere:
            recovery.recover(self.node, now)
        self._claims = Claims(self.node)
        self._recorder = Recorder(self.node, self._executors, self._clock, on_room=self.wakeup)
        self._store = DatabaseJobStore(
            self.node, self._claims, self._recorder, self._clock, list(self._executors), hold=self._hold
        )
        self._heartbeat = Heartbeat(
            self.node,
            self._clock,
            slots_in_use=self._recorder.slots_in_use,
            stuck_slots=self._recorder.stuck_slots,
            seconds_since_pass=lambda: self._store.seconds_since_pass,
            problem=lambda: self._store.problem,
            is_elsewhere=lambda: self._hold.is_elsewhere,
            on_change=self.wakeup,
        )
        self._listener = Listener(self.node, on_change=self.wakeup, own_sessions=self._store.sessions)
        self._store.hears_changes = lambda: self._listener.hears
        connections[using].close()
        for executor in self._executors.values():
            executor.start()
        self._recorder.start()
        self._heartbeat.start()
        self._housekeeping = Housekeeping(is_elsewhere=lambda: self._hold.is_elsewhere)
        self._housekeeping.start()
        self._apscheduler = self._make_apscheduler()
        self._apscheduler.start(paused=not passes)
        self._listener.start()
        signals.schedule_changed.connect(self._on_schedule_changed, weak=False, dispatch_uid=self)
        logger.info("Node %s (%s) started, %d slots.", self.node.id, self.node.started_by, self.node.slots)

    def _give_up(self) -> None:
        """A start that failed leaves neither threads behind nor a row that looks alive.

        The sign of life ends before the last word is said: it would take that for a death, and register anew.
        """
        self._shut_down.set()
        begun = vars(self)
        if "_apscheduler" in begun and self._apscheduler.running:
            self._safely("end its loop", lambda: self._apscheduler.shutdown(wait=False))
        for part in ("_listener", "_heartbeat", "_housekeeping", "_recorder"):
            if part in begun:
                begun[part].stop(STOP_TIMEOUT)
        for executor in self._executors.values():
            executor.shutdown()
        if "_is_registered" in begun:
            self._safely("say that it has stopped", lambda: self.node.stopped(self._clock.now()))
        connections[self.node.using].close()

    def _make_apscheduler(self) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(timezone=UTC, jobstore_retry_interval=1)
        scheduler.add_jobstore(self._store, "default")
        for alias in self._executors:
            scheduler.add_executor(RecordingExecutor(self._store, self._recorder), alias)
        return scheduler

    def run_all_due(self, stop: threading.Event) -> None:
        """Plan and run all that is due at this moment, and wait for it; what becomes due meanwhile is left alone."""
        self._store.until = until = database.now(self.node.using)
        self._apscheduler.resume()
        while not stop.wait(0.05):
            if self._recorder.is_idle() and (self._hold.is_on or not self._has_due(until)):
                return

    def _has_due(self, until: datetime) -> bool:
        """Whether this node has something left to plan, to claim or to end that was due then.

        Asked in the order in which work moves on, so that what moves between two questions is met by the later one.
        """
        using = self.node.using
        if SchedulerTask.objects.using(using).filter(plan_at__lte=until).exists():
            return True
        rows = TaskExecution.objects.using(using).claimable().filter(run_at__lte=until)
        rows = rows.filter(executor__in=set(self.node.executors) - set(self._recorder.paused()))
        if (rows if self.node.queues is None else rows.filter(queue__in=self.node.queues)).exists():
            return True
        return TaskExecution.objects.using(using).open().filter(node_id=self.node.id).exists()

    def wakeup(self) -> None:
        """Have a pass at once."""
        self._apscheduler.wakeup()

    def _on_schedule_changed(self, **kwargs: object) -> None:
        self.wakeup()

    @property
    def is_running(self) -> bool:
        return not self._shut_down.is_set()

    def shutdown(self, grace: float | None = None, force: threading.Event | None = None) -> bool:
        """Drain: claim nothing more, hand back what has not started, wait for runs, tell the truth about the rest.

        Args:
            grace: seconds that running functions get to end; ``SHUTDOWN_GRACE`` unless given.
            force: when set, the wait ends at once.

        Returns:
            Whether all runs have ended.
        """
        if self._shut_down.is_set():
            return True
        self._shut_down.set()
        signals.schedule_changed.disconnect(dispatch_uid=self)
        self._store.draining = True
        self._apscheduler.shutdown(wait=False)  # returns when the pass that may be under way has ended
        unstarted = self._recorder.stop_starting()
        self._safely("hand back claims", lambda: self._claims.give_back(unstarted, self._clock.now()))
        self._safely("say that it is stopping", lambda: self.node.stopping(self._clock.now()))
        self._wait_for_runs(conf.shutdown_grace() if grace is None else grace, force)
        self._listener.stop(STOP_TIMEOUT)
        self._heartbeat.stop(STOP_TIMEOUT)
        self._housekeeping.stop(STOP_TIMEOUT)
        self._recorder.stop(STOP_TIMEOUT)
        for executor in self._executors.values():
            executor.shutdown()
        rest = self._recorder.running()
        if rest:
            self._safely("tell lost runs", self._lose_rest)
        self._safely("say that it has stopped", lambda: self.node.stopped(self._clock.now()))
        connections[self.node.using].close()
        logger.info("Node %s stopped%s.", self.node.id, f", {len(rest)} runs did not end" if rest else "")
        return not rest

    def _wait_for_runs(self, grace: float, force: threading.Event | None) -> None:
        deadline = time.monotonic() + grace
        while not self._recorder.is_idle() and time.monotonic() < deadline:
            if force is not None and force.is_set():
                return
            time.sleep(0.05)

    def _lose_rest(self) -> None:
        using, now = self.node.using, self._clock.now()

        def work() -> list[TaskExecution]:
            with transaction.atomic(using=using):
                ids = [claim.id for claim in self._recorder.running()]
                runs = TaskExecution.objects.using(using).open().filter(pk__in=ids)
                return recovery.lose_runs(runs, now, using, reason=Reason.SHUTDOWN)

        recovery.after_losing(database.retrying(work, using=using), now)

    def _safely(self, what: str, act: object) -> None:
        """Each step of a shutdown is tried, whatever became of the one before; recovery mends what fails."""
        try:
            act()  # type: ignore[operator]
        except Exception:
            logger.exception("Stopping node %s: could not %s.", self.node.id, what)
