"""This project, as its documentation says: the app, ``runscheduler``, ten threads, full history."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from benchmarks.contenders.base import Contender, Order, instant
from benchmarks.starts import CANARY

FUNC = "benchmarks.site.tasks:planned"
SOON = (0.005, 0.02, 0.1, 0.5)  # seconds that an edit may take until it is checked: a date in the past is refused


class Ours(Contender):
    name = "ours"
    title = "django-sched-tasks"
    packages = ("django-sched-tasks", "Django", "APScheduler")
    apps = ("rest_framework", "django_sched_tasks")
    settings: ClassVar[Mapping[str, Any]] = {"SCHED_TASKS": {"AUTO_START": False}}

    def store(self, order: Order) -> None:
        from django_sched_tasks import planning
        from django_sched_tasks.models import SchedulerTask

        canary = self._task(CANARY, "date", {"run_date": instant(time.time() - 60).isoformat()}, 0.0)
        tasks = (self._task(number, *_when(order), order.seconds) for number in range(1, order.count + 1))
        SchedulerTask.objects.bulk_create(itertools.chain([canary], tasks), batch_size=1000)
        planning.plan(instant(time.time()), using="default")  # as the operation that adds a task does

    def _task(self, number: int, trigger: str, trigger_args: Mapping[str, Any], seconds: float) -> Any:
        from django_sched_tasks.models import SchedulerTask

        return SchedulerTask(
            name=f"task {number}",
            job_id=f"task-{number}",
            func=FUNC,
            trigger=trigger,
            trigger_args=trigger_args,
            args=[number, seconds] if seconds else [number],
            misfire_grace_time=None,
        )

    def serve(self) -> None:
        from django_sched_tasks.service import start_scheduler

        start_scheduler(block=True)

    def accounted(self) -> int:
        from django.db.models import Sum

        from django_sched_tasks.models import TaskExecution

        rows = TaskExecution.objects.filter(kind="schedule", attempt=1).exclude(job_id=f"task-{CANARY}")
        return int(rows.aggregate(total=Sum("covers"))["total"] or 0)

    def edit(self, number: int) -> float:
        from django_sched_tasks import operations
        from django_sched_tasks.exceptions import InvalidDefinition
        from django_sched_tasks.models import SchedulerTask

        task_id = SchedulerTask.objects.values_list("pk", flat=True).get(job_id=f"task-{number}")
        for soon in SOON:
            due = time.time() + soon
            with contextlib.suppress(InvalidDefinition):  # it is past when it is looked at
                changes = {"trigger": "date", "trigger_args": {"run_date": instant(due).isoformat()}}
                operations.update_task(task_id, changes)
                return due
        raise RuntimeError(f"An edit takes more than {SOON[-1]} s.")


def _when(order: Order) -> tuple[str, dict[str, Any]]:
    arguments = {"seconds": order.every, "start_date": instant(order.first).isoformat()}
    return "interval", arguments if order.last is None else {**arguments, "end_date": instant(order.last).isoformat()}
