"""Runs in Celery workers.

One Celery task, ``django_sched_tasks.run``, carries the id of the execution and of its message; what runs and with
which arguments the worker reads from the execution. Where the function is itself a Celery task, the message goes where
its own options and routes send it, and the worker calls it as ``task(*args, **kwargs)``.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, cast

import celery
from billiard.process import current_process
from celery import signals as celery_signals
from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils.module_loading import import_string

from django_sched_tasks import worker
from django_sched_tasks.exceptions import RunTimedOut
from django_sched_tasks.executors import means
from django_sched_tasks.executors.dispatching import DISPATCH_TIMEOUT, DispatchingExecutor
from django_sched_tasks.models import ExecutionStatus, Reason
from django_sched_tasks.models.transitions import Claim
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

RUN = "django_sched_tasks.run"
# py-amqp: only what RabbitMQ has confirmed has been sent, and one that does not answer is not waited for.
OF_A_CONNECTION = {"confirm_publish": True, "read_timeout": 10, "write_timeout": 10}
LEEWAY = 2.0  # seconds that a run gets to end by itself, once it is told to, before its process is killed
# Options of a Celery task that say how its messages are sent, and those that ``executor_options`` may give.
OF_A_TASK = ("queue", "exchange", "routing_key", "priority", "expires", "soft_time_limit", "time_limit")
OF_A_MESSAGE = (*OF_A_TASK, "headers", "countdown")


class CeleryExecutor(DispatchingExecutor):
    """Sends executions to the workers of the site's Celery app.

    Args:
        app: dotted path of the Celery app; the current app unless given.
        max_workers, dispatch_timeout: see :class:`DispatchingExecutor`.
        options: sent with every message, below those of ``executor_options``: queue, priority, headers, …
    """

    supports_async: ClassVar[bool] = True
    supports_timeout: ClassVar[bool] = True
    supports_cancel: ClassVar[bool] = True
    isolates_crashes: ClassVar[bool] = True

    def __init__(
        self,
        alias: str,
        *,
        app: str | None = None,
        max_workers: int | None = None,
        dispatch_timeout: float = DISPATCH_TIMEOUT,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(alias, max_workers=max_workers, dispatch_timeout=dispatch_timeout)
        self._app_path = app
        self._mine = threading.local()
        self._options = options or {}
        if unknown := set(self._options) - set(OF_A_MESSAGE):
            raise ImproperlyConfigured(
                f"The executor {alias!r} has options {sorted(unknown)}; known are {', '.join(OF_A_MESSAGE)}."
            )

    def send(self, claim: Claim, function: ResolvedFunction) -> None:
        """Without a retry of Celery's own: the claim goes back to the queue, and any node may try again."""
        app = self._app()
        task = function.target if isinstance(function.target, celery.Task) else None
        options = {**_of_task(task), **_limits(claim), **self._options, **_given(claim)}
        try:
            app.send_task(
                RUN,
                args=[claim.id, claim.message_id],
                task_id=claim.message_id,
                route_name=None if task is None else task.name,
                producer=self._producer(app),
                retry=False,
                ignore_result=True,
                **options,
            )
        except Exception:
            self._hang_up()
            raise

    def _producer(self, app: celery.Celery) -> Any:
        """Each sender has a connection of its own, and keeps it."""
        producer = getattr(self._mine, "producer", None)
        if producer is None or not producer.connection.connected:
            self._hang_up()
            options = {**OF_A_CONNECTION, **app.conf.broker_transport_options}
            connection = app.connection_for_write(heartbeat=0, transport_options=options)
            try:
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
                producer = app.amqp.Producer(connection, auto_declare=False)
            except Exception:
                connection.release()
                raise
            self._mine.producer = producer
        return producer

    def _hang_up(self) -> None:
        producer = getattr(self._mine, "producer", None)
        self._mine.producer = None
        if producer is not None:
            with contextlib.suppress(Exception):
                producer.connection.release()

    def _app(self) -> celery.Celery:
        app = celery.current_app if self._app_path is None else import_string(self._app_path)
        return cast("celery.Celery", app)


def _of_task(task: celery.Task | None) -> dict[str, Any]:
    """How the messages of a Celery task are sent, as its decorator says; its routes Celery looks up by its name."""
    given = {name: getattr(task, name, None) for name in OF_A_TASK}
    return {name: value for name, value in given.items() if value is not None}


def _limits(claim: Claim) -> dict[str, float]:
    """The worker ends a run that is over its time by itself; Celery's limit is for one that this does not end."""
    return {} if claim.timeout is None else {"time_limit": claim.timeout + LEEWAY}


def _given(claim: Claim) -> dict[str, Any]:
    return {name: claim.executor_options[name] for name in OF_A_MESSAGE if name in claim.executor_options}


# What the worker does.


@celery.shared_task(name=RUN, ignore_result=True)  # type: ignore[untyped-decorator]
def run(execution_id: int, message_id: str) -> str:
    """The Celery task that runs what an execution says."""
    ends = means.here()

    @contextmanager
    def limit(seconds: float | None) -> Iterator[None]:
        try:
            with ends.limit(seconds):
                yield
        except SoftTimeLimitExceeded as error:  # where the message came with such a limit
            raise RunTimedOut from error

    def interrupt(after: float) -> None:
        ends.interrupt(after)
        if _is_child():
            timer = threading.Timer(after + LEEWAY, _terminate, (message_id, ended))
            timer.daemon = True
            timer.start()

    ended = threading.Event()
    try:
        return worker.perform(execution_id, message_id, limit=limit, interrupt=interrupt)
    finally:
        ended.set()


def _is_child() -> bool:
    """Whether this is one of the processes of a prefork pool, which can be killed without harm to others."""
    return bool(current_process().name != "MainProcess")


def _terminate(message_id: str, ended: threading.Event) -> None:
    """Ask the worker to kill this process: its run was told to end, and does not."""
    if not ended.is_set():
        celery.current_app.control.revoke(message_id, terminate=True, signal="SIGKILL")


# What a worker's main process sees of a child that can tell nothing any more.


@celery_signals.task_failure.connect(weak=False)  # type: ignore[untyped-decorator]
def _on_failure(sender: Any = None, task_id: str = "", exception: Any = None, **kwargs: Any) -> None:
    if getattr(sender, "name", "") != RUN:
        return
    if isinstance(exception, TimeLimitExceeded):
        _end(task_id, ExecutionStatus.TIMED_OUT, error="It ran longer than its time limit, and its process was killed.")
    else:
        _end(task_id, ExecutionStatus.FAILED, error=f"{type(exception).__name__}: {exception}")


@celery_signals.task_revoked.connect(weak=False)  # type: ignore[untyped-decorator]
def _on_revoked(
    sender: Any = None, request: Any = None, terminated: bool = False, expired: bool = False, **kwargs: Any
) -> None:
    if getattr(sender, "name", "") != RUN:
        return
    if terminated:
        _end(request.id, ExecutionStatus.CANCELLED, reason=Reason.REQUESTED.value)
    else:
        _in_thread(lambda: worker.give_up(request.id, has_expired=expired))


def _end(message_id: str, status: ExecutionStatus, **told: str) -> None:
    _in_thread(lambda: worker.end(message_id, status, **told))


def _in_thread(act: Callable[[], Any]) -> None:
    """Outside the loop that serves the broker, and with a connection to the database that no fork inherits."""

    def work() -> None:
        try:
            act()
        except Exception:
            logger.exception("The end of a run could not be recorded; it will count as lost")
        finally:
            connections.close_all()

    threading.Thread(target=work, name="sched-tasks-ends", daemon=True).start()
