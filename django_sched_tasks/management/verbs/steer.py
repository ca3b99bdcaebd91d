"""``schedtasks pause``, ``resume``, ``run``, ``cancel``, ``retry``: what people do to tasks and executions."""

from __future__ import annotations

import getpass
import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import OutputWrapper

from django_sched_tasks import database, operations
from django_sched_tasks.management.verbs.base import Verb, find_task, read_json, show
from django_sched_tasks.management.verbs.look import execution_data, execution_lines, task_data, task_lines
from django_sched_tasks.models import ExecutionStatus, TaskExecution

LOOK_AGAIN = 0.25  # seconds
PATIENCE = 2.0  # seconds in the queue, after which whoever waits is told what may be amiss
NOT_SUCCEEDED = 1


class TaskVerb(Verb):
    """One that names tasks."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tasks", nargs="+", metavar="task", help="The id or job id of a task.")
        add_user(parser)


class ExecutionVerb(Verb):
    """One that names an execution."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("execution", type=int, help="The id of the execution.")
        add_user(parser)


class Pause(TaskVerb):
    help: ClassVar[str] = "Stop planning tasks; what is queued still runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--note", default="", help="Why, for people to read.")

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        found = [find_task(text) for text in options["tasks"]]
        paused = [operations.pause_task(task.pk, note=options["note"], user=options["user"]).task for task in found]
        show(options, out, task_lines(paused), list(map(task_data, paused)))
        return 0


class Resume(TaskVerb):
    help: ClassVar[str] = "Plan paused tasks again, from now on."

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        found = [find_task(text) for text in options["tasks"]]
        resumed = [operations.resume_task(task.pk, user=options["user"]) for task in found]
        show(options, out, task_lines(resumed), list(map(task_data, resumed)))
        return 0


class Run(Verb):
    help: ClassVar[str] = (
        "Queue one run of a task. With --wait its output is shown as it comes, and the exit code is 0 if it succeeded, "
        "else 1."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("task", help="The id or job id of the task.")
        # Kept under other names: Django takes an option "args" for its own.
        parser.add_argument(
            "--args",
            dest="run_args",
            type=read_json("a list", list),
            help="A JSON list in place of the task's, this once.",
        )
        parser.add_argument(
            "--kwargs",
            dest="run_kwargs",
            type=read_json("an object", dict),
            help="A JSON object in place of the task's.",
        )
        parser.add_argument("--wait", action="store_true", help="Stay until it has ended.")
        add_user(parser)

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        execution = operations.run_task(
            find_task(options["task"]).pk, args=options["run_args"], kwargs=options["run_kwargs"], user=options["user"]
        )
        if options["wait"]:
            execution = _follow(execution.pk, out, quiet=options["format"] == "json")
        show(options, out, execution_lines([execution]), execution_data(execution))
        return NOT_SUCCEEDED if options["wait"] and execution.status != ExecutionStatus.SUCCEEDED else 0


class Cancel(ExecutionVerb):
    help: ClassVar[str] = "Cancel an execution that has not started, or ask one that runs to end, wherever it runs."

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        execution = operations.cancel_execution(options["execution"], user=options["user"])
        show(options, out, execution_lines([execution]), execution_data(execution))
        return 0


class Retry(ExecutionVerb):
    help: ClassVar[str] = "Queue a further attempt at an execution that has ended."

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        execution = operations.retry_execution(options["execution"], user=options["user"])
        show(options, out, execution_lines([execution]), execution_data(execution))
        return 0


def add_user(parser: ArgumentParser) -> None:
    parser.add_argument("--user", default=_login(), help="In whose name; who is logged in here unless given.")


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may know its user by number only
        return ""


def _follow(pk: int, out: OutputWrapper, *, quiet: bool) -> TaskExecution:
    """Show the output of an execution while it grows, and of its retries, until the last of them has ended."""
    shown = ""
    rows = TaskExecution.objects.using(database.alias())
    tell_after: float | None = time.monotonic() + PATIENCE
    while True:
        execution = rows.get(pk=pk)
        if tell_after is not None and time.monotonic() > tell_after:
            tell_after = None
            _tell_what_is_amiss(execution)
        if not quiet and execution.output.startswith(shown):
            out.write(execution.output[len(shown) :], ending="")
            out.flush()
            shown = execution.output
        if execution.finished_at is not None:
            retry = _retry_of(execution)
            if retry is None:
                return execution
            pk, shown = retry, ""
            continue
        time.sleep(LOOK_AGAIN)


def _tell_what_is_amiss(execution: TaskExecution) -> None:
    """On stderr, which is for people: that no scheduler runs, say, and so the wait may last."""
    if execution.status == ExecutionStatus.QUEUED:
        for problem in operations.health().problems:
            print(problem, file=sys.stderr, flush=True)


def _retry_of(execution: TaskExecution) -> int | None:
    """Retries are queued in the transaction that ends the attempt before."""
    following = TaskExecution.objects.using(database.alias()).filter(
        task_id=execution.task_id,
        kind=execution.kind,
        fire_at=execution.fire_at,
        request=execution.request,
        attempt=execution.attempt + 1,
    )
    found = following.values_list("pk", flat=True).first()
    return None if found is None else int(found)
