"""What is no server starts no thread of ours, writes no node and makes no lock file."""

import pytest

from tests.support.fixtures import on

pytestmark = pytest.mark.e2e

# Python imports it at the start of every process of the site.
WITNESS = """
import os
import threading

start = threading.Thread.start


def witnessed(self):
    with open(os.environ["WITNESSED"], "a") as file:
        file.write(self.name + "\\n")
    start(self)


threading.Thread.start = witnessed
"""
TEST = """
from django.test import TestCase


class PageTests(TestCase):
    def test_page(self):
        self.assertEqual(self.client.get("/").status_code, 200)
"""
IMPORTS_WSGI = "import company.wsgi\n"
USES_TEST_CLIENT = """
import company.wsgi
from django.test import Client

assert Client().get("/").status_code == 200
"""
ASKS_FOR_IT = """
import django

django.setup()
from django_sched_tasks.service import shutdown_scheduler, start_scheduler

start_scheduler()
shutdown_scheduler()
"""

COMMANDS = [
    ("manage.py", "migrate"),
    ("-m", "django", "migrate"),
    ("manage.py", "makemigrations"),
    ("manage.py", "shell", "-c", "from django_sched_tasks.models import SchedulerTask; SchedulerTask.objects.count()"),
    ("manage.py", "test"),
    ("-m", "pytest", "-p", "no:randomly", "tests.py"),
    ("manage.py", "collectstatic", "--noinput"),
    ("manage.py", "check"),
    ("manage.py", "load_wsgi"),
    ("manage.py", "runserver", "--help"),
    ("manage.py", "runscheduler", "--help"),
    ("-c", IMPORTS_WSGI),
    ("-c", ASKS_FOR_IT),
    ("imports_wsgi.py",),
    ("uses_test_client.py",),
    ("-m", "uses_test_client"),
]


@on("sqlite")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "_".join(command[:3]).partition("\n")[0])
def test_nothing_starts(site, tmp_path, command):
    site.write("sitecustomize.py", WITNESS)
    site.write("tests.py", TEST)
    site.write("imports_wsgi.py", IMPORTS_WSGI)
    site.write("uses_test_client.py", USES_TEST_CLIENT)
    site.write("pytest.ini", "[pytest]\n")
    site.add(name="every", func="warehouse.tasks:note", trigger="interval", trigger_args={"seconds": 1})
    witnessed = tmp_path / "threads.txt"

    site.python(*command, WITNESSED=witnessed)

    threads = witnessed.read_text().split() if witnessed.exists() else []
    assert [name for name in threads if name.startswith(("sched-tasks", "APScheduler"))] == []
    assert site.nodes() == []
    assert site.executions() == []
    assert site.locks() == []


@on("sqlite")
def test_the_witness_sees_the_threads_of_a_node(site, tmp_path):
    site.write("sitecustomize.py", WITNESS)
    site.python("manage.py", "runscheduler", "--once", WITNESSED=tmp_path / "threads.txt")
    assert "sched-tasks-recorder" in (tmp_path / "threads.txt").read_text()


@on("sqlite")
def test_a_server_that_is_told_not_to_hosts_none(site):
    server = site.gunicorn(SCHED_TASKS_AUTO_START="0", workers=2)
    assert site.get(server) == (200, "Welcome")
    assert server.terminate() == 0
    assert site.nodes() == []
    assert site.locks() == []
