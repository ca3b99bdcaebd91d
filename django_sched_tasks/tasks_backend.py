"""A backend of Django's task framework: what it enqueues runs on this site's nodes, beside what is scheduled.

    TASKS = {"default": {"BACKEND": "django_sched_tasks.tasks_backend.DatabaseBackend"}}

A result is told from the executions that stand for it, and the framework's signals from those of executions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext as _

from django_sched_tasks import conf, database, definitions, operations, registry, results, signals
from django_sched_tasks.exceptions import FunctionNotFound, InvalidDefinition, InvalidFunction
from django_sched_tasks.framework import (
    AnyTask,
    AnyTaskResult,
    BaseTaskBackend,
    InvalidTask,
    InvalidTaskBackend,
    TaskResultDoesNotExist,
    normalize_json,
    task_backends,
    task_enqueued,
    task_finished,
    task_started,
)
from django_sched_tasks.models import SchedulerTask, TaskExecution

logger = logging.getLogger(__name__)

# What OPTIONS may say: of a task's fields those that a run without a task has a use for.
OPTIONS = (
    "executor",
    "executor_options",
    "timeout",
    "max_retries",
    "retry_delay",
    "retry_backoff",
    "retry_jitter",
    "retry_on",
    "on_crash",
)
LONGEST_QUEUE = 64


class DatabaseBackend(BaseTaskBackend):
    """Enqueues tasks as executions, in the database that holds the scheduled tasks.

    ``OPTIONS`` are policies of all that goes through this backend, by the names that they have on a scheduled task:
    ``executor``, ``executor_options``, ``timeout``, ``max_retries``, ``retry_delay``, ``retry_backoff``,
    ``retry_jitter``, ``retry_on`` and ``on_crash``. Tasks that need others go through another alias.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        connect_signals()

    def enqueue(self, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Queue a run, in the caller's transaction; answers its result. ``task_enqueued`` follows the commit.

        Raises:
            InvalidTask: this backend cannot run such a task, or no node would find its function.
            TypeError: the arguments are not JSON, or not what the function takes.
        """
        self.validate_task(task)
        function = _function_of(task)
        given_args, given_kwargs = _arguments(task, args, kwargs)
        try:
            registry.check_arguments(function, given_args, given_kwargs)
        except InvalidFunction as error:
            raise TypeError(f"{task.module_path} cannot be enqueued so: {error}") from error
        execution = operations.enqueue(
            function.path,
            name=task.name,
            args=given_args,
            kwargs=given_kwargs,
            backend=self.alias,
            queue=task.queue_name,
            priority=task.priority,
            run_after=task.run_after,
            policies=self._policies,
        )
        result = results.result_of([execution], task)
        send = partial(task_enqueued.send_robust, type(self), task_result=result)
        database.on_commit(send, using=database.alias())
        return result

    def get_result(self, result_id: str) -> AnyTaskResult:
        """The result as it stands now.

        Raises:
            TaskResultDoesNotExist: nothing was enqueued under this id through this backend, or it is deleted by now.
        """
        attempts = operations.enqueued_attempts(result_id)
        if not attempts or results.backend_of(attempts[0]) != self.alias:
            text = _("There is no result %(id)r of the backend %(alias)r; old ones are deleted as RETENTION says.")
            raise TaskResultDoesNotExist(text % {"id": result_id, "alias": self.alias})
        return results.result_of(attempts)

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        return [*super().check(**kwargs), *self._check_options(), *self._check_queues()]

    @cached_property
    def _policies(self) -> dict[str, Any]:
        if unknown := set(self.options) - set(OPTIONS):
            raise InvalidTaskBackend(f"{self._setting('OPTIONS')} has unknown names: {', '.join(sorted(unknown))}.")
        try:
            return definitions.clean_changes(SchedulerTask(), self.options, now=timezone.now())
        except InvalidDefinition as error:
            raise InvalidTaskBackend(f"{self._setting('OPTIONS')} is not as it must be: {error}") from error

    def _check_options(self) -> Iterator[CheckMessage]:
        for name in sorted(set(self.options) - set(OPTIONS)):
            text = f"{self._setting('OPTIONS')} has an unknown name {name!r}."
            yield Error(text, hint=f"Known are: {', '.join(OPTIONS)}.", id="sched_tasks.E020")
        known = {name: value for name, value in self.options.items() if name in OPTIONS}
        try:
            definitions.clean_changes(SchedulerTask(), known, now=timezone.now())
        except InvalidDefinition as error:
            for name, texts in error.errors.items():
                text = f"{self._setting('OPTIONS')}[{name!r}] is {known.get(name)!r}."
                yield Error(text, hint=" ".join(texts), id="sched_tasks.E021")

    def _check_queues(self) -> Iterator[CheckMessage]:
        """Nodes may be told other queues on their command lines, so an unserved one is no error."""
        for queue in sorted(queue for queue in self.queues if len(queue) > LONGEST_QUEUE):
            text = f"{self._setting('QUEUES')} has the queue {queue!r}, whose name is too long."
            yield Error(text, hint=f"At most {LONGEST_QUEUE} characters are allowed.", id="sched_tasks.E022")
        served = conf.queues()
        if served is None or conf.web_queues() is None:
            return
        for queue in sorted(self.queues - served.keys() - (conf.web_queues() or {}).keys()):
            yield Warning(
                f"{self._setting('QUEUES')} has the queue {queue!r}, which no node serves by these settings.",
                hint="Name it in SCHED_TASKS['QUEUES'], or start nodes for it: manage.py runscheduler --queues.",
                id="sched_tasks.W020",
            )

    def _setting(self, key: str) -> str:
        return f"TASKS[{self.alias!r}][{key!r}]"


def connect_signals() -> None:
    """Have the framework told of starts and ends; once, however often it is called."""
    signals.execution_started.connect(_on_started, dispatch_uid=__name__)
    signals.execution_finished.connect(_on_finished, dispatch_uid=__name__)


def _function_of(task: AnyTask) -> registry.ResolvedFunction:
    """What a node will find by the name of the task's function; it must be this very task's."""
    path = f"{task.func.__module__}:{task.func.__qualname__}"
    try:
        function = registry.resolve(path, enqueued=True)
    except FunctionNotFound as error:
        raise InvalidTask(f"No node could run {task.module_path}: {error}") from error
    if function.target.func is not task.func:
        raise InvalidTask(
            f"No node could run {task.module_path}: by that name it would find another task. Give the function a name"
            " of its own in its module."
        )
    return function


def _arguments(task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments as JSON has them: a tuple has become a list."""

    def as_json(name: str, value: Any) -> Any:
        try:
            return normalize_json(value)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{task.module_path} cannot be enqueued so: {name} is a {type(value).__name__} that JSON does not know"
                f" ({error}). Pass what it can be made of again, such as a primary key or a date as text."
            ) from error

    return (
        [as_json(f"argument {number}", value) for number, value in enumerate(args, start=1)],
        {name: as_json(f"argument {name!r}", value) for name, value in kwargs.items()},
    )


def _on_started(*, execution_id: int, task_id: int | None, job_id: str, **_others: Any) -> None:
    if task_id is None and not job_id:
        _tell(task_started, execution_id)


def _on_finished(*, execution_id: int, task_id: int | None, job_id: str, **_others: Any) -> None:
    if task_id is None and not job_id:
        _tell(task_finished, execution_id, only_the_end=True)


def _tell(signal: Signal, execution_id: int, *, only_the_end: bool = False) -> None:
    """Send a signal of the framework's; a result that waits for another attempt has not ended."""
    rows = TaskExecution.objects.using(database.alias())
    execution = rows.filter(pk=execution_id).first()
    if execution is None or not execution.is_enqueued:
        return
    attempts = list(rows.attempts_at(execution).order_by("attempt", "pk"))
    if only_the_end and attempts[-1].pk != execution_id:
        return
    try:
        result = results.result_of(attempts)
    except FunctionNotFound as error:
        logger.debug("Nothing is told of the result %s: %s", execution.request, error)
        return
    backend = results.backend_of(execution)
    sender = type(task_backends[backend]) if backend in task_backends.settings else DatabaseBackend
    signal.send_robust(sender, task_result=result)
