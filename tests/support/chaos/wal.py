# Appended to the settings of a site: SQLite as a site with many writers sets it up.
from django.db.backends.signals import connection_created


def _wal(connection, **kwargs):
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA journal_mode = WAL")


connection_created.connect(_wal, weak=False)
