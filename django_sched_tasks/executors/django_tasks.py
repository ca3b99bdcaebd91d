"""Runs on a backend of Django's tasks: ``django.tasks`` of Django 6, or the package ``django-tasks`` before it.

One task, :data:`run`, carries the id of the execution and of its message; what runs and with which arguments the
backend's worker reads from the execution. Where the function is itself such a task, its queue and priority apply.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured

from django_sched_tasks import worker
from django_sched_tasks.executors import means
from django_sched_tasks.executors.dispatching import DISPATCH_TIMEOUT, DispatchingExecutor
from django_sched_tasks.framework import DEFAULT_TASK_QUEUE_NAME, Task, task, task_backends
from django_sched_tasks.models.transitions import Claim
from django_sched_tasks.registry import ResolvedFunction

OURS = "django_sched_tasks.tasks_backend.DatabaseBackend"


class DjangoTasksExecutor(DispatchingExecutor):
    """Enqueues executions on a backend of ``TASKS``.

    What the backend's workers can do about a run that takes too long, or is to end, depends on how they run it: in a
    process's main thread, as ``db_worker`` does, it is ended; in another thread as far as Python lets it.

    Args:
        backend: the alias of the backend in ``TASKS``.
        max_workers, dispatch_timeout: see :class:`DispatchingExecutor`.
    """

    supports_async: ClassVar[bool] = True
    supports_timeout: ClassVar[bool] = True
    supports_cancel: ClassVar[bool] = True

    def __init__(
        self,
        alias: str,
        *,
        backend: str = "default",
        max_workers: int | None = None,
        dispatch_timeout: float = DISPATCH_TIMEOUT,
    ) -> None:
        super().__init__(alias, max_workers=max_workers, dispatch_timeout=dispatch_timeout)
        self._backend = backend
        if backend not in task_backends.settings:
            known = ", ".join(task_backends.settings)
            raise ImproperlyConfigured(f"The executor {alias!r} has the backend {backend!r}; TASKS names {known}.")
        if task_backends.settings[backend].get("BACKEND") == OURS:
            raise ImproperlyConfigured(
                f"The executor {alias!r} would hand its runs to the backend {backend!r} of TASKS, which hands them back"
                " to the nodes. Name another backend, or use a ThreadExecutor."
            )

    def send(self, claim: Claim, function: ResolvedFunction) -> None:
        options = {"backend": self._backend, **_of_task(function.target), **_given(claim)}
        if "queue_name" not in options:
            options["queue_name"] = _a_queue(self._backend)
        run.using(**options).enqueue(claim.id, claim.message_id)


def _of_task(target: Any) -> dict[str, Any]:
    return {"queue_name": target.queue_name, "priority": target.priority} if isinstance(target, Task) else {}


def _given(claim: Claim) -> dict[str, Any]:
    return {name: claim.executor_options[name] for name in ("queue_name", "priority") if name in claim.executor_options}


def _a_queue(backend: str) -> str:
    """The default one, or where the backend has queues of its own and not that, one of them."""
    queues = task_backends[backend].queues
    return DEFAULT_TASK_QUEUE_NAME if not queues or DEFAULT_TASK_QUEUE_NAME in queues else min(queues)


# A task must be one of some backend already when it is declared; it is sent by that of the executor.
_ANY = next(iter(task_backends.settings))


@task(backend=_ANY, queue_name=_a_queue(_ANY))
def run(execution_id: int, message_id: str) -> str:
    """The task that runs what an execution says."""
    ends = means.here()
    return worker.perform(execution_id, message_id, limit=ends.limit, interrupt=ends.interrupt)
