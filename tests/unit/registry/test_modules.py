"""Which modules are open at all."""

from __future__ import annotations

from django_sched_tasks import registry


def test_task_modules_is_a_setting(settings, paths):
    settings.SCHED_TASKS = {"TASK_MODULES": ["reports"]}
    assert paths() == ["depot.reports:monthly", "depot.reports:weekly"]


def test_this_package_exposes_nothing_of_its_own(settings, paths, reason):
    settings.INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_sched_tasks"]
    settings.SCHED_TASKS = {"TASK_MODULES": ["registry", "service"]}
    assert paths() == []
    assert "no task module" in reason("django_sched_tasks.registry:clear_cache")


def test_a_module_belongs_to_the_innermost_app(settings, paths):
    settings.INSTALLED_APPS = ["depot", "depot.module"]
    assert not [path for path in paths() if path.startswith("depot.module")]


def test_patterns_that_allow_nothing_are_named(settings, paths):
    assert registry.useless_patterns() == []
    settings.SCHED_TASKS = {"ALLOWED_FUNCS": ["depot.views", "depot.reports:week*", ":index", "depot.views:"]}
    assert registry.useless_patterns() == ["depot.views", ":index", "depot.views:"]
    assert not [path for path in paths() if path.startswith("depot.views")]
