"""The development server: of its two processes only the one that serves hosts a scheduler."""

import signal

import pytest

from tests.support.accounts import check_accounts, check_nothing_ran_twice
from tests.support.fixtures import on
from tests.support.site import pass_time
from tests.support.waiting import until

pytestmark = pytest.mark.e2e


@on("sqlite")
def test_only_the_serving_process_hosts_also_after_a_reload(database, make_site):
    site = make_site(database, settings="DEBUG = True")
    site.add(name="every", func="warehouse.tasks:note", trigger="interval", trigger_args={"seconds": 1})
    server = site.runserver()
    first = site.wait_for_node()
    assert first["pid"] != server.pid  # the reloader
    assert first["started_by"] == "runserver"
    until(lambda: serves(site, server), within=20)
    site.wait_for_effects(2, within=10)
    assert len(site.live_nodes()) == 1

    site.change_code(server)
    second = until(
        lambda: next((node for node in site.live_nodes() if node["pid"] != first["pid"]), None),
        within=20,
        what="a node in the reloaded process",
    )
    site.wait_for_effects(2, within=10, pid=second["pid"])
    assert [node["id"] for node in site.live_nodes()] == [second["id"]]
    assert site.nodes(id=first["id"])[0]["state"] == "stopped"
    check_nothing_ran_twice(site)
    check_accounts(site)


@on("sqlite")
def test_without_reload_the_one_process_hosts_and_ctrl_c_drains_it(site):
    server = site.runserver("--noreload")
    node = site.wait_for_node(server.pid)
    until(lambda: serves(site, server), within=20)
    pass_time(1)  # its row comes before all of its threads
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert site.nodes(id=node["id"])[0]["state"] == "stopped"


def serves(site, server):
    try:
        return site.get(server) == (200, "Welcome")
    except OSError:
        return False
