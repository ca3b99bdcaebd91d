"""The span of a run.

The trace of a request to run now, to retry or to backfill goes along in the execution's ``headers``, by the propagators
that the site has set; its runs are children of the request's span. A run of a schedule begins a trace of its own. A
failed run leaves its own context in the headers too, so that its retry can link to it.

Only the API of OpenTelemetry is used: which spans are kept, and where they go, is the site's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from traceback import format_exception
from typing import Any

from django.db import DatabaseError
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from django_sched_tasks import __version__, database, hooks
from django_sched_tasks.exceptions import RunCancelled
from django_sched_tasks.models import Kind, TaskExecution
from django_sched_tasks.models.transitions import Claim

logger = logging.getLogger(__name__)

PARENT = "otel"  # in an execution's headers: the request's context
PREVIOUS = "otel_previous"  # and that of the attempt before
FLUSH = 2_000  # milliseconds that a child process waits for its spans to go out


def connect() -> None:
    hooks.gatherers.append(request_context)
    hooks.around_run.append(run_span)
    hooks.broken_off.append(broken_off_span)


def request_context() -> dict[str, Any]:
    """The context of whatever asks for an execution, as its headers keep it."""
    if not trace.get_current_span().get_span_context().is_valid:
        return {}
    return {PARENT: _carried()}


@contextmanager
def run_span(claim: Claim, hide: hooks.Hide) -> Iterator[None]:
    options = {**_options(claim), "record_exception": False, "set_status_on_exception": False}
    try:
        with _tracer().start_as_current_span(**options) as span:
            try:
                yield
            except BaseException as error:
                _tell_error(span, error, hide)
                if span.is_recording() and not isinstance(error, RunCancelled):
                    _leave_for_retry(claim)
                raise
            span.set_attribute("sched_tasks.outcome", "returned")
    finally:
        if hooks.is_child:
            _flush()


def broken_off_span(claim: Claim, error: BaseException, duration: float) -> None:
    """The process of the run has taken its own span with it: one with the same times, from the node."""
    now = time.time_ns()
    span = _tracer().start_span(**_options(claim), start_time=now - int(duration * 1e9))
    span.set_attribute("sched_tasks.broken_off", True)
    _tell_error(span, error, str)
    span.end(now)


def _tracer() -> trace.Tracer:
    return trace.get_tracer("django_sched_tasks", __version__)


def _options(claim: Claim) -> dict[str, Any]:
    headers = claim.headers or {}
    was_asked_for = claim.kind != Kind.SCHEDULE
    return {
        "name": f"run {claim.func}",
        "context": propagate.extract(_mapping(headers.get(PARENT)), Context()),
        "kind": SpanKind.CONSUMER if was_asked_for else SpanKind.INTERNAL,
        "attributes": _attributes(claim),
        "links": _links(_mapping(headers.get(PREVIOUS))),
    }


def _attributes(claim: Claim) -> dict[str, AttributeValue]:
    """By the semantic conventions where they have a name, else by our own."""
    attributes: dict[str, AttributeValue] = {
        "code.function.name": claim.func.replace(":", "."),
        "messaging.system": "django_sched_tasks",
        "messaging.operation.name": "run",
        "messaging.operation.type": "process",
        "messaging.destination.name": claim.queue,
        "messaging.message.id": str(claim.id),
        "sched_tasks.execution.id": claim.id,
        "sched_tasks.execution.kind": claim.kind,
        "sched_tasks.execution.attempt": claim.attempt,
        "sched_tasks.execution.fire_at": claim.fire_at.isoformat(),
        "sched_tasks.executor": claim.executor,
        "sched_tasks.job.id": claim.job_id,
        "sched_tasks.task.name": claim.task_name,
    }
    if claim.task_id is not None:
        attributes["sched_tasks.task.id"] = claim.task_id
    if claim.parent_id is not None:
        attributes["sched_tasks.execution.parent_id"] = claim.parent_id
    return attributes


def _links(carrier: dict[str, str]) -> Sequence[Link]:
    previous = trace.get_current_span(propagate.extract(carrier, Context())).get_span_context()
    return [Link(previous, {"sched_tasks.link": "previous_attempt"})] if previous.is_valid else []


def _tell_error(span: Span, error: BaseException, hide: hooks.Hide) -> None:
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, RunCancelled):
        span.set_attribute("sched_tasks.outcome", "cancelled")
        return
    span.set_attribute("sched_tasks.outcome", "raised")
    span.set_attribute("error.type", name)
    span.add_event("exception", {"exception.type": name, **_texts(error, hide)})
    span.set_status(Status(StatusCode.ERROR, hide(f"{name}: {error}")))


def _texts(error: BaseException, hide: hooks.Hide) -> dict[str, str]:
    return {
        "exception.message": hide(str(error)),
        "exception.stacktrace": hide("".join(format_exception(error))),
    }


def _leave_for_retry(claim: Claim) -> None:
    """A retry has the headers of the attempt before; without this it lacks its link, and nothing else."""
    using = database.alias()
    headers = {**(claim.headers or {}), PREVIOUS: _carried()}
    rows = TaskExecution.objects.using(using).filter(pk=claim.id)
    try:
        database.retrying(lambda: rows.update(headers=headers), using=using)
    except DatabaseError as error:
        logger.warning("Execution %s cannot leave its trace for a retry: %s", claim.id, error)


def _carried() -> dict[str, str]:
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def _mapping(value: Any) -> dict[str, str]:
    return value if isinstance(value, dict) else {}


def _flush() -> None:
    """A child process may be killed once its run is told; a provider that keeps spans back must send them now."""
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        flush(FLUSH)
