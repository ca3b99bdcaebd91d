# Appended to the settings of a site that runs much: connections are kept between runs, and SQLite takes many writers.
from django.db.backends.signals import connection_created

DATABASES["default"]["CONN_MAX_AGE"] = 60  # noqa: F821 - of the settings that this is appended to


def _wal(connection, **kwargs):
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA journal_mode = WAL")


connection_created.connect(_wal, weak=False)
