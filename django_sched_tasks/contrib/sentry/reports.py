"""Errors and check-ins.

What a function raises is reported where it runs, with its stack. What ends without a word from the function (its
process died, its node did, no node knew it) is reported by whoever found out. A check-in has an id that is made from
the execution's, so it can be begun in one process and ended in another.

Only the SDK's own calls are used: where reports go is what the site gives ``sentry_sdk.init``.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.crons import capture_checkin
from sentry_sdk.utils import event_from_exception, safe_repr

from django_sched_tasks import conf, database, hooks, signals
from django_sched_tasks.contrib.sentry import monitors
from django_sched_tasks.exceptions import RunCancelled
from django_sched_tasks.models import ExecutionStatus, Kind, TaskExecution
from django_sched_tasks.models.transitions import Claim

IN_PROGRESS, OK, ERROR = "in_progress", "ok", "error"
FLUSH = 2.0  # seconds that a child process waits for its reports to go out

_told: deque[int] = deque(maxlen=1_000)  # broken off here, so that a thread that goes on has nothing to add


def connect() -> None:
    hooks.around_run.append(report_run)
    hooks.broken_off.append(report_broken_off)
    signals.execution_finished.connect(report_unrun, dispatch_uid=__name__)


@contextmanager
def report_run(claim: Claim, hide: hooks.Hide) -> Iterator[None]:
    began = time.perf_counter()
    with sentry_sdk.isolation_scope() as scope:
        _describe(scope, claim)
        scope.add_event_processor(lambda event, hint: _hidden(event, hide))
        _check_in(claim, IN_PROGRESS)
        try:
            yield
        except BaseException as error:
            if claim.id not in _told:
                _capture(error)
                _check_in(claim, _status(error), time.perf_counter() - began)
            raise
        else:
            if claim.id not in _told:
                _check_in(claim, OK, time.perf_counter() - began)
        finally:
            if hooks.is_child:
                sentry_sdk.flush(FLUSH)


def report_broken_off(claim: Claim, error: BaseException, duration: float) -> None:
    _told.append(claim.id)
    with sentry_sdk.isolation_scope() as scope:
        _describe(scope, claim)
        _capture(error)
    _check_in(claim, _status(error), duration)


def report_unrun(*, execution_id: int, status: str, reason: str, kind: str, **_more: Any) -> None:
    """A run that was lost with its node, a fire time that was missed, or what no node could run."""
    was_unrun = status in (ExecutionStatus.LOST, ExecutionStatus.MISSED)
    if not was_unrun and not (status == ExecutionStatus.FAILED and reason):
        return
    execution = TaskExecution.objects.using(database.alias()).filter(pk=execution_id).first()
    if execution is None:
        return
    if status != ExecutionStatus.MISSED:  # which is news for the monitor of the schedule alone
        with sentry_sdk.isolation_scope() as scope:
            _describe(scope, execution)
            why = execution.get_reason_display() if reason else ""
            sentry_sdk.capture_message(f"{execution.task_name} is {status}. {why}".strip(), level="error")
    _check_in(execution, ERROR)


def _describe(scope: sentry_sdk.Scope, run: Claim | TaskExecution) -> None:
    scope.set_transaction_name(f"run {run.func}")
    scope.set_tag("sched_tasks.execution_id", str(_id(run)))
    scope.set_tag("sched_tasks.task_id", str(run.task_id))
    scope.set_tag("sched_tasks.job_id", run.job_id)
    scope.set_tag("sched_tasks.kind", run.kind)
    scope.set_context(
        "scheduled task",
        {
            "execution_id": _id(run),
            "task_id": run.task_id,
            "task_name": run.task_name,
            "job_id": run.job_id,
            "function": run.func,
            "kind": run.kind,
            "fire_at": run.fire_at.isoformat(),
            "attempt": run.attempt,
            "queue": run.queue,
        },
    )


def _id(run: Claim | TaskExecution) -> int:
    return run.id if isinstance(run, Claim) else run.pk


def _capture(error: BaseException) -> None:
    if isinstance(error, RunCancelled):
        return
    options = sentry_sdk.get_client().options
    mechanism = {"type": "django_sched_tasks", "handled": False}
    event, hint = event_from_exception(error, client_options=options, mechanism=mechanism)
    sentry_sdk.capture_event(event, hint=hint)


def _status(error: BaseException) -> str:
    return OK if isinstance(error, RunCancelled) else ERROR


def _check_in(run: Claim | TaskExecution, status: str, duration: float | None = None) -> None:
    """For the fire times of a schedule; what people ask for has no time at which it was expected."""
    if run.kind != Kind.SCHEDULE or not conf.option("SENTRY", "CHECK_INS") or not sentry_sdk.is_initialized():
        return
    monitor = monitors.of_task(run.task_id)
    if monitor is not None:
        capture_checkin(
            monitor_slug=monitor.slug,
            check_in_id=_check_in_id(_id(run)),
            status=status,
            duration=duration,
            monitor_config=monitor.config,  # type: ignore[arg-type]
        )


def _check_in_id(execution_id: int) -> str:
    """The same in every process of the site, and another on other sites."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{settings.SECRET_KEY}:{execution_id}").hex


def _hidden(value: Any, hide: hooks.Hide) -> Any:
    """An event without the run's secrets, also where a local variable shows them by its ``repr``."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {key: _shown(item, hide) if key == "vars" else _hidden(item, hide) for key, item in value.items()}
    return [_hidden(item, hide) for item in value] if isinstance(value, list | tuple) else value


def _shown(variables: Any, hide: hooks.Hide) -> Any:
    if not isinstance(variables, dict):
        return _hidden(variables, hide)
    return {name: hide(safe_repr(value)) for name, value in variables.items()}
