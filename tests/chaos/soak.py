"""The long forms by one command, which keeps its own log: python -m tests.chaos.soak --help."""

import argparse
import os
import platform
import random
import sqlite3
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import tests.settings  # noqa: F401 - puts the example project on the path
from tests.chaos.log import PAGES, put
from tests.chaos.storm import Form, Storm
from tests.chaos.verifier import connect
from tests.support.databases import KINDS
from tests.support.site import Site

LOG = PAGES / "soak-log.md"
APPS = ["tests.support.chaos"]

STORM = "storm"  # as the acceptance has it: 200 tasks, a kill every 3 seconds, the third node stopped again and again
SOAK = "soak"  # by chance: every 5 to 20 seconds a node is killed or stopped

HEAD = """# Log of the long runs

What `make soak` found the last time that somebody ran it, by form and database; the command writes this page. In a
`storm`, one of two nodes is killed with -9 every 3 seconds and started again, and a third is stopped for longer than
`NODE_TIMEOUT` and resumed, again and again. In a `soak`, every 5 to 20 seconds chance kills a node, or stops it for up
to 13 seconds. All tasks fire every second; `NODE_TIMEOUT` is 10 s.

After each run a [verifier](guarantees.md#how-it-is-tested) that knows nothing of the engine reads the tables. *Ran* is
the part of the fire times that ran by themselves; the rest was folded into a later run, skipped because the task was
still running (or believed to be, on a node that was just killed), or lost with its node. *Silence* is the longest time
that any task went without a run; it is no promise, but should not exceed `NODE_TIMEOUT` and 4 s on a machine with room
to spare. *Load* is the machine's over the last five minutes, for as many cores: what else ran there took its part.

What shows broken promises was mended afterwards: storms on SQLite and MariaDB found two ways in which a node that had
stood still could call a function twice. `tests/integration/test_kicks.py` has a test of each.

| form | database | length | tasks | due | ran | rows | kills, stops | silence | broken promises | when and where |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def main(arguments=None):
    options = _options(arguments)
    failed = False
    for vendor in options.database:
        verdict, cells = _blow(vendor, options)
        row = put(options.log, HEAD, cells)
        print(row, *verdict.violations[:20], *verdict.silences[:5], sep="\n", flush=True)
        failed = failed or bool(verdict.violations or verdict.silences)
    return int(failed)


def _options(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--form", choices=[STORM, SOAK], default=SOAK)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--database", nargs="+", choices=list(KINDS), default=["sqlite"])
    parser.add_argument("--seed", type=int, default=None, help="of the chances of a soak; printed when it is made up")
    parser.add_argument("--log", type=Path, default=LOG)
    return parser.parse_args(arguments)


def _blow(vendor, options):
    form = Form(options.tasks, options.minutes * 60, pause=(5.0, 20.0) if options.form == SOAK else None)
    seed = random.randrange(10**6) if options.seed is None else options.seed
    began = datetime.now(UTC)
    print(f"{began:%H:%M} UTC: {options.form} of {options.minutes:g} minutes on {vendor}, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        database = KINDS[vendor](Path(directory))
        database.create()
        site = Site(Path(directory) / "site", database, settings=form.settings, apps=APPS)
        try:
            site.migrate()
            storm = Storm(site, form, seed=seed)
            verdict = storm.run()
            place = where(database)
        finally:
            site.close()
            database.drop()
    return verdict, _cells(options, vendor, verdict, storm, place)


def where(database):
    """The day, the machine and the server, in words."""
    return f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}, {_server(database)}"


def _server(database):
    if database.vendor == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}, WAL"
    with connect(database.settings) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT version()")
        words = cursor.fetchone()[0].split()
    return " ".join(words[:2]) if database.vendor == "postgresql" else f"MariaDB {words[0].partition('-')[0]}"


def _machine():
    import django

    load = os.getloadavg()[1]  # of the last five minutes: ours, and that of whatever else ran there
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores under a load of {load:.0f}, {memory:.0f} GiB, Python {platform.python_version()}, "
        f"Django {django.get_version()}"
    )


def _cells(options, vendor, verdict, storm, place):
    statuses = ", ".join(f"{count:,} {status}" for status, count in sorted(verdict.statuses.items()))
    return [
        options.form,
        vendor,
        f"{options.minutes:g} min",
        options.tasks,
        f"{verdict.due:,}",
        f"{verdict.share:.1%}",
        statuses,
        f"{storm.kills}, {storm.stops}",
        f"{verdict.longest_silence:.1f} s"
        + f", {len(verdict.silences)} tasks over {storm.limit:g} s" * bool(verdict.silences),
        len(verdict.violations) or "none",
        place,
    ]


if __name__ == "__main__":
    sys.exit(main())
