"""start_scheduler() from the places where people write it."""

import shutil

import pytest

from tests.support.fixtures import on
from tests.support.site import REPOSITORY
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

CELERY = """
from django_sched_tasks.service import start_scheduler

start_scheduler()
"""


@pytest.fixture
def celery_site(database, make_site):
    """Its project package imports a module that asks for a scheduler, long before Django's apps are ready."""
    site = make_site(database, settings="SCHED_TASKS = {'AUTO_START': False}")
    site.write("company/celery.py", CELERY)
    site.write("company/__init__.py", "from . import celery\n")
    return site


@on("sqlite")
@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["", "preload"])
def test_called_before_the_apps_are_ready_it_makes_one_scheduler_under_gunicorn(celery_site, options):
    celery_site.add(name="every", func="warehouse.tasks:note", trigger="interval", trigger_args={"seconds": 1})
    server = celery_site.gunicorn(*options)
    celery_site.wait_for_node()
    celery_site.wait_for_effects(2, within=10)
    assert celery_site.get(server) == (200, "Welcome")
    assert len(celery_site.nodes()) == 1
    assert server.terminate() == 0
    assert celery_site.live_nodes() == []


@on("sqlite")
def test_called_before_the_apps_are_ready_it_does_nothing_under_migrate(celery_site):
    celery_site.manage("migrate")
    assert celery_site.nodes() == []
    assert celery_site.locks() == []


@on("sqlite")
def test_called_in_wsgi_py_it_adds_no_second_scheduler(site):
    site.write("company/wsgi.py", (site.path / "company/wsgi.py").read_text() + CELERY)
    server = site.gunicorn(workers=2)
    site.wait_for_node()
    until(lambda: site.get(server) == (200, "Welcome"), within=10)
    assert len(site.nodes()) == 1
    assert server.terminate() == 0
    assert site.live_nodes() == []


@on("sqlite")
def test_the_script_of_the_example_project_runs_and_drains(site):
    shutil.copy(REPOSITORY / "example_project" / "start_scheduler.py", site.path)
    site.write("scheduler/__init__.py", "")
    shutil.copy(REPOSITORY / "example_project" / "scheduler" / "service.py", site.path / "scheduler")
    site.add(
        name="slow",
        func="warehouse.tasks:slow",
        kwargs={"seconds": 1.5},
        trigger="interval",
        trigger_args={"seconds": 1},
    )
    script = site.start_python("start_scheduler.py")
    site.wait_for_node(script.pid)
    site.wait_for_execution(within=10, status="running")
    assert script.terminate() == 0
    assert site.executions(finished_at=None) == []
    assert {row["status"] for row in site.executions(started_at__isnull=False)} == {"succeeded"}
    assert site.nodes()[0]["state"] == "stopped"
