"""Functions within the tasks of other libraries, and within decorators."""

from __future__ import annotations

import pytest

from django_sched_tasks import registry
from django_sched_tasks.exceptions import InvalidFunction


def test_a_wrapped_function_shows_its_own_signature():
    assert str(registry.resolve("depot.tasks:count").signature) == "(shelf: 'int', /, step: 'int' = 1) -> 'int'"


def test_a_django_task_is_its_function(fresh, settings, paths):
    pytest.importorskip("django.tasks", reason="django.tasks came with Django 6.0")
    fresh(
        """
        from django.tasks import task

        @task
        def send(to):
            "Send a letter."

        @task(takes_context=True)
        def track(context, to): ...
        """
    )
    resolved = registry.check("fresh.tasks:send")
    assert resolved.callable is resolved.target.func
    assert paths() == ["fresh.tasks:send", "fresh.tasks:track"]
    assert registry.functions()[0].summary == "Send a letter."
    registry.check_arguments(registry.check("fresh.tasks:track"), ["you"], {})


def test_a_task_of_the_django_tasks_package_is_its_function(fresh, settings):
    pytest.importorskip("django_tasks", reason="the package django-tasks is not installed")
    fresh("from django_tasks import task\n\n@task\ndef send(to): ...")
    assert registry.check("fresh.tasks:send").callable is registry.check("fresh.tasks:send").target.func


@pytest.mark.parametrize("library", ["django.tasks", "django_tasks"])
def test_a_task_that_takes_its_context_says_so(fresh, library):
    pytest.importorskip(library, reason=f"{library} is not installed")
    fresh(
        f"""
        from {library} import task

        @task
        def send(to): ...

        @task(takes_context=True)
        def track(context, to): ...

        def plain(context): ...
        """
    )
    track = registry.resolve("fresh.tasks:track")
    assert track.takes_context is True
    assert str(track.signature) == "(to)"
    assert registry.resolve("fresh.tasks:send").takes_context is False
    assert registry.resolve("fresh.tasks:plain").takes_context is False


def test_a_celery_task_is_called_as_such(fresh, paths):
    pytest.importorskip("celery", reason="celery is not installed")
    fresh(
        """
        from celery import shared_task
        from celery.result import AsyncResult

        @shared_task
        def add(a, b):
            "Add."
            return a + b

        @shared_task(bind=True)
        def bound(self, a):
            return (self.name, a)

        @shared_task(bind=True, autoretry_for=(OSError,))
        def again(self, a):
            return a
        """
    )
    assert paths() == ["fresh.tasks:add", "fresh.tasks:again", "fresh.tasks:bound"]
    assert registry.check("fresh.tasks:add").callable(1, 2) == 3
    for name in ("bound", "again"):
        registry.check_arguments(registry.check(f"fresh.tasks:{name}"), [1], {})
        with pytest.raises(InvalidFunction):
            registry.check_arguments(registry.check(f"fresh.tasks:{name}"), [1, 2], {})
        assert not registry.check(f"fresh.tasks:{name}").takes_context  # Celery hands over the task itself
    assert registry.check("fresh.tasks:bound").callable(1) == ("fresh.tasks.bound", 1)
