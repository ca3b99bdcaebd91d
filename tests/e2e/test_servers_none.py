"""What is no server, or cannot host: nothing starts by itself; SCHED_TASKS_AUTO_START=1 starts one where it can."""

import signal

import pytest

from tests.support.fixtures import on
from tests.support.servers import LOGS, Server, free_port, hosting, program
from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

CELERY = """
from celery import Celery

app = Celery("company", broker="memory://")
app.autodiscover_tasks()

from django_sched_tasks.service import start_scheduler

start_scheduler()
"""
STAYS = """
from time import sleep

from django.core.management.base import BaseCommand
from django.core.wsgi import get_wsgi_application


class Command(BaseCommand):
    def handle(self, *args, **options):
        get_wsgi_application()
        print("Loaded", flush=True)
        sleep(60)
"""
STAYS_IN_TEST = """
import time
import urllib.request

from django.test import LiveServerTestCase


class PageTests(LiveServerTestCase):
    def test_page(self):
        with urllib.request.urlopen(self.live_server_url) as response:
            assert response.status == 200
        print("Loaded", flush=True)
        time.sleep(3)
"""
SCRIPT = """
import time

import django

django.setup()
from django_sched_tasks.service import start_scheduler

start_scheduler()
print("Loaded", flush=True)
time.sleep(60)
"""
SHELL = "import django; django.setup(); import company.wsgi; print('Loaded', flush=True); import time; time.sleep(60)"


def celery(site, **env):
    site.write("company/celery.py", CELERY)
    site.write("company/__init__.py", "from . import celery\n")
    return site.start(
        program("celery"), "-A", "company.celery", "worker", "--concurrency", "2", "--loglevel", "INFO", **env
    )


def command(site, **env):
    site.write("warehouse/management/commands/stays.py", STAYS)
    return site.start_python("manage.py", "stays", **env)


def pytest_with_a_live_server(site, **env):
    site.write("pytest.ini", "[pytest]\n")
    site.write("test_page.py", STAYS_IN_TEST)
    return site.start_python("-m", "pytest", "-s", "-p", "no:randomly", "-p", "no:cacheprovider", "test_page.py", **env)


def ipython(site, **env):
    return site.start(program("ipython"), "-c", SHELL, **env)


LOADED = r"Loaded|celery@\S+ ready"


@on("sqlite")
@pytest.mark.parametrize("start", [celery, command, pytest_with_a_live_server, ipython], ids=lambda it: it.__name__)
def test_nothing_starts_by_itself(site, start):
    start(site).wait_for_log(LOADED)
    pass_time(1.5)
    assert site.nodes() == []
    assert site.locks() == []


@on("sqlite")
@pytest.mark.parametrize("start", [celery, command, ipython], ids=lambda it: it.__name__)
def test_where_the_environment_asks_for_one_it_starts_and_drains(site, start):
    process = start(site, SCHED_TASKS_AUTO_START="1")
    process.wait_for_log(LOADED)
    node = until(lambda: hosting(site), within=10)
    assert node["pid"] == process.pid
    pass_time(1.5)
    assert len(site.nodes()) == 1
    process.terminate()
    assert [node["state"] for node in site.nodes()] == ["stopped"]


@on("sqlite")
def test_a_test_run_starts_one_on_its_own_database_where_the_environment_asks_for_it(database, make_site):
    site = make_site(database, settings=LOGS)
    process = pytest_with_a_live_server(site, SCHED_TASKS_AUTO_START="1")
    process.wait_for_log("Node .* started")
    process.wait()
    assert site.nodes() == []


@on("sqlite")
@pytest.mark.parametrize("options", ["", "--preload"])
def test_where_the_environment_asks_for_one_a_preloading_server_leaves_it_to_its_workers(site, options):
    server = Server(f"gunicorn --bind 127.0.0.1:{{port}} --workers 2 {options} company.wsgi")
    process = server.start(site, SCHED_TASKS_AUTO_START="1")
    node = until(lambda: hosting(site), within=10)
    assert node["pid"] != process.pid
    pass_time(1)  # its row comes before all of its threads
    assert process.terminate() == 0
    assert [node["state"] for node in site.nodes()] == ["stopped"]


@on("sqlite")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("gunicorn --bind 127.0.0.1:{port} --workers 2 -k gevent company.wsgi", "green threads.*runscheduler"),
        (
            "uwsgi --http 127.0.0.1:{port} --master --die-on-term --processes 2 --home {python} --module company.wsgi",
            "enable-threads",
        ),
    ],
    ids=["gevent", "uwsgi-without-threads"],
)
def test_a_server_that_cannot_host_serves_says_so_and_stops(site, command, said):
    if "gevent" in command:
        pytest.importorskip("gevent")
    process = Server(command).start(site)
    process.wait_for_log(f"No scheduler in this process: .*{said}")
    assert site.nodes() == []
    process.terminate(within=10)


# Started and watched over: only the process that serves hosts, also after a reload.


@on("sqlite")
def test_runserver_of_daphne(database, make_site):
    program("daphne")
    lines = "INSTALLED_APPS.insert(0, 'daphne')\nASGI_APPLICATION = 'company.asgi.application'\nDEBUG = True"
    site = make_site(database, settings=lines)
    server = site.runserver()
    server.wait_for_log("Starting ASGI/Daphne")
    first = until(lambda: hosting(site), within=20)
    assert first["pid"] != server.pid
    assert first["started_by"] == "runserver"
    until(lambda: welcomes(site, server), within=20)

    site.change_code(server)
    until(lambda: (hosting(site) or first)["id"] != first["id"], within=20)
    assert site.nodes(id=first["id"])[0]["state"] == "stopped"


@on("sqlite")
def test_the_environment_does_not_make_the_reloader_of_runserver_host(database, make_site):
    site = make_site(database, settings="DEBUG = True")
    port = free_port()
    server = site.start_python("manage.py", "runserver", f"127.0.0.1:{port}", SCHED_TASKS_AUTO_START="1")
    assert until(lambda: hosting(site), within=20)["pid"] != server.pid
    assert len(site.nodes()) == 1


@on("sqlite")
def test_uvicorn_with_reload(site):
    server = Server("uvicorn --port {port} --reload company.asgi:application").start(site)
    first = until(lambda: hosting(site), within=10)
    assert first["pid"] != server.pid
    pass_time(1.5)  # the reloader compares whole seconds
    site.write("warehouse/tasks.py", (site.path / "warehouse/tasks.py").read_text() + "\n# Changed.\n")
    server.wait_for_log("Reloading")
    until(lambda: (hosting(site) or first)["id"] != first["id"], within=20)
    assert site.nodes(id=first["id"])[0]["state"] == "stopped"
    server.signal(signal.SIGINT)
    server.wait()
    assert site.live_nodes() == []


# start_scheduler() beside the places that tests/e2e/test_start_scheduler.py knows.


@on("sqlite")
def test_start_scheduler_everywhere_at_once_is_one_in_asgi(database, make_site):
    site = make_site(database, settings="SCHED_TASKS = {'AUTO_START': False}")
    call = "\nfrom django_sched_tasks.service import start_scheduler\n\nstart_scheduler()\nstart_scheduler()\n"
    site.write("company/early.py", call)
    site.write("company/__init__.py", "from . import early\n")
    site.write("company/asgi.py", (site.path / "company/asgi.py").read_text() + call)
    server = Server("uvicorn --port {port} --workers 2 company.asgi:application").start(site)
    until(lambda: hosting(site), within=10)
    pass_time(1.5)
    assert len(site.nodes()) == 1
    server.terminate()
    assert site.live_nodes() == []


@on("sqlite")
def test_start_scheduler_in_a_plain_script_does_as_the_environment_says(site):
    site.write("script.py", SCRIPT)
    site.start_python("script.py").wait_for_log("Loaded")
    pass_time(1)
    assert site.nodes() == []
    process = site.start_python("script.py", SCHED_TASKS_AUTO_START="1")
    assert until(lambda: hosting(site), within=10)["pid"] == process.pid
    assert process.terminate() == -signal.SIGTERM
    assert [node["state"] for node in site.nodes()] == ["stopped"]


def welcomes(site, server):
    try:
        return site.get(server) == (200, "Welcome")
    except OSError:
        return False
