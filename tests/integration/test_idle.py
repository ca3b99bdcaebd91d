"""What an idle node costs its database, and its host."""

import collections
import re
from pathlib import Path

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
def test_an_idle_node_that_is_told_of_changes_asks_at_most_20_times_a_minute_and_sleeps(site):
    site.write("warehouse/apps.py", (site.path / "warehouse/apps.py").read_text() + COUNTING)
    for number in range(20):
        site.add(
            name=f"yearly {number}", func="warehouse.tasks:note", trigger="cron", trigger_args={"month": 1, "day": 1}
        )
    node = site.runscheduler()
    statements = site.path / "statements.txt"
    pass_time(8)  # until it hears that it is told
    statements.write_text("")
    before = wakings(node.pid)
    pass_time(15)
    counted = collections.Counter(statements.read_text().splitlines())
    assert 3 <= counted.total() <= 20 * 15 / 60 + 2, counted.most_common()
    # Where waking up is dear, that is what an idle process costs.
    woken = wakings(node.pid) - before
    assert woken.total() <= 15 * 2, woken


def wakings(pid):
    """How often each thread has given the processor back of its own accord, as Linux tells."""
    found = collections.Counter()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        status = (thread / "status").read_text()
        found[thread.name] = int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)[1])
    return found
