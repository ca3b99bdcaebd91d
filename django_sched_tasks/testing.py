"""For tests of a site's own tasks: a scheduler without threads, on a clock that the test moves.

    scheduler = ManualScheduler(now=datetime(2026, 1, 1, tzinfo=UTC))
    add_task(name="Report", func="shop.tasks:report", trigger="cron", trigger_args={"hour": 2}, now=scheduler.now)
    scheduler.run_until(datetime(2026, 1, 2, 3, tzinfo=UTC))

Everything goes the real way through the database: planning, claiming, marks and outcomes are those of the engine.
Only the threads are missing, so it works inside the transaction of a ``TestCase`` and on an in-memory SQLite.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from django.db.models import Min

from django_sched_tasks import admission, conf, database, planning, recording, runner
from django_sched_tasks.engine import recovery
from django_sched_tasks.engine.claims import Claims
from django_sched_tasks.engine.node import Node
from django_sched_tasks.models import SchedulerTask, TaskExecution

__all__ = ["ManualScheduler"]


class ManualScheduler:
    """One node whose passes are called by hand.

    Args:
        now: the instant (aware) at which its clock stands.
        queues: the queues that it serves; None for all.
    """

    def __init__(self, now: datetime, *, queues: Collection[str] | None = None, slots: int = 100) -> None:
        self.now = now
        self.slots = slots
        self._using = database.alias()
        self.node = Node(
            started_by="testing", queues=queues, executors=list(conf.executors()), slots=slots, using=self._using
        )
        self.node.register(now)
        self._claims = Claims(self.node)

    def advance(self, seconds: float) -> None:
        """Move the clock; nothing runs."""
        self.now += timedelta(seconds=seconds)

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
        return [item for item in accepted if item[0].id in started]

    def finish(self, accepted: list[recording.Accepted]) -> None:
        """Call what has been started, one after another, and record how it went."""
        outcomes = [
            replace(runner.run(claim, function, clock=lambda: self.now), finished_at=self.now)
            for claim, function in accepted
        ]
        recording.write(recording.Group(outcomes, []), self.now, self._using)

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
