"""django-apscheduler: APScheduler on DjangoJobStore, which keeps a log of executions; one process."""

from __future__ import annotations

import pickle
from datetime import UTC
from typing import Any

from benchmarks.contenders.bare_apscheduler import APSchedulerContender
from benchmarks.contenders.base import Order


class DjangoAPScheduler(APSchedulerContender):
    name = "django-apscheduler"
    title = "django-apscheduler"
    modules = ("django_apscheduler",)
    packages = ("django-apscheduler",)
    apps = ("django_apscheduler",)

    def scheduler(self) -> Any:
        from apscheduler.schedulers.background import BackgroundScheduler
        from django_apscheduler.jobstores import DjangoJobStore

        scheduler = BackgroundScheduler(timezone=UTC)
        scheduler.add_jobstore(DjangoJobStore(), "default")
        return scheduler

    def store(self, order: Order) -> None:
        from django_apscheduler.models import DjangoJob

        scheduler = self.scheduler()
        scheduler.start(paused=True)
        rows = (
            DjangoJob(id=job.id, next_run_time=job.next_run_time, job_state=pickle.dumps(job.__getstate__()))
            for job in self.jobs(order, scheduler)
        )
        DjangoJob.objects.bulk_create(rows, batch_size=1000)
        scheduler.shutdown()
