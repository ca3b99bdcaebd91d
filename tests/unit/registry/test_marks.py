"""What @schedulable and @scheduled accept, and what they leave behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from django_sched_tasks import registry


def test_importing_the_decorators_loads_no_models():
    code = "from django_sched_tasks import schedulable, scheduled; import sys; print(*sorted(sys.modules))"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    loaded = run.stdout.split()
    assert "django_sched_tasks.registry" in loaded
    assert not [name for name in loaded if name.startswith("django_sched_tasks.models")]


def test_importing_the_package_needs_no_settings_and_no_optional_library():
    code = "import django_sched_tasks, sys; print(*{'celery', 'django.tasks', 'rest_framework'} & set(sys.modules))"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_schedulable_returns_the_function_itself():
    def bare(): ...

    bare.__qualname__ = "bare"
    assert registry.schedulable(bare) is bare
    assert registry.schedulable()(bare) is bare


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda: None, "cannot mark"),
        (type("Some", (), {}), "plain functions, not a type"),
        (print, "plain functions"),
        (3, "plain functions, not a int"),
    ],
)
def test_the_decorators_teach(refused, words):
    def nested(): ...

    def _private(): ...

    _private.__qualname__ = "_private"
    for decorate in (registry.schedulable, registry.scheduled("cron", hour=2)):
        with pytest.raises(TypeError, match=words):
            decorate(refused)
        with pytest.raises(TypeError, match="top of a module"):
            decorate(nested)
        with pytest.raises(TypeError, match="private"):
            decorate(_private)


def test_scheduled_needs_its_parentheses():
    with pytest.raises(TypeError, match="needs a trigger"):
        registry.scheduled(lambda: None)


def test_scheduled_records_a_declaration(fresh):
    fresh(
        """
        from django_sched_tasks import scheduled

        @scheduled("interval", seconds=5, job_id="fast", max_retries=2)
        @scheduled("cron", hour=2, minute=0, name="Nightly", timezone="Asia/Shanghai")
        def sync(): ...
        """
    )
    registry.autodiscover()
    path = "fresh.tasks:sync"
    expected = [
        registry.Declaration(path, "cron", {"hour": 2, "minute": 0}, "Nightly", {"timezone": "Asia/Shanghai"}),
        registry.Declaration(path, "interval", {"seconds": 5}, None, {"job_id": "fast", "max_retries": 2}),
    ]
    assert registry.declarations() == expected
    del sys.modules["fresh.tasks"]
    registry.clear_cache()
    registry.autodiscover()
    assert registry.declarations() == expected
