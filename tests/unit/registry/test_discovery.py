"""What discovery imports, and what it makes of a module that fails."""

from __future__ import annotations

import sys

import pytest

from django_sched_tasks import registry


def test_discovery_imports_nothing_but_task_modules(paths):
    paths()
    assert not {"depot.views", "depot.services", "depot.reports", "depot._hidden", "guild.tasks"} & set(sys.modules)


def test_a_module_that_fails_to_import_is_a_warning_and_remembered(caplog):
    registry.autodiscover()
    registry.autodiscover()
    assert list(registry.import_failures()) == ["depot.module.broken"]
    assert "RuntimeError: the shelves are gone" in registry.import_failures()["depot.module.broken"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("source", ["def", "raise SystemExit(3)", "import no_such_dependency", "1 / 0"])
def test_discovery_survives_any_failure(fresh, source, paths):
    fresh(source)
    assert paths() == []
    assert list(registry.import_failures()) == ["fresh.tasks"]


def test_a_mended_module_is_found(fresh, reason):
    module = fresh("1 / 0")
    assert "ZeroDivisionError" in reason("fresh.tasks:run")
    module.write_text("def run(): ...  # now it is long enough to differ from the cached bytecode", encoding="utf-8")
    assert registry.check("fresh.tasks:run").path == "fresh.tasks:run"
    assert registry.import_failures() == {}
