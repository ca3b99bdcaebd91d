"""Spans of runs, kept in memory by OpenTelemetry's own exporter."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from django_sched_tasks import hooks, operations, runner
from django_sched_tasks.contrib.opentelemetry import spans
from django_sched_tasks.exceptions import WorkerDied
from django_sched_tasks.models import TaskExecution

EXPORTER = InMemorySpanExporter()


@pytest.fixture(scope="module")
def provider():
    """A process has one, which cannot be replaced."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(TracerProvider())
    trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(EXPORTER))
    return trace.get_tracer_provider()


@pytest.fixture
def ended(provider, monkeypatch):
    """The spans of runs that have ended in this test."""
    for name in ("gatherers", "around_run", "broken_off"):
        monkeypatch.setattr(hooks, name, [])
    spans.connect()
    EXPORTER.clear()
    return lambda: [span for span in EXPORTER.get_finished_spans() if span.name.startswith("run ")]


@pytest.fixture
def tracer(provider):
    return provider.get_tracer("the site")


def test_a_run_of_a_schedule_begins_a_trace(ended, make, node, at):
    task = make()
    (execution,) = node.run_until(at(60))
    (span,) = ended()

    assert (span.name, span.kind, span.parent) == ("run tests.zoo.tasks:ok", SpanKind.INTERNAL, None)
    assert span.status.status_code == StatusCode.UNSET
    assert (
        span.attributes.items()
        >= {
            "code.function.name": "tests.zoo.tasks.ok",
            "messaging.destination.name": "default",
            "sched_tasks.execution.id": execution.pk,
            "sched_tasks.execution.kind": "schedule",
            "sched_tasks.execution.attempt": 1,
            "sched_tasks.execution.fire_at": at(60).isoformat(),
            "sched_tasks.task.id": task.pk,
            "sched_tasks.job.id": task.job_id,
            "sched_tasks.outcome": "returned",
        }.items()
    )


def test_a_run_that_the_api_asked_for_is_in_its_trace(ended, make, node, tracer, staff_api):
    task = make()
    with tracer.start_as_current_span("POST /run/") as request:
        answer = staff_api.post(f"/api/scheduler/task/run/{task.pk}")
    node.advance(3600 * 24 * 3650)  # the API reads the real clock
    node.tick()
    span = next(span for span in ended() if span.attributes["sched_tasks.execution.id"] == answer.json()["id"])

    assert span.context.trace_id == request.get_span_context().trace_id
    assert span.parent.span_id == request.get_span_context().span_id
    assert span.kind == SpanKind.CONSUMER


def test_a_request_outside_a_trace_carries_none(ended, make, node):
    assert operations.run_task(make().pk, now=node.now).headers is None


@pytest.mark.parametrize("func", ["traces", "traces_async"])
def test_spans_of_the_function_are_children_of_its_runs(ended, make, node, func):
    operations.run_task(make(func).pk, now=node.now)
    (execution,) = node.tick()
    assert execution.status == "succeeded", execution.error
    (run,) = ended()
    inner = next(span for span in EXPORTER.get_finished_spans() if span.name == "inner")

    assert inner.parent.span_id == run.context.span_id


def test_an_error_is_recorded_without_its_secrets(ended, make, node):
    operations.run_task(make("raises_its_secret", kwargs={"password": "hunter2-secret"}).pk, now=node.now)
    node.tick()
    (span,) = ended()
    (event,) = span.events

    assert span.status.status_code == StatusCode.ERROR
    assert (span.attributes["error.type"], event.attributes["exception.type"]) == ("ValueError", "ValueError")
    assert "Traceback" in event.attributes["exception.stacktrace"]
    assert "raises_its_secret" in event.attributes["exception.stacktrace"]
    assert "hunter2-secret" not in str(span.to_json())


def test_a_retry_links_to_the_attempt_before(ended, make, node, tracer, at):
    task = make("raises", max_retries=2, retry_delay=10)
    operations.pause_task(task.pk, now=node.now)
    with tracer.start_as_current_span("request") as request:
        operations.run_task(task.pk, now=node.now)
    node.run_until(at(50))
    first, second, third = ended()

    assert [span.attributes["sched_tasks.execution.attempt"] for span in (first, second, third)] == [1, 2, 3]
    assert {span.parent.span_id for span in (first, second, third)} == {request.get_span_context().span_id}
    assert first.links == ()
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    assert [link.context.span_id for link in third.links] == [second.context.span_id]


def test_a_run_that_was_broken_off_has_a_span_from_its_node(ended, make, node):
    operations.run_task(make().pk, now=node.now)
    ((claim, _function),) = node.start(node.claim())
    outcome = runner.broken_off(claim, WorkerDied("It was killed."), 2.5)
    (span,) = ended()

    assert outcome.status == "failed"
    assert span.attributes["sched_tasks.broken_off"] is True
    assert span.attributes["error.type"] == "django_sched_tasks.exceptions.WorkerDied"
    assert (span.end_time - span.start_time) / 1e9 == pytest.approx(2.5)


def test_a_cancelled_run_is_no_error(ended, make, node):
    operations.run_task(make("raises_cancelled").pk, now=node.now)
    (execution,) = node.tick()
    (span,) = ended()

    assert execution.status == "cancelled"
    assert (span.status.status_code, span.attributes["sched_tasks.outcome"]) == (StatusCode.UNSET, "cancelled")


def test_a_row_with_headers_of_somebody_else_runs_all_the_same(ended, make, node):
    operations.run_task(make().pk, now=node.now)
    TaskExecution.objects.update(headers={"otel": "nonsense", "otel_previous": 3})
    (execution,) = node.tick()

    assert execution.status == "succeeded"
    assert len(ended()) == 1
