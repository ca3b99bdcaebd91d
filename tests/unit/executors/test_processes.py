"""Runs in child processes, as far as that needs no database of its own; the rest is among the integration tests."""

import sys
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from django_sched_tasks.executors import ProcessExecutor, processes
from django_sched_tasks.registry import resolve
from tests.unit.test_runner import claim as make_claim


@pytest.fixture
def pool(monkeypatch):
    """Without the monitor, whose thread would still ask the database when the next test has it to itself."""
    for name in ("watch", "unwatch"):
        monkeypatch.setattr(processes.live, name, lambda *args: None)
    executors = []

    def pool(**options):
        executors.append(executor := ProcessExecutor("apart", **{"max_workers": 1} | options))
        executor.start()
        return executor

    yield pool
    for executor in executors:
        executor.shutdown()


def run(executor, *call, **changes):
    told = SimpleQueue()
    claim = replace(make_claim(*call), **changes)
    executor.submit(claim, resolve("tests.zoo.tasks:ok"), lambda claim, outcome: told.put(outcome))
    return told.get(timeout=60)


def test_a_child_runs_one_after_another_until_it_has_had_enough(pool):
    executor = pool(max_tasks=2)
    seen = []
    for _ in range(3):
        assert run(executor, "add", 2).result == 3
        seen.append(set(executor._children))
    assert len(seen[0]) == 1
    assert seen[1] == set()  # it has had its two
    assert len(seen[2]) == 1


def test_a_function_that_is_not_there_fails(pool):
    outcome = run(pool(), "renamed_since")
    assert (outcome.status, "renamed_since" in outcome.error) == ("failed", True)


def test_a_site_that_cannot_be_loaded_fails_the_run_and_says_why(pool, monkeypatch):
    monkeypatch.setattr(processes, "_environment", lambda: {"DJANGO_SETTINGS_MODULE": "no.such.settings"})
    outcome = run(pool(), "ok")
    assert outcome.status == "failed"
    assert "could not load the site" in outcome.error


def test_settings_without_a_module_cannot_be_loaded_elsewhere(pool, monkeypatch):
    monkeypatch.setattr(processes, "settings", SimpleNamespace())
    outcome = run(pool(), "ok")
    assert (outcome.status, "DJANGO_SETTINGS_MODULE" in outcome.error) == ("failed", True)


def test_no_scheduler_starts_in_a_child(monkeypatch):
    monkeypatch.setenv("SCHED_TASKS_AUTO_START", "1")
    assert processes._environment()["SCHED_TASKS_AUTO_START"] == "0"


def test_a_server_that_embeds_python_is_no_interpreter(monkeypatch):
    assert processes._interpreter() == sys.executable
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    assert Path(processes._interpreter()).name.startswith("python")
