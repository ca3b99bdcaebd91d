"""Sites whose tasks leave witnesses, and the accountant for them."""

import pytest

from tests.chaos.verifier import Books, connect, verify
from tests.support.databases import KINDS
from tests.support.proxy import Proxy
from tests.support.site import Site

APPS = ["tests.support.chaos"]
# Nodes that are quick to judge, and that run little at a time, so that faults meet waiting work.
QUICK = """
SCHED_TASKS = {
    "HEARTBEAT_INTERVAL": 0.5,
    "NODE_TIMEOUT": 3,
    "EXECUTORS": {
        "default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor", "OPTIONS": {"max_workers": 2}},
    },
}
"""


class ChaosSite(Site):
    """A site, read by the driver alone; its nodes may reach the database through a proxy."""

    def read(self, query):
        """The rows of a query, as dicts."""
        with connect(self.database.settings) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def calls(self):
        return self.read("SELECT * FROM chaos_effect")

    def runscheduler_behind(self, proxy, **env):
        through = f"DATABASES['default'] |= {{'HOST': '127.0.0.1', 'PORT': '{proxy.port}'}}\n"
        self.write("company/behind.py", f"from .settings import *\n{through}")
        node = self.start_python("manage.py", "runscheduler", DJANGO_SETTINGS_MODULE="company.behind", **env)
        self.wait_for_node(node.pid)
        return node


@pytest.fixture(scope="session")
def migrated_databases(tmp_path_factory):
    """Makes the migrated database of a vendor, on its first use; all are dropped in the end."""
    made = {}

    def give(vendor):
        if vendor not in made:
            made[vendor] = database = KINDS[vendor](tmp_path_factory.mktemp("databases"))
            database.create()
            Site(tmp_path_factory.mktemp("migrating"), database, apps=APPS).migrate()
            database.is_migrated = True
        return made[vendor]

    yield give
    for each in made.values():
        each.drop()


@pytest.fixture
def make_site(request, tmp_path):
    """Makes sites with the tasks of the suite, and ends all of their processes."""
    request.node.sites = sites = []

    def make(database, *, settings=QUICK):
        sites.append(site := ChaosSite(tmp_path / f"site{len(sites)}", database, settings=settings, apps=APPS))
        if database.is_migrated:
            site.wipe()
            site.sql("DELETE FROM chaos_effect")
        return site

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(database, make_site):
    """Its nodes run two things at a time, and give each other up after three seconds."""
    return make_site(database)


@pytest.fixture
def proxy(database):
    proxy = Proxy(database.address)
    yield proxy
    proxy.close()


@pytest.fixture
def audit():
    """Everything that the independent accountant finds in a site's tables; it must be in order."""

    def audit(site, **options):
        verdict = verify(Books.read(site.database.settings), **options)
        assert verdict.violations == [], verdict
        return verdict

    return audit
