"""A server's graceful stop drains: runs get SHUTDOWN_GRACE to end, the rest is told as lost, and the server stops."""

import signal
import time

import pytest

from tests.support.accounts import check_accounts, check_nothing_ran_twice
from tests.support.fixtures import on
from tests.support.servers import SERVERS, hosting, program
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

GRACE = 3.0
MARGIN = 6.0  # seconds that a server may take for its own end, on a busy machine


@pytest.fixture
def site(database, make_site):
    return make_site(database, settings=f"SCHED_TASKS = {{'SHUTDOWN_GRACE': {GRACE}}}")


def run_now(site, func, **kwargs):
    task = site.add(
        name=func, func=f"warehouse.tasks:{func}", kwargs=kwargs, trigger="interval", trigger_args={"hours": 1}
    )
    site.run(task)
    site.wait_for_execution(within=10, status="running", task_id=task)
    return task


def outcome(site, task):
    [row] = site.executions(task_id=task, kind="manual")
    return row["status"], row["reason"]


@on("sqlite")
@pytest.mark.parametrize(
    "name",
    [
        "gunicorn",
        "gunicorn-gthread-preload",
        "gunicorn-uvicorn",
        "uvicorn",
        "uvicorn-workers",
        "daphne",
        "granian-wsgi",
        "granian-asgi",
        "hypercorn",
        "waitress",
        "runserver",
        "uwsgi",
        "uwsgi-lazy",
    ],
)
def test_sigterm_waits_for_what_ends_in_time_and_tells_the_rest_as_lost(site, name):
    server = SERVERS[name].start(site)
    until(lambda: hosting(site), within=10)
    endless = run_now(site, "stuck")
    short = run_now(site, "slow", seconds=1.5)

    started = time.monotonic()
    server.terminate()

    assert time.monotonic() - started < GRACE + MARGIN
    assert outcome(site, short) == ("succeeded", "")
    assert outcome(site, endless) == ("lost", "shutdown")
    assert [node["state"] for node in site.nodes()] == ["stopped"]


@on("sqlite")
@pytest.mark.parametrize("name", ["uvicorn", "waitress", "runserver"])
def test_a_signal_ends_the_process_as_it_would_without_us_and_an_idle_one_at_once(site, name):
    server = SERVERS[name].start(site)
    until(lambda: hosting(site), within=10)

    started = time.monotonic()
    assert server.terminate() == -signal.SIGTERM

    assert time.monotonic() - started < GRACE
    assert [node["state"] for node in site.nodes()] == ["stopped"]


@on("sqlite")
@pytest.mark.parametrize("name", ["uvicorn", "waitress", "runserver"])
def test_a_second_signal_does_not_wait(site, name):
    server = SERVERS[name].start(site)
    until(lambda: hosting(site), within=10)
    endless = run_now(site, "stuck")

    started = time.monotonic()
    server.signal(signal.SIGTERM)
    until(lambda: [node for node in site.nodes() if node["state"] == "stopping"], within=2)
    assert server.terminate() == -signal.SIGTERM
    assert time.monotonic() - started < GRACE

    # The node could say no more; the next one of this host does at its start.
    SERVERS[name].start(site)
    until(lambda: outcome(site, endless) == ("lost", "node_died"), within=10)
    check_accounts(site)
    check_nothing_ran_twice(site)


@on("sqlite")
def test_waitress_serves_while_it_drains(site):
    server = SERVERS["waitress"].start(site)
    until(lambda: hosting(site), within=10)
    run_now(site, "stuck")
    server.signal(signal.SIGTERM)
    until(lambda: [node for node in site.nodes() if node["state"] == "stopping"], within=2)
    assert site.get(server) == (200, "Welcome")
    assert server.wait() == -signal.SIGTERM


@on("sqlite")
def test_a_site_that_cannot_be_loaded_ends_at_once(database, make_site):
    call = "from django_sched_tasks.service import start_scheduler\n\nstart_scheduler()\n"
    site = make_site(database)
    site.write("company/settings.py", (site.path / "company/settings.py").read_text() + "INSTALLED_APPS += ['absent']")
    site.write("company/__init__.py", call)
    started = time.monotonic()
    process = site.start(program("gunicorn"), "--bind", "127.0.0.1:0", "company.wsgi")
    assert process.wait() != 0
    assert time.monotonic() - started < 10


@on("sqlite")
def test_what_a_server_forks_dies_of_sigterm_as_ever(site):
    forks = """
import multiprocessing
import os
import time


def fork():
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join(5)
    child.kill()
    return child.exitcode
"""
    site.write("warehouse/jobs.py", forks)
    SERVERS["waitress"].start(site)
    node = until(lambda: hosting(site), within=10)
    task = site.add(name="fork", func="warehouse.jobs:fork", trigger="interval", trigger_args={"hours": 1})
    site.run(task)
    done = site.wait_for_execution(within=20, task_id=task, finished_at__isnull=False)
    assert (done["error"], done["result"]) == ("", -signal.SIGTERM)
    assert [row["id"] for row in site.live_nodes()] == [node["id"]]
