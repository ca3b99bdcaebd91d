"""Fixtures for the tests that follow the pages of the documentation; the conftest of a room imports those it offers."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pages import ROOT, steps
from tests.support.reader import Reader

NOT_CHECKED_OUT = ("docs/_build", ".git", ".tox", ".venv", "build", "dist")
OURS = ("django_sched_tasks", "django-sched-tasks", "__editable__")
SITE = (
    "django-admin startproject mysite .",
    "python manage.py startapp chores",
)
SUPERUSER = (
    "DJANGO_SUPERUSER_PASSWORD=secret python manage.py createsuperuser "
    "--no-input --username admin --email a@example.org"
)
TASK = (
    "python manage.py shell --verbosity 0 --command 'from django_sched_tasks.operations import add_task; "
    'add_task(name="Clear sessions", func="chores.tasks:clear_sessions", kwargs={"keep_days": 1}, '
    'trigger="cron", trigger_args={"hour": "2", "minute": "0"}, timezone="Asia/Shanghai")\''
)


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first worker that needs it makes, for all workers of pytest-xdist."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / f"pages-{name}"
    with (shared / f"pages-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            folder.mkdir()
            make(folder)
    return folder


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """The tree as somebody checks it out, without what was made in it."""

    def skipped(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(ROOT)
        made = {name for name in names if (inside / name).as_posix() in NOT_CHECKED_OUT}
        return made | set(shutil.ignore_patterns("*.egg-info", "__pycache__", "*.sqlite3*", ".*_cache")(folder, names))

    def make(folder: Path) -> None:
        shutil.copytree(ROOT, folder / "django-sched-tasks", ignore=skipped)

    return _once(tmp_path_factory, "checkout", make) / "django-sched-tasks"


@pytest.fixture(scope="session")
def shelf(tmp_path_factory, checkout) -> Path:
    """An environment with a wheel of the checkout, for all that change nothing in it."""
    return _once(tmp_path_factory, "shelf", lambda environment: _furnish(environment, checkout))


def _furnish(environment: Path, checkout: Path) -> None:
    """Make an environment with a wheel of the checkout; what is installed beside this Python counts as installed."""
    venv.create(environment, with_pip=False, symlinks=True)
    shelved = environment / "shelf"
    shelved.mkdir()
    for entry in _packages(Path(sys.prefix)).iterdir():
        if not entry.name.startswith((*OURS, "__pycache__")) and entry.suffix != ".pth":
            (shelved / entry.name).symlink_to(entry)
    (_packages(environment) / "shelf.pth").write_text(f"{shelved}\n")
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(checkout)], check=True)
    _put_programs(environment / "bin", python)


def _packages(environment: Path) -> Path:
    return environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def _put_programs(folder: Path, python: Path) -> None:
    """The programs of the shelved packages, run by the environment's own Python."""
    for entry in importlib.metadata.entry_points(group="console_scripts"):
        script = folder / entry.name
        if not script.exists():
            name = entry.attr.split(".")[0]
            run = f"import sys\n    from {entry.module} import {name}\n    sys.exit({entry.attr}())"
            script.write_text(f"#!{python}\nif __name__ == '__main__':\n    {run}\n")
            script.chmod(0o755)
    uwsgi = Path(sys.executable).with_name("uwsgi")
    if uwsgi.exists():
        (folder / "uwsgi").symlink_to(uwsgi)


@pytest.fixture(scope="session")
def tutorial_site(tmp_path_factory, shelf) -> Path:
    """Where the guides begin: the site that the tutorial leaves, its SQLite set up as the guide to installing says."""

    def make(folder: Path) -> None:
        reader = Reader(folder, programs=(shelf / "bin",))
        for line in SITE:
            reader.run(line)
        tutorial = steps(ROOT / "docs" / "tutorial" / "first-task.md")
        sqlite = [step for step in steps(ROOT / "docs" / "how-to" / "install.md") if "DATABASES" in step.text]
        for step in tutorial + sqlite:
            if step.marks.keys() & {"file", "append"}:
                reader.do(step, {})
        for line in ("python manage.py migrate --verbosity 0", SUPERUSER, TASK):
            reader.run(line)

    return _once(tmp_path_factory, "site", make)


@pytest.fixture
def make_reader(tmp_path, shelf, tutorial_site, checkout):
    """Makes readers: of a guide, with the tutorial's site before them, or with an empty folder and a checkout.

    Whoever installs the package anew needs an environment of their own: for a moment it is not there.
    """
    made: list[Reader] = []

    def make(*, site: bool = True, installed: bool = True, installs: bool = False) -> Reader:
        environment = shelf
        if installs:
            environment = tmp_path / "environment"
            # A build leaves files in the tree that it is made from, which the others use as well.
            _furnish(environment, shutil.copytree(checkout, tmp_path / "tree"))
        folder = tmp_path / "reader"
        if site:
            shutil.copytree(tutorial_site, folder)
        else:
            folder.mkdir()
        shutil.copytree(checkout, folder / "django-sched-tasks")
        reader = Reader(folder, programs=(environment / "bin",) if installed else ())
        if installed:
            reader.env["VIRTUAL_ENV"] = str(environment)
        made.append(reader)
        return reader

    yield make
    for reader in made:
        reader.close()
