"""Celery with its tasks in the database: beat with django-celery-beat's scheduler, and one worker, on Redis."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from benchmarks.contenders.base import YEAR, Contender, Order, instant
from benchmarks.starts import CANARY

TASK = "benchmarks.work"
APP = "benchmarks.contenders.beat_app"


class CeleryBeat(Contender):
    name = "celery-beat"
    title = "Celery beat + worker"
    modules = ("celery", "django_celery_beat", "redis")
    packages = ("celery", "django-celery-beat", "redis")
    apps = ("django_celery_beat",)
    keeps_to_times = False
    settings: ClassVar[Mapping[str, Any]] = {
        "CELERY_BROKER_URL": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
        "CELERY_BROKER_TRANSPORT_OPTIONS": {"global_keyprefix": os.environ.get("BENCHMARK_TRIAL", "")},
        "CELERY_BEAT_SCHEDULER": "django_celery_beat.schedulers:DatabaseScheduler",
        "CELERY_TASK_IGNORE_RESULT": True,
        "DJANGO_CELERY_BEAT_TZ_AWARE": True,
    }

    def commands(self) -> list[list[str]]:
        celery = [sys.executable, "-m", "celery", "--app", APP]
        beat = [*celery, "beat", "--pidfile="]
        return [beat, [*celery, "worker", "--hostname", f"{time.time_ns()}@%h"]]

    def store(self, order: Order) -> None:
        from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

        yearly = IntervalSchedule.objects.create(every=YEAR, period=IntervalSchedule.SECONDS)
        interval, _ = IntervalSchedule.objects.get_or_create(every=order.every, period=IntervalSchedule.SECONDS)
        long_ago = instant(time.time() - 2 * YEAR)
        when = {"start_time": instant(order.first), "last_run_at": instant(order.first - order.every)}
        canary = PeriodicTask(
            name="task-0", task=TASK, args=json.dumps([CANARY]), interval=yearly, last_run_at=long_ago
        )
        tasks = [
            PeriodicTask(
                name=f"task-{number}",
                task=TASK,
                args=json.dumps([number, order.seconds]),
                interval=interval,
                **when,
            )
            for number in range(1, order.count + 1)
        ]
        PeriodicTask.objects.bulk_create([canary, *tasks], batch_size=1000)
        PeriodicTasks.update_changed()

    def serve(self) -> None:
        raise NotImplementedError("Celery has commands of its own.")

    def edit(self, number: int) -> float:
        from django_celery_beat.models import ClockedSchedule, PeriodicTask

        due = time.time()
        task = PeriodicTask.objects.get(name=f"task-{number}")
        task.clocked = ClockedSchedule.objects.create(clocked_time=instant(due))
        task.interval, task.start_time, task.one_off = None, None, True
        task.save()
        return due
