"""The lock of a host under real servers: what holds it, what does not, and what happens where there can be none."""

import os
import signal

import pytest

from tests.support.accounts import check_accounts, check_nothing_ran_twice
from tests.support.fixtures import on
from tests.support.servers import LOGS, SERVERS, host_other_than, hosting
from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

LEAVES_CHILDREN = """
import os
import subprocess
import time


def leave_children():
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    subprocess.Popen(["sleep", "60"], close_fds=False)
"""


@on("sqlite")
def test_children_that_outlive_the_host_do_not_hold_it(site):
    site.write("warehouse/jobs.py", LEAVES_CHILDREN)
    server = SERVERS["gunicorn"].start(site)
    first = until(lambda: hosting(site), within=10)
    task = site.add(name="leave", func="warehouse.jobs:leave_children", trigger="interval", trigger_args={"hours": 1})
    site.run(task)
    site.wait_for_execution(within=10, task_id=task, status="succeeded")

    os.kill(first["pid"], signal.SIGKILL)
    host_other_than(site, first, within=5)
    pass_time(2)
    assert len(site.nodes()) == 2  # the child that was forked hosts nothing either
    assert server.terminate() == 0


@on("postgresql", "sqlite")
@pytest.mark.parametrize("path", ["/proc/scheduler.lock", "/nowhere/scheduler.lock", "/dev"])
def test_without_a_usable_lock_each_worker_is_a_node_and_all_runs_once(database, make_site, path):
    site = make_site(database, settings=f"{LOGS}\nSCHED_TASKS = {{'LOCK_FILE': {path!r}}}")
    site.add(name="every", func="warehouse.tasks:note", trigger="interval", trigger_args={"seconds": 1})
    server = SERVERS["gunicorn"].start(site)
    until(lambda: len(site.live_nodes()) == 2, within=20)
    server.wait_for_log(f"The lock file {path} cannot be used .*every process of this host runs a scheduler")
    site.wait_for_effects(4, within=15)
    assert server.log.count("cannot be used") == 2  # once for each process
    assert server.terminate() == 0
    check_accounts(site)
    check_nothing_ran_twice(site)


@on("sqlite")
def test_two_sites_of_one_host_have_a_node_each(site, make_site, tmp_path, migrated_databases):
    from tests.support.databases import SQLite

    database = SQLite(tmp_path)
    other = make_site(database)
    other.migrate()
    shared = {"TMPDIR": str(site.temp)}
    SERVERS["gunicorn"].start(site, **shared)
    SERVERS["gunicorn"].start(other, **shared)
    until(lambda: hosting(site), within=10)
    until(lambda: hosting(other), within=10)
    assert len(site.locks()) == 2
