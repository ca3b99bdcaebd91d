"""APScheduler 3 with its own SQLAlchemyJobStore: ten threads, no history, one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC
from typing import Any, ClassVar

from benchmarks import counting, databases
from benchmarks.contenders.base import Contender, Order, instant
from benchmarks.site.tasks import work
from benchmarks.starts import CANARY


class APSchedulerContender(Contender):
    """What both job stores have in common."""

    _editor: ClassVar[Any] = None

    def scheduler(self) -> Any:
        """A BackgroundScheduler on the contender's job store."""
        raise NotImplementedError

    def serve(self) -> None:
        self.scheduler().start()
        threading.Event().wait()

    def open_editor(self) -> None:
        """A second scheduler on the same store, which runs nothing: the nearest there is to an edit from outside."""
        type(self)._editor = self.scheduler()
        self._editor.start(paused=True)

    def edit(self, number: int) -> float:
        due = time.time()
        self._editor.modify_job(f"task-{number}", next_run_time=instant(due))
        return due

    def jobs(self, order: Order, scheduler: Any) -> Iterator[Any]:
        """The jobs, not in the store yet."""
        from apscheduler.triggers.date import DateTrigger
        from apscheduler.triggers.interval import IntervalTrigger

        first, past = instant(order.first), instant(time.time() - 60)
        last = None if order.last is None else instant(order.last)
        yield self._job(scheduler, CANARY, DateTrigger(past), past, 0.0, misfire_grace_time=None)
        # Its default of 1 second would drop what a burst makes late.
        options = {"misfire_grace_time": None} if order.patient else {}
        for number in range(1, order.count + 1):
            trigger = IntervalTrigger(seconds=order.every, start_date=first, end_date=last)
            yield self._job(scheduler, number, trigger, first, order.seconds, **options)

    def _job(self, scheduler: Any, number: int, trigger: Any, next_run: Any, seconds: float, **options: Any) -> Any:
        from apscheduler.job import Job

        defaults = {"misfire_grace_time": 1, "coalesce": True, "max_instances": 1, "executor": "default"}
        return Job(
            scheduler,
            id=f"task-{number}",
            func=work,
            args=(number, seconds),
            kwargs={},
            name=f"task {number}",
            trigger=trigger,
            next_run_time=next_run,
            **{**defaults, **options},
        )


class BareAPScheduler(APSchedulerContender):
    name = "apscheduler"
    title = "APScheduler + SQLAlchemyJobStore"
    modules = ("apscheduler", "sqlalchemy")
    packages = ("APScheduler", "SQLAlchemy")
    uses_django = False

    def prepare(self) -> None:
        scheduler = self.scheduler()
        scheduler.start(paused=True)  # makes the table
        scheduler.shutdown()

    def scheduler(self) -> Any:
        from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
        from apscheduler.schedulers.background import BackgroundScheduler

        store = SQLAlchemyJobStore(url=databases.for_sqlalchemy())
        counting.count_sqlalchemy(store.engine)
        return BackgroundScheduler(jobstores={"default": store}, timezone=UTC)

    def store(self, order: Order) -> None:
        """Through the store's table, many rows at once: adding one job is one transaction."""
        import pickle

        from apscheduler.util import datetime_to_utc_timestamp

        scheduler = self.scheduler()
        scheduler.start(paused=True)
        store = scheduler._jobstores["default"]
        rows = [
            {
                "id": job.id,
                "next_run_time": datetime_to_utc_timestamp(job.next_run_time),
                "job_state": pickle.dumps(job.__getstate__(), store.pickle_protocol),
            }
            for job in self.jobs(order, scheduler)
        ]
        with store.engine.begin() as connection:
            connection.execute(store.jobs_t.insert(), rows)
        scheduler.shutdown()
