"""A site to ask about: the apps of registry_site, and one that a test writes itself."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from django_sched_tasks import registry
from django_sched_tasks.exceptions import InvalidFunction
from django_sched_tasks.registry import marks

SITE = Path(__file__).parent.parent / "registry_site"
SITE_PACKAGES = ("depot", "guild", "fresh")


@pytest.fixture(autouse=True)
def site(settings, monkeypatch):
    """A site with the apps of registry_site, none of their modules imported beyond the apps themselves."""
    monkeypatch.syspath_prepend(SITE)
    monkeypatch.setattr(marks, "_declarations", [])
    monkeypatch.setattr(marks, "_marked_modules", set())
    settings.INSTALLED_APPS = ["depot", "guild.shop"]
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in SITE_PACKAGES]:
        del sys.modules[name]
    registry.clear_cache()


@pytest.fixture
def fresh(settings, monkeypatch, tmp_path):
    """Write an app named "fresh" with a task module of the given source, and install it."""

    def write(source: str) -> Path:
        module = tmp_path / "fresh" / "tasks.py"
        module.parent.mkdir()
        (module.parent / "__init__.py").touch()
        module.write_text(textwrap.dedent(source), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        settings.INSTALLED_APPS = ["fresh"]
        return module

    return write


@pytest.fixture
def paths():
    """The paths of all functions that may be scheduled."""
    return lambda: [info.path for info in registry.functions()]


@pytest.fixture
def reason():
    """Why a path that is about to be saved is refused, in words."""

    def reason(path: object) -> str:
        with pytest.raises(InvalidFunction) as caught:
            registry.check(path)
        assert list(caught.value.errors) == ["func"]
        return " ".join(caught.value.errors["func"])

    return reason
