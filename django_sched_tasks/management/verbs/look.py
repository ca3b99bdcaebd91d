"""``schedtasks list``, ``show``, ``executions``, ``preview``: what there is, changing nothing."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.management.base import OutputWrapper
from django.utils.translation import gettext as _

from django_sched_tasks import database, registry, triggers
from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.management.verbs.base import Verb, find_task, read_json, show, table
from django_sched_tasks.models import ExecutionStatus, SchedulerTask, TaskExecution, TaskStatus

TASK_FIELDS = (
    *("id", "job_id", "name", "func", "trigger", "trigger_args", "timezone", "status", "next_run", "last_run"),
    *("queue", "executor", "source", "pause_note", "schedule_error"),
)
EXECUTION_FIELDS = (
    *("id", "task_id", "job_id", "task_name", "func", "kind", "fire_at", "attempt", "status", "reason", "covers"),
    *("queued_at", "started_at", "finished_at", "duration", "result", "error", "requested_by", "cancel_requested_at"),
)


class List(Verb):
    help: ClassVar[str] = "List the tasks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        words = [status.name.lower() for status in TaskStatus]
        parser.add_argument("--status", choices=words, help="Only those in this state.")
        parser.add_argument("--queue", help="Only those of this queue.")

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        tasks = SchedulerTask.objects.using(database.alias()).order_by("name", "id")
        if options["status"]:
            tasks = tasks.filter(status=TaskStatus[options["status"].upper()])
        if options["queue"]:
            tasks = tasks.filter(queue=options["queue"])
        found = list(tasks)
        show(options, out, task_lines(found), list(map(task_data, found)))
        return 0


class Show(Verb):
    help: ClassVar[str] = "Show a task, its next fire times and its latest executions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("task", help="The id or job id of the task.")
        parser.add_argument("--count", type=int, default=5, help="How many of each.")

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        task, count = find_task(options["task"]), max(options["count"], 0)
        rows = TaskExecution.objects.using(database.alias()).filter(task=task).order_by("-fire_at", "-id")
        latest = list(rows[:count])
        fire_times = _of_task(task, count) if count else []
        data = {
            **task_data(task),
            "fire_times": [fire_at.isoformat() for fire_at in fire_times],
            "executions": [execution_data(execution) for execution in latest],
        }
        show(options, out, _task_lines(task, fire_times, latest), data)
        return 0


class Executions(Verb):
    help: ClassVar[str] = "List executions, the latest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("task", nargs="?", help="The id or job id of a task; of all unless given.")
        parser.add_argument("--status", choices=ExecutionStatus.values, help="Only those in this state.")
        parser.add_argument("--count", type=int, default=20, help="How many.")

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        rows = TaskExecution.objects.using(database.alias()).order_by("-id")
        if options["task"]:
            rows = rows.filter(task=find_task(options["task"]))
        if options["status"]:
            rows = rows.filter(status=options["status"])
        found = list(rows[: max(options["count"], 0)])
        show(options, out, execution_lines(found), list(map(execution_data, found)))
        return 0


class Preview(Verb):
    help: ClassVar[str] = "Say a trigger in words and tell its next fire times; nothing is saved."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("trigger", help="Its kind, such as cron.")
        parser.add_argument("trigger_args", type=read_json("an object", dict), help="JSON, such as '{\"hour\": 8}'.")
        parser.add_argument("--timezone", default="", help="An IANA name; the site's unless given.")
        parser.add_argument("--count", type=int, default=10, help="How many fire times.")

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        trigger, trigger_args, zone = options["trigger"], options["trigger_args"], options["timezone"]
        triggers.validate(trigger, trigger_args, timezone=zone, now=database.now())
        description = triggers.describe(trigger, trigger_args, timezone=zone)
        fire_times = _fire_times(trigger, trigger_args, zone, max(options["count"], 1))
        data = {"description": description, "fire_times": [fire_at.isoformat() for fire_at in fire_times]}
        show(options, out, [description, *(_local(fire_at, zone) for fire_at in fire_times)], data)
        return 0


def task_lines(tasks: Iterable[SchedulerTask]) -> Iterator[str]:
    """Tasks as a table."""
    headings = (_("ID"), _("Job ID"), _("Status"), _("Name"), _("When"), _("Next run"))
    return table(headings, map(_task_cells, tasks))


def _task_cells(task: SchedulerTask) -> tuple[Any, ...]:
    note = f" ({task.pause_note})" if task.pause_note else ""
    description = triggers.describe(task.trigger, task.trigger_args, timezone=task.timezone)
    following = _local(task.next_run, task.timezone) if task.next_run else "-"
    return (task.pk, task.job_id, f"{task.get_status_display()}{note}", task.name, description, following)


def task_data(task: SchedulerTask) -> dict[str, Any]:
    return {name: _plain(getattr(task, name)) for name in TASK_FIELDS}


def execution_lines(executions: Iterable[TaskExecution]) -> Iterator[str]:
    """Executions as a table."""
    headings = (_("ID"), _("Status"), _("Task"), _("Kind"), _("Fire time"), _("Attempt"), _("Seconds"), _("Error"))
    return table(headings, map(_execution_cells, executions))


def _execution_cells(execution: TaskExecution) -> tuple[Any, ...]:
    is_asked = execution.cancel_requested_at is not None and execution.finished_at is None
    status = execution.get_status_display()
    return (
        execution.pk,
        _("%s, asked to end") % status if is_asked else status,
        execution.task_name,
        execution.get_kind_display(),
        execution.fire_at.isoformat(),
        execution.attempt,
        "-" if execution.duration is None else f"{execution.duration:g}",
        execution.error or "-",
    )


def execution_data(execution: TaskExecution) -> dict[str, Any]:
    args, kwargs = registry.hidden_arguments(
        execution.func, execution.args, execution.kwargs, enqueued=execution.is_enqueued
    )
    data = {name: _plain(getattr(execution, name)) for name in EXECUTION_FIELDS}
    return {**data, "args": args, "kwargs": kwargs, "output": execution.output}


def _task_lines(task: SchedulerTask, fire_times: list[datetime], latest: list[TaskExecution]) -> Iterator[str]:
    yield from task_lines([task])
    if task.schedule_error:
        yield _("It cannot be planned: %s") % task.schedule_error
    yield from (_("fires %s") % _local(fire_at, task.timezone) for fire_at in fire_times)
    yield from execution_lines(latest)


def _of_task(task: SchedulerTask, count: int) -> list[datetime]:
    try:
        return _fire_times(task.trigger, task.trigger_args, task.timezone, count, task.anchor)
    except InvalidTrigger:  # its description says why
        return []


def _fire_times(
    trigger: str, trigger_args: Mapping[str, Any], zone: str, count: int, anchor: datetime | None = None
) -> list[datetime]:
    return triggers.preview(trigger, trigger_args, timezone=zone, after=database.now(), count=count, anchor=anchor)


def _local(moment: datetime, zone: str) -> str:
    try:
        return moment.astimezone(ZoneInfo(zone or settings.TIME_ZONE)).isoformat()
    except (ValueError, OSError, ZoneInfoNotFoundError):  # broken by other hands than ours
        return moment.isoformat()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
