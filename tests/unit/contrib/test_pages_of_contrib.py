"""The pages about contrib say what its code says, and the LOGGING that they show is run."""

import ast
import io
import logging.config
import re

import pytest
from prometheus_client import CollectorRegistry

from django_sched_tasks import conf, operations
from django_sched_tasks.contrib.alerts.models import THRESHOLDS, Condition, Event
from django_sched_tasks.contrib.prometheus import cluster
from django_sched_tasks.contrib.prometheus.runs import RunMetrics
from tests.unit.test_docs import below, blocks, names, plain, rows, sections, text


@pytest.mark.parametrize("key", [name for name, key in conf.KEYS.items() if key.options])
def test_every_option_is_documented_with_its_default(key):
    told = {row[0]: plain(ast.literal_eval(row[1])) for row in rows(sections("reference/settings.md")[key])}

    assert told == {name: plain(option.default) for name, option in conf.KEYS[key].options.items()}


def labels(cell):
    return tuple(re.findall(r"\w+", cell))


def test_every_metric_of_all_nodes_is_documented_with_its_labels():
    told = {row[0]: labels(row[1]) for row in rows(below("reference/metrics.md", "## Of all nodes together"))}

    assert told == {name: labels for name, (_text, labels) in cluster.GAUGES.items()}


def test_every_metric_of_a_task_is_documented():
    told = names(below("reference/metrics.md", "## Of each task"))

    assert set(told) == {*cluster.TASK_GAUGES, *(f"{name}_total" for name in cluster.TASK_COUNTERS)}


def test_every_metric_of_runs_is_documented_with_its_labels():
    told = {row[0]: labels(row[1]) for row in rows(below("reference/metrics.md", "## Of the runs of a process"))}
    metrics = vars(RunMetrics(CollectorRegistry())).values()
    made = {family.name: metric._labelnames for metric in metrics if hasattr(metric, "describe")
            for family in metric.describe()}  # fmt: skip

    assert {name.removesuffix("_total"): labels for name, labels in told.items()} == made


def test_every_condition_is_documented_with_its_number():
    told = {row[0]: re.findall(r"^\d+", row[2]) for row in rows(below("how-to/alerts.md", "## What is told"))}

    assert told == {value: [str(THRESHOLDS[value])] if value in THRESHOLDS else [] for value in Condition.values}


def test_every_event_of_a_webhook_is_documented():
    part = below("how-to/alerts.md", "## Webhook")

    assert all(f"`{event}`" in part for event in Event.values)


def test_the_payload_in_the_page_has_the_fields_of_a_real_one(make, at):
    import json

    from django_sched_tasks.contrib.alerts import webhook
    from django_sched_tasks.contrib.alerts.models import Alert, AlertChannel, AlertDelivery

    (shown,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", text("how-to/alerts.md"), re.DOTALL))
    alert = Alert(condition="failed", subject="task:1", task=make(), title="T", opened_at=at(0), seen_at=at(0))
    real = webhook.payload(AlertDelivery(alert=alert, channel=AlertChannel(), event="opened"))

    assert (list(shown), list(shown["alert"])) == (list(real), list(real["alert"]))
    assert list(shown["alert"]["task"]) == list(real["alert"]["task"])


def python_of(name):
    from tests.unit.test_docs import DOCS

    return blocks(DOCS / name, "python")


def test_a_receiver_that_does_as_the_page_says_knows_what_is_genuine():
    import time

    from django_sched_tasks.contrib.alerts import webhook

    space = {}
    exec(next(block for block in python_of("how-to/alerts.md") if "def is_genuine" in block), space)
    stamp = str(int(time.time()))
    headers = {"X-Sched-Tasks-Timestamp": stamp, "X-Sched-Tasks-Signature": webhook.signature("s", stamp, b"{}")}
    old = {**headers, "X-Sched-Tasks-Timestamp": "1000"}

    assert space["is_genuine"]("s", headers, b"{}")
    assert not space["is_genuine"]("s", headers, b"{ }")
    assert not space["is_genuine"]("other", headers, b"{}")
    assert not space["is_genuine"]("s", old, b"{}")


@pytest.fixture
def kept_logging():
    """The root logger as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("kept_logging")
def test_the_logging_in_the_page_shows_the_execution(make, node):
    space = {}
    exec(next(block for block in python_of("how-to/observe.md") if "LOGGING" in block), space)
    stream = io.StringIO()
    space["LOGGING"]["handlers"]["console"]["stream"] = stream
    logging.config.dictConfig(space["LOGGING"])
    operations.run_task(make("logs", job_id="nightly").pk, now=node.now)
    (execution,) = node.tick()
    logging.getLogger("shop").warning("outside")

    assert f"WARNING [nightly #{execution.pk}] tests.zoo: said in a run\n" in stream.getvalue()
    assert "WARNING [- #-] shop: outside\n" in stream.getvalue()
