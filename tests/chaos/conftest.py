from tests.chaos.fixtures import audit, make_site, migrated_databases, proxy, site  # noqa: F401 - offered to the tests
from tests.support.fixtures import database, empty_database, pytest_runtest_makereport  # noqa: F401
