"""What real nodes tell the world: alerts of two of them at once, metrics on a port, spans out of child processes."""

import contextlib
import json
import signal
import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.fixtures import on
from tests.support.receiver import Receiver
from tests.support.waiting import until

pytestmark = pytest.mark.integration

YEARLY = {"trigger": "cron", "trigger_args": {"month": 1, "day": 1}}
QUICK = {"HEARTBEAT_INTERVAL": 0.5, "NODE_TIMEOUT": 4}
JOBS = """
import ctypes


def fails():
    raise RuntimeError("out of paper")


def works():
    from opentelemetry import trace

    with trace.get_tracer("shop").start_as_current_span("inner"):
        return "done"


def crashes():
    ctypes.string_at(0)
"""
TRACING = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

if not isinstance(trace.get_tracer_provider(), TracerProvider):
    trace.set_tracer_provider(TracerProvider())
    to_file = ConsoleSpanExporter(
        out=open(BASE_DIR / "spans.jsonl", "a"), formatter=lambda span: span.to_json(indent=None) + "\\n"
    )
    trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(to_file))
"""


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def observed(empty_database, make_site):
    """A migrated site with further apps."""

    def observed(*apps, **options):
        site = make_site(empty_database, apps=[f"django_sched_tasks.contrib.{app}" for app in apps], **options)
        site.write("warehouse/jobs.py", JOBS)
        site.migrate()
        return site

    return observed


def told(receiver):
    return [(request.json["event"], request.json["alert"]["condition"]) for request in receiver.received]


@on("sqlite", "postgresql", fixture="empty_database")
def test_two_nodes_tell_each_thing_once_though_one_is_killed(observed, receiver):
    alerts = {"INTERVAL": 1, "RESOLVE_AFTER": 1, "WEBHOOK_RETRY_DELAY": 1}
    site = observed("alerts", settings=f"SCHED_TASKS = {QUICK | {'ALERTS': alerts}!r}")
    code = (
        "from django_sched_tasks.contrib.alerts.models import AlertChannel;"
        f"AlertChannel.objects.create(name='hook', kind='webhook', target='{receiver.url}', secret='of the hook')"
    )
    site.manage("shell", "-c", code)
    receiver.answers = [500]
    first, second = site.runscheduler(), site.runscheduler()
    site.run(site.add(name="Nightly", func="warehouse.jobs:fails", **YEARLY))
    until(lambda: len(receiver.received) >= 2, within=30, what="the alert, and once more after the failure")
    assert told(receiver) == [("opened", "failed")] * 2
    assert len({request.headers["X-Sched-Tasks-Delivery"] for request in receiver.received}) == 1

    first.kill()
    until(lambda: ("opened", "node_gone") in told(receiver), within=30, what="the alert about the node")
    third = site.runscheduler()
    until(lambda: ("resolved", "node_gone") in told(receiver), within=30, what="the end of it")
    assert sorted(told(receiver)) == [
        *[("opened", "failed")] * 2,
        ("opened", "node_gone"),
        ("resolved", "node_gone"),
    ]
    assert [process.terminate() for process in (second, third)] == [0, 0]
    assert "Traceback" not in second.log.replace("RuntimeError: out of paper", "")


@on("sqlite", fixture="empty_database")
def test_a_node_serves_its_metrics(observed):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = QUICK | {"PROMETHEUS": {"PORT": port, "TASK_LABELS": True}}
    site = observed("prometheus", settings=f"SCHED_TASKS = {options!r}")
    site.runscheduler()
    site.run(site.add(name="Nightly", job_id="nightly", func="warehouse.jobs:fails", **YEARLY))
    site.wait_for_execution(within=30, status="failed")

    def scraped():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                families = text_string_to_metric_families(answer.read().decode())
        except OSError:
            return None  # not yet
        found = {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}
        return found if ("sched_tasks_executions_total", "failed", "manual", "nightly") in found else None

    found = until(scraped, within=30, what="the metrics")
    assert found["sched_tasks_executions_total", "failed", "manual", "nightly"] == 1
    assert found["sched_tasks_execution_lateness_seconds_count", "manual", "nightly"] == 1
    assert found["sched_tasks_task_runs_total", "nightly"] == 1
    assert found["sched_tasks_nodes", "alive"] == 1


@on("sqlite", fixture="empty_database")
def test_spans_come_out_of_child_processes(observed):
    """In the trace of the request that asked for the run; that of a process which crashed comes from its node."""
    executors = {"default": {"BACKEND": "django_sched_tasks.executors.ProcessExecutor", "OPTIONS": {"max_workers": 1}}}
    site = observed("opentelemetry", settings=f"SCHED_TASKS = {QUICK | {'EXECUTORS': executors}!r}\n{TRACING}")
    works = site.add(name="Works", func="warehouse.jobs:works", **YEARLY)
    crashes = site.add(name="Crashes", func="warehouse.jobs:crashes", **YEARLY)
    code = (
        "from opentelemetry import trace\n"
        "from django_sched_tasks import operations\n"
        "with trace.get_tracer('shop').start_as_current_span('request'):\n"
        f"    operations.run_task({works}); operations.run_task({crashes})\n"
        "trace.get_tracer_provider().force_flush()\n"
    )
    site.manage("shell", "-c", code)
    node = site.runscheduler()
    site.wait_for_execution(within=60, task_id=works, status="succeeded")
    site.wait_for_execution(within=60, task_id=crashes, status="failed")
    node.signal(signal.SIGTERM)
    assert node.wait() == 0
    spans = [json.loads(line) for line in (site.path / "spans.jsonl").read_text().splitlines()]
    by_name = {span["name"]: span for span in spans}
    request = by_name["request"]["context"]

    assert by_name["run warehouse.jobs:works"]["parent_id"] == request["span_id"]
    assert by_name["inner"]["parent_id"] == by_name["run warehouse.jobs:works"]["context"]["span_id"]
    assert {span["context"]["trace_id"] for span in spans if span["name"] != "POST"} == {request["trace_id"]}
    assert by_name["run warehouse.jobs:crashes"]["attributes"]["sched_tasks.broken_off"] is True
    assert by_name["run warehouse.jobs:crashes"]["status"]["status_code"] == "ERROR"


@on("sqlite", fixture="empty_database")
def test_web_processes_tell_that_no_node_is_left(observed, receiver):
    alerts = {"INTERVAL": 0.5, "FROM_REQUESTS": True}
    site = observed("alerts", settings=f"SCHED_TASKS = {QUICK | {'AUTO_START': False, 'ALERTS': alerts}!r}")
    code = (
        "from django_sched_tasks.contrib.alerts.models import AlertChannel, AlertRule;"
        f"AlertChannel.objects.create(name='hook', kind='webhook', target='{receiver.url}');"
        "AlertRule.objects.create(condition='no_node', threshold=1)"
    )
    site.manage("shell", "-c", code)
    server = site.gunicorn(workers=2)

    def asked():
        with contextlib.suppress(OSError):  # not there yet, or busy
            site.get(server, "/admin/login/")
        return told(receiver)

    assert until(asked, within=60, pause=0.2, what="the alert") == [("opened", "no_node")]
