"""The examples of the guide to testing, taken from its page and run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/how-to/test-your-tasks.md").read_text(encoding="utf-8")
SETTINGS = """
SECRET_KEY = "only-for-tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_sched_tasks", "chores"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
TIME_ZONE = "UTC"
"""
MANAGE = "import sys; from django.core.management import execute_from_command_line as run; run(sys.argv)"
TASKS = "def clear_sessions(keep_days: int = 0): ..."
PLUGINS = ["-p", "pytest_django.plugin", "-p", "django_sched_tasks.pytest_plugin"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The site of the tutorial, as far as its tests need it, and the files of the guide."""
    folder = tmp_path_factory.mktemp("guide")
    files = {"mysite/__init__.py": "", "mysite/settings.py": SETTINGS, "manage.py": MANAGE}
    files |= {"chores/__init__.py": "", "chores/tasks.py": TASKS}
    files |= dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", GUIDE, re.DOTALL))
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def run(folder, *command):
    # The plugin may be installed with its entry point or not: it is named, and nothing is loaded by itself.
    path = os.pathsep.join([str(folder), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    env |= {"DJANGO_SETTINGS_MODULE": "mysite.settings"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_example_for_the_test_case(folder):
    code, output = run(folder, "manage.py", "test", "chores.tests")

    assert code == 0, output
    assert "Ran 2 tests" in output


def test_the_example_for_pytest(folder):
    code, output = run(folder, "-m", "pytest", *PLUGINS, "chores/test_nightly.py")

    assert code == 0, output
    assert "2 passed" in output
    assert not (folder / "db.sqlite3").exists()  # the site's own database is left in peace


def test_without_pytest_django_a_test_hears_what_is_missing(folder):
    (folder / "test_alone.py").write_text("def test_alone(sched_clock): ...", encoding="utf-8")
    code, output = run(folder, "-m", "pytest", *PLUGINS[2:], "-c", os.devnull, "test_alone.py")

    assert code == 1
    assert "fixture 'db' not found" in output


def test_the_plugin_loads_nothing_of_django(folder):
    code, output = run(folder, "-c", "import sys, django_sched_tasks.pytest_plugin; sys.exit('django' in sys.modules)")

    assert code == 0, output
