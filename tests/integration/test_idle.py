"""What an idle node costs its database."""

import collections

import pytest

from tests.support.fixtures import on
from tests.support.site import pass_time

pytestmark = pytest.mark.integration

COUNTING = """
from django.db.backends.signals import connection_created


def count(execute, sql, params, many, context):
    with open("statements.txt", "a") as file:
        file.write(" ".join(str(sql).split())[:60] + "\\n")
    return execute(sql, params, many, context)


def on_connection(connection, **kwargs):
    connection.execute_wrappers.append(count)


connection_created.connect(on_connection, weak=False)
"""


@on("postgresql")
def test_an_idle_node_that_is_told_of_changes_needs_at_most_20_statements_a_minute(site):
    site.write("warehouse/apps.py", (site.path / "warehouse/apps.py").read_text() + COUNTING)
    for number in range(20):
        site.add(
            name=f"yearly {number}", func="warehouse.tasks:note", trigger="cron", trigger_args={"month": 1, "day": 1}
        )
    site.runscheduler()
    statements = site.path / "statements.txt"
    pass_time(8)  # until it hears that it is told
    statements.write_text("")
    pass_time(15)
    counted = collections.Counter(statements.read_text().splitlines())
    assert 3 <= counted.total() <= 20 * 15 / 60 + 2, counted.most_common()
