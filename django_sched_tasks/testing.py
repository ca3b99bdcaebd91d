"""For tests of a site's own tasks: a scheduler without threads, on a clock that the test moves.

    with ManualScheduler(now=datetime(2026, 1, 1, tzinfo=UTC)) as scheduler:
        add_task(name="Report", func="shop.tasks:report", trigger="cron", trigger_args={"hour": 2})
        scheduler.run_due(until=timedelta(days=1))
    assert_ran("shop.tasks:report", times=1)

Everything goes the real way through the database: planning, claiming, marks and outcomes are those of the engine.
Only the threads are missing, so it works inside the transaction of a ``TestCase`` and on an in-memory SQLite.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self
from unittest import mock

from django.db import connections
from django.db.models import Min, Q

from django_sched_tasks import admission, conf, database, planning, recording, runner, signals
from django_sched_tasks.engine import recovery
from django_sched_tasks.engine.claims import Claims
from django_sched_tasks.engine.node import Node
from django_sched_tasks.models import ExecutionStatus, SchedulerTask, TaskExecution, TaskStatus
from django_sched_tasks.registry.targets import look_inside

__all__ = [
    "ManualClock",
    "ManualScheduler",
    "assert_not_ran",
    "assert_queued",
    "assert_ran",
    "assert_scheduled",
    "run_inline",
]

logger = logging.getLogger(__name__)


class ManualClock:
    """A clock that stands until the test moves it; between ``with`` and its end it is the scheduler's own.

    Operations, ``enqueue()`` and the pages take the time from it then. What a function asks ``timezone.now()`` for is
    still the real time.

    Args:
        now: the instant (aware) at which it stands; assign another to ``now`` to move it.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._patch = mock.patch.object(database, "now", self._tell)
        self._is_in_force = False

    @property
    def now(self) -> datetime:
        return self._now

    @now.setter
    def now(self, instant: datetime) -> None:
        if instant.tzinfo is None:
            raise ValueError(
                f"The clock was set to {instant.isoformat()}, which is no instant without a time zone: write"
                " datetime(2026, 1, 1, tzinfo=UTC)."
            )
        self._now = instant

    @property
    def is_in_force(self) -> bool:
        """Whether the scheduler takes the time from it."""
        return self._is_in_force

    def advance(self, by: float | timedelta) -> None:
        """Move it on, by seconds or a timedelta; nothing runs."""
        self.now += _as_delta(by)

    def __enter__(self) -> Self:
        self._patch.start()
        self._is_in_force = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._patch.stop()
        self._is_in_force = False

    def _tell(self, using: str | None = None) -> datetime:
        return self.now


class ManualScheduler:
    """One node whose passes are called by hand.

    Between ``with`` and its end its clock is the scheduler's own, as that of a :class:`ManualClock`; and what follows a
    commit follows at once where only the transaction of a ``TestCase`` is open, which is never committed. Without
    ``with``, give operations ``now=scheduler.now``.

    Args:
        now: the instant (aware) at which its clock stands, or a clock.
        queues: the queues that it serves; None for all.
        slots: how many executions it takes at once.
    """

    def __init__(self, now: datetime | ManualClock, *, queues: Collection[str] | None = None, slots: int = 100) -> None:
        self.clock = now if isinstance(now, ManualClock) else ManualClock(now)
        self.slots = slots
        self._using = database.alias()
        self.node = Node(
            started_by="testing", queues=queues, executors=list(conf.executors()), slots=slots, using=self._using
        )
        self.node.register(self.now)
        self._claims = Claims(self.node)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._leave)
            if not self.clock.is_in_force:
                stack.enter_context(self.clock)
            stack.enter_context(mock.patch.object(database, "on_commit", _on_commit_of_tests))
            self._in_force = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._in_force.__exit__(kind, error, traceback)

    def _leave(self) -> None:
        if not connections[self._using].needs_rollback:
            self.node.stopped(self.now)

    @property
    def now(self) -> datetime:
        return self.clock.now

    @now.setter
    def now(self, instant: datetime) -> None:
        self.clock.now = instant

    def advance(self, seconds: float | timedelta) -> None:
        """Move the clock; nothing runs."""
        self.clock.advance(seconds)

    def run_due(self, until: datetime | timedelta | None = None) -> list[TaskExecution]:
        """Run all that falls due up to an instant, or in the time to come, in its order; answers what ran.

        The clock is moved along; without ``until`` it stands, and what is due now runs.
        """
        if until is None:
            return self.tick()
        return self.run_until(self.now + until if isinstance(until, timedelta) else until)

    def plan(self) -> planning.PlanResult:
        """Turn what is due into executions: one pass, which settles a bounded number of fire times of a task."""
        result = planning.plan(self.now, using=self._using)
        # Inside the transaction of a TestCase nothing is ever committed, and what follows a commit does not follow.
        admission.admit_all(using=self._using)
        return result

    def claim(self) -> list[recording.Accepted]:
        """Take what may run."""
        return [
            accepted for alias in self.node.executors for accepted in self._claims.take(alias, self.slots, self.now)
        ]

    def start(self, accepted: list[recording.Accepted]) -> list[recording.Accepted]:
        """Mark claims as running; answers those that may be called."""
        started = {claim.id for claim in recording.write(recording.Group([], accepted), self.now, self._using).started}
        may_be_called = [item for item in accepted if item[0].id in started]
        for claim, _function in may_be_called:
            recording.announce_start(claim)
        return may_be_called

    def finish(self, accepted: list[recording.Accepted]) -> None:
        """Call what has been started, one after another, and record how it went."""
        outcomes = [
            replace(runner.run(claim, function, clock=lambda: self.now), finished_at=self.now)
            for claim, function in accepted
        ]
        recording.announce_ends(recording.write(recording.Group(outcomes, []), self.now, self._using))

    def tick(self) -> list[TaskExecution]:
        """Plan and run all that is due at this instant, as often as one thing leads to another; answers what ran."""
        ran: list[int] = []
        while True:
            while self.plan().unfinished:
                pass
            accepted = self.claim()
            if not accepted:
                break
            started = self.start(accepted)
            self.finish(started)
            ran += [claim.id for claim, _ in started]
        return list(TaskExecution.objects.using(self._using).filter(pk__in=ran).order_by("pk"))

    def run_until(self, until: datetime) -> list[TaskExecution]:
        """Let time pass, stopping at every instant at which something is due; answers what ran."""
        ran = self.tick()
        while (due := self._next_due()) is not None and due <= until:
            self.now = max(due, self.now)
            ran += self.tick()
        self.now = until
        return ran

    def recover(self) -> None:
        """Look for dead nodes, as the heartbeat does."""
        recovery.recover(self.node, self.now)

    def _next_due(self) -> datetime | None:
        planned = SchedulerTask.objects.using(self._using).aggregate(at=Min("plan_at"))["at"]
        queued = TaskExecution.objects.using(self._using).claimable().aggregate(at=Min("run_at"))["at"]
        return min((at for at in (planned, queued) if at is not None and at > self.now), default=None)


@contextmanager
def run_inline(now: datetime | ManualClock | None = None) -> Iterator[ManualScheduler]:
    """Run whatever is queued, by ``enqueue()``, a request or an operation, at once and in the thread that queues it.

    What is queued for later waits for :meth:`ManualScheduler.run_due` of the scheduler that it gives, and what an open
    transaction of the site's own has queued, for its commit.

    Args:
        now: the instant at which the clock stands meanwhile, or a clock; the present one unless given.
    """
    with ManualScheduler(database.now() if now is None else now) as scheduler:
        is_running = False

        def run(**payload: object) -> None:
            nonlocal is_running
            if is_running:  # what a run queues is found by the pass that has called it
                return
            is_running = True
            try:
                scheduler.run_due()
            finally:
                is_running = False

        signals.execution_queued.connect(run, dispatch_uid=scheduler)
        try:
            yield scheduler
        finally:
            signals.execution_queued.disconnect(dispatch_uid=scheduler)


def assert_ran(
    what: Any,
    *,
    times: int | None = None,
    status: str = ExecutionStatus.SUCCEEDED,
    at: datetime | None = None,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> list[TaskExecution]:
    """Of this something ran and ended as ``status``; answers the executions, oldest first.

    Args:
        what: a function, a task of Django's, its path, the job id of a scheduled task, or the task.
        times: how many; at least one unless given.
        at, args, kwargs: only those with this fire time, these arguments.
    """
    told = _executions(what)
    found = [row for row in told if row.status == status and _is_like(row, at, args, kwargs)]
    if found if times is None else len(found) == times:
        return found
    wanted = "at least once" if times is None else f"{times} times"
    like = _like(at=at, args=args, kwargs=kwargs)
    raise AssertionError(
        f"{_name(what)} should have ended as '{status}'{like} {wanted}; it did so {len(found)} times. {_told(told)}"
    )


def assert_not_ran(what: Any) -> None:
    """Nothing of this has been started."""
    told = _executions(what)
    if any(row.started_at is not None for row in told):
        raise AssertionError(f"{_name(what)} should not have run. {_told(told)}")


def assert_queued(
    what: Any,
    *,
    times: int | None = None,
    at: datetime | None = None,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> list[TaskExecution]:
    """Of this something waits to be run; the arguments are those of :func:`assert_ran`."""
    told = _executions(what)
    found = [row for row in told if row.status == ExecutionStatus.QUEUED and _is_like(row, at, args, kwargs)]
    if found if times is None else len(found) == times:
        return found
    wanted = "at least once" if times is None else f"{times} times"
    raise AssertionError(
        f"{_name(what)} should be queued{_like(at=at, args=args, kwargs=kwargs)} {wanted}; it is {len(found)} times."
        f" {_told(told)}"
    )


def assert_scheduled(what: Any, *, at: datetime | None = None) -> list[SchedulerTask]:
    """There are active tasks for this, one of them next at this instant; answers them, the next one first."""
    tasks = list(
        SchedulerTask.objects.using(database.alias()).filter(_condition(what, "pk")).order_by("next_run", "pk")
    )
    found = [task for task in tasks if task.status == TaskStatus.ACTIVE and at in (None, task.next_run)]
    if found:
        return found
    wanted = "" if at is None else f" next at {at.isoformat()}"
    lines = [
        f"\n  '{task.name}', {task.get_status_display()}, next at {task.next_run and task.next_run.isoformat()}"
        for task in tasks
    ]
    there = (
        "Its tasks are:" + "".join(lines)
        if tasks
        else "It has no task: add_task() and @scheduled with a sync make some."
    )
    raise AssertionError(f"{_name(what)} should be scheduled{wanted}. {there}")


def _executions(what: Any) -> list[TaskExecution]:
    rows = TaskExecution.objects.using(database.alias()).filter(_condition(what, "task"))
    return list(rows.order_by("fire_at", "attempt", "pk"))


def _condition(what: Any, of_task: str) -> Q:
    if isinstance(what, SchedulerTask):
        return Q(**{of_task: what.pk})
    if isinstance(what, str):
        return Q(func=what) | Q(job_id=what)
    return Q(func=_name(what))


def _name(what: Any) -> str:
    if isinstance(what, SchedulerTask):
        return f"'{what.name}'"
    if isinstance(what, str):
        return what
    function = look_inside(what).func
    if not hasattr(function, "__qualname__"):
        raise TypeError(
            f"{what!r} is nothing that runs: give a function, a task of Django's, its path such as 'shop.tasks:report',"
            " a job id, or a SchedulerTask."
        )
    return f"{function.__module__}:{function.__qualname__}"


def _is_like(
    row: TaskExecution, at: datetime | None, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
) -> bool:
    return (
        at in (None, row.fire_at)
        and (args is None or row.args == list(args))
        and (kwargs is None or row.kwargs == dict(kwargs))
    )


def _like(**wanted: Any) -> str:
    return "".join(f" with {name}={value!r}" for name, value in wanted.items() if value is not None)


def _told(rows: Sequence[TaskExecution]) -> str:
    if not rows:
        return (
            "It has no executions at all: was it scheduled or enqueued, and was run_due() called, with an until= that"
            " reaches its fire time?"
        )
    lines = [
        f"\n  #{row.pk} {row.kind} {row.fire_at.isoformat()} {row.status}, args={row.args!r}, kwargs={row.kwargs!r}"
        f"{': ' if row.error else ''}{row.error}"
        for row in rows
    ]
    return "Its executions are:" + "".join(lines)


def _as_delta(by: float | timedelta) -> timedelta:
    return by if isinstance(by, timedelta) else timedelta(seconds=by)


def _on_commit_of_tests(act: Callable[[], object], *, using: str) -> None:
    """After the commit, or at once where only a test's own transaction is open, which never commits."""
    blocks = connections[using].atomic_blocks
    if not blocks or not all(getattr(block, "_from_testcase", False) for block in blocks):
        _really_on_commit(act, using=using)
        return
    try:
        act()
    except Exception:
        logger.exception("What follows a commit met an error")


_really_on_commit = database.on_commit
