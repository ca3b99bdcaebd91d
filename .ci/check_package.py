"""Look into the wheel and the sdist of the given folder, install the wheel into an empty environment, and use it there.

It is used as a stranger does: in a site of `startproject`, and by a type checker that is strict with their code.
"""

import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

NEEDED = {"django_sched_tasks/py.typed", "django_sched_tasks/migrations/0001_initial.py"}
DATA = ("templates", "static", "locale")

SETTINGS = """
INSTALLED_APPS += ["rest_framework", "django_sched_tasks"]
DATABASES["default"]["OPTIONS"] = {"init_command": "PRAGMA journal_mode=WAL;"}
"""
URLS = """
from django.urls import include
urlpatterns += [path("api/scheduler/", include("django_sched_tasks.urls"))]
"""
TRIAL = """
from importlib.metadata import version
import django_sched_tasks
from django.contrib.auth.models import User
from django.test import Client
assert version("django-sched-tasks") == django_sched_tasks.__version__
client = Client(headers={"host": "localhost"})
assert client.get("/api/scheduler/task/list").status_code in (401, 403)
client.force_login(User.objects.create_superuser("admin"))
assert client.get("/api/scheduler/task/list").json()["count"] == 0
assert client.get("/admin/django_sched_tasks/schedulertask/").status_code == 200
"""

# What a stranger's type checker must accept, and, where an error is expected, must not: an unused `ignore` is an error.
TYPED = """
from typing import assert_type

from django_sched_tasks import current_execution, schedulable, scheduled
from django_sched_tasks.operations import add_task, run_task
from django_sched_tasks.service import start_scheduler


@scheduled("cron", hour=2, minute=0, name="Nightly")
def nightly(days: int = 3) -> dict[str, int]:
    execution = current_execution()
    if execution is not None:
        assert_type(execution.attempt, int)
        execution.set_progress(1, 2, "half of it")
        execution.no_such_thing  # type: ignore[attr-defined]
    return {"days": days}


@schedulable(secrets=["pin"])
def unlock(door: str, pin: str) -> None: ...


assert_type(nightly(1), dict[str, int])
nightly("one")  # type: ignore[arg-type]
unlock("front")  # type: ignore[call-arg]
task = add_task(name="Once more", func="chores:nightly", trigger="interval", trigger_args={"hours": 1})
run_task(task.pk, kwargs={"days": 1})
run_task("first")  # type: ignore[arg-type]
start_scheduler(block=False)
start_scheduler(block="yes")  # type: ignore[arg-type]
"""


def check_contents(wheel: Path, sources: Path) -> None:
    """The wheel holds the package with all its data, and nothing else."""
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"django_sched_tasks"}, f"The wheel also holds {tops - {'django_sched_tasks'}}."
    strange = {name for name in names if "/tests/" in name or "__pycache__" in name or name.endswith(".sqlite3")}
    assert not strange, f"The wheel holds {sorted(strange)}."
    package = sources / "django_sched_tasks"
    data = {path for folder in DATA for path in package.rglob(f"{folder}/**/*") if path.is_file()}
    code = set(package.rglob("*.py"))
    catalogues = {path.with_suffix(".mo") for path in package.rglob("*.po")}
    wanted = {path for path in data | code | catalogues if "__pycache__" not in path.parts}
    needed = NEEDED | {path.relative_to(sources).as_posix() for path in wanted}
    assert needed <= names, f"The wheel lacks {sorted(needed - names)}."


def check_source(sdist: Path) -> None:
    """The sdist holds what is needed to test, to document and to build it again, and nothing that was made."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "tox.ini", ".ci/run"}
    needed |= {"docs/index.md", "tests/conftest.py", "example_project/manage.py", "django_sched_tasks/py.typed"}
    assert needed <= names, f"The sdist lacks {sorted(needed - names)}."
    made = {name for name in names if name.startswith((".tox/", ".venv/", "docs/_build/")) or name.endswith(".pyc")}
    assert not made, f"The sdist holds {sorted(made)[:5]}."


def check_use(wheel: Path, folder: Path) -> None:
    """A new site installs it, adds the app and the urls, migrates, and it works."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"

    def run(*arguments: str) -> None:
        print("$", *arguments, flush=True)
        subprocess.run([python, *arguments], cwd=folder, check=True)

    run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel))
    run("-c", "import sys, django_sched_tasks; assert 'django_sched_tasks.models' not in sys.modules")
    run("-m", "django", "startproject", "site_of_a_stranger", ".")
    for name, text in (("settings.py", SETTINGS), ("urls.py", URLS)):
        with (folder / "site_of_a_stranger" / name).open("a", encoding="utf-8") as file:
            file.write(text)
    run("manage.py", "migrate", "--verbosity", "0")
    run("manage.py", "check", "--fail-level", "WARNING")
    run("manage.py", "makemigrations", "--check", "--dry-run")
    run("manage.py", "shell", "--command", TRIAL)
    (folder / "chores.py").write_text(TYPED, encoding="utf-8")
    run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "mypy>=2.4", "django-stubs>=6")
    run("-m", "mypy", "--strict", "--no-incremental", "chores.py")


if __name__ == "__main__":
    dist = Path(sys.argv[1]).resolve()
    (found,) = dist.glob("*.whl")
    check_contents(found, Path(__file__).resolve().parent.parent)
    (source,) = dist.glob("*.tar.gz")
    check_source(source)
    with tempfile.TemporaryDirectory() as scratch:
        check_use(found, Path(scratch))
    print(f"{found.name} works in a new site.")
