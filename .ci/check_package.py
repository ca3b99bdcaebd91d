"""Install the one wheel of the given folder into an empty environment, and use it in a site of `startproject`."""

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

NEEDED = {"django_sched_tasks/py.typed", "django_sched_tasks/migrations/0001_initial.py"}
DATA = ("templates", "static", "locale")

SETTINGS = """
INSTALLED_APPS += ["rest_framework", "django_sched_tasks"]
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


def check_contents(wheel: Path, sources: Path) -> None:
    """The wheel holds the package with all its data, and nothing else."""
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"django_sched_tasks"}, f"The wheel also holds {tops - {'django_sched_tasks'}}."
    package = sources / "django_sched_tasks"
    data = {path for folder in DATA for path in package.rglob(f"{folder}/**/*") if path.is_file()}
    needed = NEEDED | {path.relative_to(sources).as_posix() for path in data if "__pycache__" not in path.parts}
    assert needed <= names, f"The wheel lacks {sorted(needed - names)}."


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


if __name__ == "__main__":
    (found,) = Path(sys.argv[1]).resolve().glob("*.whl")
    check_contents(found, Path(__file__).resolve().parent.parent)
    with tempfile.TemporaryDirectory() as scratch:
        check_use(found, Path(scratch))
    print(f"{found.name} works in a new site.")
