"""Under every application server one process hosts, whatever is done to it: killed with -9, or recycled as it can.

A task of every second shows it: no fire time twice, none unaccounted for, no gap, and one node at any time.
"""

import itertools
import os
import signal
import sys

import pytest

from tests.support.accounts import check_accounts, check_nothing_ran_twice
from tests.support.fixtures import on
from tests.support.servers import LOGS, SERVERS, hosting
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

LONGEST_GAP = 5.0  # seconds


@pytest.fixture
def site(database, make_site):
    return make_site(database, settings=LOGS)


class Rounds:
    """A server, and what is done to its hosting process, each time after a number of effects."""

    def __init__(self, site, server, effects):
        self.site, self.server, self.effects = site, server, effects
        self.process = server.start(site)
        self.ends = {}  # how each node's process came to its end

    def settle(self):
        """Wait for a node, and for effects that it leaves."""

        def settled():
            node = hosting(self.site)
            if node and node["id"] not in self.ends and self.site.effect_count(pid=node["pid"]) >= self.effects:
                return node
            return None

        what = f"another node than {list(self.ends)}, with {self.effects} effects"
        node = until(settled, within=self.effects + 30, what=what)
        assert node["started_by"] in self.server.command
        return node

    def kill(self):
        node = self.settle()
        self.ends[node["id"]] = "dead"
        os.kill(node["pid"], signal.SIGKILL)
        if node["pid"] == self.process.pid or not self.server.survives_kills:
            self.process.wait()
            self.process = self.server.start(self.site)

    def recycle(self):
        node = self.settle()
        self.ends[node["id"]] = "stopped"
        if self.server.recycle is None:
            self.process.terminate()
            self.process = self.server.start(self.site)
        else:
            self.server.recycle(self.site, self.process)

    def stop(self):
        node = self.settle()
        self.ends[node["id"]] = "stopped"
        self.process.terminate()


def check(site, rounds):
    # A server that replaces its workers one by one may have an old one host for a moment, until its turn comes.
    passed_through = {node["id"]: "stopped" for node in site.nodes() if node["id"] not in rounds.ends}
    assert {node["id"]: node["state"] for node in site.nodes()} == rounds.ends | passed_through
    assert site.executions(finished_at=None) == []
    check_accounts(site)
    check_nothing_ran_twice(site)
    starts = [row["started_at"] for row in site.executions(started_at__isnull=False)]
    gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(starts)]
    assert max(gaps) <= LONGEST_GAP


def put_through(site, server, effects=2):
    if "--py-call-osafterfork" in server.command and sys.version_info >= (3, 13):
        pytest.skip("uWSGI 2.0 itself crashes with this option on Python 3.13")
    site.add(name="every", func="warehouse.tasks:note", trigger="interval", trigger_args={"seconds": 1})
    rounds = Rounds(site, server, max(effects, server.calm))
    for act in (rounds.kill, rounds.recycle, rounds.kill, rounds.recycle, rounds.stop):
        act()
    check(site, rounds)
    if server.has_standby:
        assert "Standing by" in rounds.process.log


@on("sqlite")
@pytest.mark.parametrize("name", SERVERS)
def test_killed_and_recycled_twice_it_goes_on(site, name):
    put_through(site, SERVERS[name])


@on("postgresql")
@pytest.mark.parametrize("name", ["gunicorn-gthread-preload", "uvicorn"])
def test_killed_and_recycled_twice_it_goes_on_with_a_database_server(site, name):
    put_through(site, SERVERS[name])


@on("sqlite")
def test_killed_and_recycled_twice_within_half_a_minute(site):
    put_through(site, SERVERS["gunicorn"], effects=6)
