from tests.support.fixtures import (  # noqa: F401 - fixtures and a hook, offered to the tests beside this file
    database,
    make_site,
    migrated_databases,
    pytest_runtest_makereport,
)
