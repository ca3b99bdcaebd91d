"""Fixtures for the tests that start processes; the conftest of a room imports those that it offers."""

import pytest

from tests.support.databases import KINDS, vendors
from tests.support.site import Site


@pytest.fixture(scope="session")
def migrated_databases(tmp_path_factory):
    """Makes the migrated database of a vendor, on its first use; all are dropped in the end."""
    made = {}

    def give(vendor):
        if vendor not in made:
            made[vendor] = database = KINDS[vendor](tmp_path_factory.mktemp("databases"))
            database.create()
            Site(tmp_path_factory.mktemp("migrating"), database).migrate()
            database.is_migrated = True
        return made[vendor]

    yield give
    for database in made.values():
        database.drop()


@pytest.fixture(params=vendors())
def database(request, migrated_databases):
    """A migrated database; a test runs on all kinds unless it chooses with ``@on("sqlite", "postgresql")``."""
    return migrated_databases(request.param)


@pytest.fixture(params=vendors())
def empty_database(request, tmp_path):
    """A database without tables."""
    database = KINDS[request.param](tmp_path)
    database.create()
    yield database
    database.drop()


@pytest.fixture
def make_site(request, tmp_path):
    """Makes sites, without tasks and nodes, and ends all of their processes."""
    request.node.sites = sites = []

    def make(database, **options):
        sites.append(site := Site(tmp_path / f"site{len(sites)}", database, **options))
        if database.is_migrated:
            site.wipe()
        return site

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(database, make_site):
    """A site that has installed the app and no more."""
    return make_site(database)


def on(*wanted, fixture="database"):
    """Parametrise a test by the databases that it needs, as far as DATABASE_URL lets it."""
    chosen = [vendor for vendor in wanted or KINDS if vendor in vendors()]
    return pytest.mark.parametrize(fixture, chosen, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the processes of a failed test have written."""
    report = yield
    if report.failed:
        for site in getattr(item, "sites", ()):
            report.sections += [(f"{name} of {site.path.name}", text) for name, text in site.logs_tail() if text]
    return report
