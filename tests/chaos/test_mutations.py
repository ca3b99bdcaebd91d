"""Does the suite see it when a guard is gone? Each of six is taken out, and the test at its own seam must fail.

`make mutations` does it in the full form and writes what was seen to docs/explanation/mutation-log.md.
"""

import os

import pytest

from tests.chaos.form import FULL
from tests.chaos.log import PAGES, put
from tests.support.databases import vendors

pytestmark = pytest.mark.chaos

# The mutation, the seam whose test must see it, and where it can be seen: SQLite has one writer at a time and the
# host's clock, so there two of them change nothing.
EVERYWHERE = ("sqlite", "postgresql", "mariadb")
SERVERS = ("postgresql", "mariadb")
CASES = {
    "unique_key_dropped": ("unique_key", EVERYWHERE),
    "compare_and_set_without_version": ("planners_version", EVERYWHERE),
    "finish_without_guard": ("finishers", EVERYWHERE),
    "claim_without_lock": ("claimers", SERVERS),
    "start_marked_after_the_call": ("start_mark", EVERYWHERE),
    "clock_of_the_host": ("database_clock", SERVERS),
}
ROUNDS = 6
HEAD = """# Log of the mutations

Would the tests see it if a guard were missing? `make mutations` takes out six, one at a time, in a process of its own,
and lets the same two racers meet at a barrier with the guard and without it, on real databases; the command writes this
page. A row says which guard was taken out, on which database, what the racers found with the guard in its place, and
what they found without it. Two of the six make no difference on SQLite, which has one writer at a time and the clock of
its host.

| taken out | database | test | with it | without it |
| --- | --- | --- | --- | --- |
"""


def chosen(where):
    """Of the databases at hand all in the full form, the last in the short one."""
    at_hand = [vendor for vendor in where if vendor in vendors()]
    return at_hand if FULL else at_hand[-1:]


CHOSEN = [
    pytest.param(vendor, mutation, id=f"{mutation}-{vendor}")
    for mutation, (_seam, where) in CASES.items()
    for vendor in chosen(where)
]


@pytest.mark.parametrize(("empty_database", "mutation"), CHOSEN, indirect=["empty_database"])
def test_a_guard_that_is_gone_is_seen_at_its_seam(empty_database, make_site, mutation):
    seam = CASES[mutation][0]
    site = make_site(empty_database)
    site.migrate()
    race = ["-m", "tests.support.chaos.races", seam, "--rounds", ROUNDS]
    intact = site.python(*race, check=False)
    assert intact.returncode == 0, intact.stdout + intact.stderr
    broken = site.python(*race, "--mutation", mutation, check=False)
    assert broken.returncode == 1, broken.stdout + broken.stderr
    if os.environ.get("CHAOS_LOG"):
        words = mutation.replace("_", " ")
        put(PAGES / "mutation-log.md", HEAD, [words, empty_database.vendor, f"`{seam}`", intact.stdout, broken.stdout])
