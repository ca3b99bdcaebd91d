"""Metrics, read back by Prometheus' own parser."""

import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from django.db import DatabaseError
from django.urls import include, path
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from django_sched_tasks import operations, signals
from django_sched_tasks.contrib.prometheus import cluster, exporter, exposition
from django_sched_tasks.contrib.prometheus.cluster import ClusterCollector
from django_sched_tasks.contrib.prometheus.runs import RunMetrics
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution
from django_sched_tasks.testing import ManualScheduler

urlpatterns = [path("metrics/", include("django_sched_tasks.contrib.prometheus.urls"))]

TOKEN = "a-token-of-some-length"


def samples(text):
    """{(name, labels): value} of what Prometheus would read."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(*collectors):
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return samples(generate_latest(registry).decode())


@pytest.fixture
def task_labels(settings):
    settings.SCHED_TASKS = {**settings.SCHED_TASKS, "PROMETHEUS": {"TASK_LABELS": True, "MOST_TASKS": 2}}


@pytest.fixture
def counted(db):
    """A registry with the metrics of runs, connected to the signals for this test."""
    registry = CollectorRegistry()
    metrics = RunMetrics(registry)
    metrics.connect()
    yield lambda: samples(generate_latest(registry).decode())
    for signal in (signals.execution_started, signals.execution_finished):
        signal.disconnect(dispatch_uid="django_sched_tasks.contrib.prometheus.runs")


# Of all nodes together


def test_what_the_database_tells(make, node, monkeypatch, at):
    monkeypatch.setattr("django_sched_tasks.database.now", lambda using=None: at(90))
    make()
    paused = make()
    operations.pause_task(paused.pk, now=at(0))
    SchedulerTask.objects.filter(pk=paused.pk).update(schedule_error="It cannot be read.")
    for queue in ("etl", "etl", "mail"):
        operations.run_task(make(queue=queue).pk, now=at(30))
    node.node.beat(at(85), loop_at=at(85), slots_in_use=3, stuck_slots=1, problem="", has_session_lock=False,
                   clock_offset=0.0)  # fmt: skip
    silent = ManualScheduler(now=at(85))
    SchedulerNode.objects.filter(pk=silent.node.id).update(heartbeat_at=at(20))

    told = scrape(ClusterCollector())

    assert told["sched_tasks_database_up",] == 1
    assert (told["sched_tasks_nodes", "alive"], told["sched_tasks_nodes", "silent"]) == (1, 1)
    assert (told["sched_tasks_slots",], told["sched_tasks_slots_in_use",]) == (100, 3)
    assert told["sched_tasks_slots_stuck",] == 1
    assert (told["sched_tasks_tasks", "active"], told["sched_tasks_tasks", "paused"]) == (4, 1)
    assert (told["sched_tasks_tasks", "finished"], told["sched_tasks_tasks_broken",]) == (0, 1)
    assert told["sched_tasks_executions_open", "etl", "queued"] == 2
    assert told["sched_tasks_executions_open", "mail", "queued"] == 1
    assert told["sched_tasks_executions_open", "mail", "running"] == 0
    assert told["sched_tasks_oldest_waiting_seconds", "etl"] == 60
    assert told["sched_tasks_oldest_waiting_seconds", "default"] == 0
    assert told["sched_tasks_tasks_overdue",] == 0
    monkeypatch.setattr("django_sched_tasks.database.now", lambda using=None: at(120))
    assert scrape(ClusterCollector())["sched_tasks_tasks_overdue",] == 4


def test_a_scrape_takes_few_statements(make, node, django_assert_max_num_queries, task_labels):
    for number in range(5):
        operations.run_task(make(queue=f"queue {number}").pk, now=node.now)

    with django_assert_max_num_queries(5):
        scrape(ClusterCollector())


@pytest.mark.django_db
def test_a_database_that_is_away_is_told(monkeypatch):
    def refuse(using=None):
        raise DatabaseError("gone")

    monkeypatch.setattr("django_sched_tasks.database.now", refuse)

    assert scrape(ClusterCollector()) == {("sched_tasks_database_up",): 0}


def test_registering_asks_no_database():
    registry = CollectorRegistry()
    registry.register(ClusterCollector())  # this test may use none

    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(ClusterCollector())


def test_each_task_has_its_totals_where_they_are_wanted(make, node, at, task_labels):
    first, second, third = make(job_id="first"), make(job_id="second"), make(job_id="third")
    node.run_until(at(120))
    told = scrape(ClusterCollector())

    assert told["sched_tasks_task_runs_total", first.job_id] == 2
    assert told["sched_tasks_task_fire_times_total", second.job_id] == 2
    assert told["sched_tasks_task_last_run_timestamp_seconds", "first"] == at(120).timestamp()
    assert told["sched_tasks_task_next_run_timestamp_seconds", "first"] == at(180).timestamp()
    assert ("sched_tasks_task_runs_total", third.job_id) not in told  # beyond MOST_TASKS


def test_no_task_has_a_label_unless_it_is_wanted(make, node, at):
    make(job_id="first")

    assert not [key for key in scrape(ClusterCollector()) if "first" in key]


# Of the runs of a process


def test_ends_are_counted_with_their_durations(counted):
    for status, kind, duration in (
        ("succeeded", "schedule", 0.2),
        ("succeeded", "schedule", 2.0),
        ("failed", "manual", 0.01),
        ("missed", "schedule", None),
    ):
        signals.send(
            signals.execution_finished, TaskExecution, execution_id=1, task_id=1, job_id="job", kind=kind,
            status=status, reason="", duration=duration,
        )  # fmt: skip
    told = counted()

    assert told["sched_tasks_executions_total", "schedule", "succeeded"] == 2
    assert told["sched_tasks_executions_total", "failed", "manual"] == 1
    assert told["sched_tasks_executions_total", "missed", "schedule"] == 1
    assert told["sched_tasks_execution_duration_seconds_count", "schedule"] == 2
    assert told["sched_tasks_execution_duration_seconds_sum", "schedule"] == pytest.approx(2.2)
    assert told["sched_tasks_execution_duration_seconds_bucket", "0.5", "schedule"] == 1


def test_the_engines_own_signals_say_what_is_counted(counted, make, node, at):
    from django_sched_tasks import recording

    make(misfire_grace_time=None)
    node.now = at(60)
    node.plan()
    ((claim, _function),) = started = node.start(node.claim())
    outcome_result = recording.Result(ended=[_outcome(claim)])
    recording.announce_ends(outcome_result)
    told = counted()

    assert started
    assert told["sched_tasks_execution_lateness_seconds_count", "schedule"] == 1
    assert told["sched_tasks_executions_total", "schedule", "succeeded"] == 1
    assert told["sched_tasks_execution_duration_seconds_count", "schedule"] == 1


def _outcome(claim):
    from django_sched_tasks import registry, runner

    return runner.run(claim, registry.resolve(claim.func))


def test_tasks_beyond_the_most_share_a_label(task_labels, counted):
    for job_id in ("a", "b", "c", "d", "a"):
        signals.send(
            signals.execution_finished, TaskExecution, execution_id=1, task_id=1, job_id=job_id, kind="manual",
            status="succeeded", reason="", duration=0.1,
        )  # fmt: skip
    told = counted()

    assert told["sched_tasks_executions_total", "a", "manual", "succeeded"] == 2
    assert told["sched_tasks_executions_total", "b", "manual", "succeeded"] == 1
    assert told["sched_tasks_executions_total", "manual", "other", "succeeded"] == 2


# The page, and the port


@pytest.fixture
def page(settings, client, db):
    settings.ROOT_URLCONF = __name__
    settings.SCHED_TASKS = {**settings.SCHED_TASKS, "PROMETHEUS": {"TOKEN": TOKEN}}
    collector = ClusterCollector()
    REGISTRY.register(collector)
    yield client
    REGISTRY.unregister(collector)


def test_the_page_is_read_by_the_parser(page, make, node):
    make()
    answer = page.get("/metrics/", headers={"Authorization": f"Bearer {TOKEN}"})
    told = samples(answer.content.decode())

    assert answer.headers["Content-Type"].startswith("text/plain")
    assert told["sched_tasks_tasks", "active"] == 1
    assert "process_start_time_seconds" in answer.content.decode()


@pytest.mark.parametrize("header", ["", "Bearer wrong", f"Basic {TOKEN}", "Bearer "])
def test_strangers_may_not_read_it(page, header):
    answer = page.get("/metrics/", headers={"Authorization": header})

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_staff_who_may_see_nodes_may_read_it(page, staff, visitor):
    page.force_login(visitor)
    assert page.get("/metrics/").status_code == 401
    page.force_login(staff)
    assert page.get("/metrics/").status_code == 200


def test_without_a_token_an_empty_one_opens_nothing(page, settings):
    settings.SCHED_TASKS = {"AUTO_START": False}

    assert page.get("/metrics/", headers={"Authorization": "Bearer None"}).status_code == 401


@pytest.fixture
def port(db, monkeypatch):
    monkeypatch.setattr(exporter, "connections", type("Untouched", (), {"close_all": staticmethod(lambda: None)}))
    monkeypatch.setattr(cluster, "_read", lambda metrics: [])
    server = exporter.start("127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()


def test_a_node_serves_them_on_a_port_of_its_own(port):
    with urllib.request.urlopen(port, timeout=10) as answer:
        assert "process_start_time_seconds" in answer.read().decode()


def test_the_port_asks_for_the_token_too(port, settings):
    settings.SCHED_TASKS = {**settings.SCHED_TASKS, "PROMETHEUS": {"TOKEN": TOKEN}}
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(port, timeout=10)
    request = urllib.request.Request(port, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def test_processes_that_share_a_directory_are_read_together(tmp_path, monkeypatch, db):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    script = (
        "import django; django.setup()\n"
        "from prometheus_client import CollectorRegistry\n"
        "from django_sched_tasks import signals\n"
        "from django_sched_tasks.models import TaskExecution\n"
        "from django_sched_tasks.contrib.prometheus.runs import RunMetrics\n"
        "RunMetrics(CollectorRegistry()).connect()\n"
        "signals.send(signals.execution_finished, TaskExecution, execution_id=1, task_id=1, job_id='a', kind='manual',"
        " status='succeeded', reason='', duration=0.1)\n"
    )
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": ""}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script], env=env, check=True, timeout=120)
    told = samples(generate_latest(exposition.registry()).decode())

    assert told["sched_tasks_executions_total", "manual", "succeeded"] == 2
    assert told["sched_tasks_database_up",] == 1
