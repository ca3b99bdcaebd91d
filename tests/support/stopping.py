"""SIGSTOP for a node, where it does no harm that nothing could mend."""

import contextlib
import signal
import sqlite3
import time


def stop_between_transactions(site, process):
    """SIGSTOP; on SQLite not while it holds the file's lock, which nobody could take from it."""
    process.signal(signal.SIGSTOP)
    while site.database.vendor == "sqlite" and not is_free(site.database.settings["NAME"]):
        process.signal(signal.SIGCONT)
        time.sleep(0.1)
        process.signal(signal.SIGSTOP)


def is_free(path):
    """Whether nobody but the others that still run holds the lock of an SQLite file for long."""
    with contextlib.closing(sqlite3.connect(path, timeout=0.3)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return False
    return True
