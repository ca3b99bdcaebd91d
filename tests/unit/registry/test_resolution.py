"""What a path may name."""

from __future__ import annotations

import sys

import pytest

from django_sched_tasks import registry
from django_sched_tasks.exceptions import FunctionNotFound


def test_functions_defined_in_task_modules_may_be_scheduled(paths):
    assert paths() == [
        "depot.jobs.daily:report",
        "depot.module.deep.nightly:tidy",
        "depot.module.sync:sync_shelves",
        "depot.module.sync:盘点",
        "depot.tasks:count",
        "depot.tasks:fetch",
        "depot.tasks:noisy",
        "depot.tasks:restock",
        "guild.shop.tasks:sell",
    ]


def test_a_marked_function_may_be_scheduled_once_its_module_is_imported(paths, reason):
    with pytest.raises(FunctionNotFound):
        registry.resolve("depot.services:bill")
    from depot import services

    assert registry.resolve("depot.services:bill").callable is services.bill
    assert "depot.services:bill" in paths()
    assert "not marked" in reason("depot.services:refund")
    assert "but in 'depot.views'" in reason("depot.services:index")


def test_allowed_funcs_open_what_they_name(settings, paths, reason):
    settings.SCHED_TASKS = {"ALLOWED_FUNCS": ["depot.reports:week*", "depot.nowhere:*", "depot.views"]}
    assert "depot.reports:weekly" in paths()
    assert "depot.reports:monthly" not in paths()
    assert "no task module" in reason("depot.reports:monthly")
    assert "no task module" in reason("depot.views:index")


def test_an_imported_function_needs_its_exact_path_in_allowed_funcs(settings, reason):
    settings.SCHED_TASKS = {"ALLOWED_FUNCS": ["depot.reports:*"]}
    assert "but in 'depot.views'" in reason("depot.reports:index")
    settings.SCHED_TASKS = {"ALLOWED_FUNCS": ["depot.reports:index"]}
    assert registry.check("depot.reports:index").callable.__module__ == "depot.views"


def test_a_resolved_function_is_kept_until_the_cache_is_cleared():
    first = registry.resolve("depot.tasks:restock")
    assert registry.resolve("depot.tasks:restock") is first
    registry.clear_cache()
    assert registry.resolve("depot.tasks:restock") is not first


def test_lazy_objects_in_a_task_module_stay_lazy(fresh, paths, reason):
    fresh(
        """
        from django.utils.functional import SimpleLazyObject
        asked = []
        def ask():
            asked.append(1)
        lazy = SimpleLazyObject(ask)
        def __getattr__(name):
            asked.append(name)
        """
    )
    assert paths() == ["fresh.tasks:ask"]
    assert "is a SimpleLazyObject" in reason("fresh.tasks:lazy")
    assert "no function" in reason("fresh.tasks:other")
    assert sys.modules["fresh.tasks"].asked == []


def test_before_the_apps_are_ready_nothing_is_imported(monkeypatch, paths):
    from django.apps import apps

    monkeypatch.setattr(apps, "ready", False)
    with pytest.raises(FunctionNotFound, match="still loading"):
        registry.resolve("depot.tasks:restock")
    assert registry.functions() == []
    monkeypatch.setattr(apps, "ready", True)
    assert "depot.tasks:restock" in paths()
