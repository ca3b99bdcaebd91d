"""Databases for sites: SQLite files, and databases of their own on a PostgreSQL and a MariaDB server."""

import os
import uuid
from abc import ABC, abstractmethod

from project.databases import database_from_url

URL = os.environ.get("DATABASE_URL", "")


def vendors():
    """The kinds of database to test on: the one that DATABASE_URL names, else all three."""
    if not URL:
        return ["sqlite", "postgresql", "mariadb"]
    return [
        database_from_url(URL)["ENGINE"].rpartition(".")[2].replace("sqlite3", "sqlite").replace("mysql", "mariadb")
    ]


class Database(ABC):
    """A fresh, empty database; ``settings`` is what DATABASES["default"] of a site must be."""

    vendor = ""
    is_migrated = False

    def __init__(self, directory):
        self.name = f"sched_tasks_{uuid.uuid4().hex[:12]}"
        self.directory = directory

    @property
    @abstractmethod
    def settings(self):
        """For DATABASES."""

    @abstractmethod
    def create(self):
        """Make it."""

    @abstractmethod
    def drop(self):
        """Remove it, whoever is still connected."""


class SQLite(Database):
    vendor = "sqlite"

    @property
    def settings(self):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(self.directory / f"{self.name}.sqlite3")}

    def create(self):
        """A file comes by itself."""

    def drop(self):
        for path in self.directory.glob(f"{self.name}.*"):
            path.unlink()


class Server(Database):
    """A database on a server, through the driver alone: Django's own connections stay out of it."""

    default_url = ""
    variables = ()
    default_port = 0

    @property
    def server(self):
        url = URL if URL and vendors() == [self.vendor] else ""
        for variable in self.variables:
            url = url or os.environ.get(variable, "")
        return database_from_url(url or self.default_url)

    @property
    def settings(self):
        return {**self.server, "NAME": self.name}

    @property
    def address(self):
        return self.server["HOST"] or "127.0.0.1", int(self.server["PORT"] or self.default_port)


class PostgreSQL(Server):
    vendor = "postgresql"
    variables = ("POSTGRES_URL",)
    default_url = "postgres://root@127.0.0.1:5432"
    default_port = 5432

    def create(self):
        self.execute(f"CREATE DATABASE {self.name}")

    def drop(self):
        self.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")

    def execute(self, statement):
        """Run a statement beside the site, in the server's own database."""
        import psycopg

        server = self.server
        host, port = self.address
        parameters = {
            "host": host,
            "port": port,
            "user": server["USER"] or None,
            "password": server["PASSWORD"] or None,
        }
        with psycopg.connect(dbname="postgres", autocommit=True, **parameters) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else None


class MariaDB(Server):
    vendor = "mariadb"
    variables = ("MARIADB_URL", "MYSQL_URL")
    default_url = "mysql://root@127.0.0.1:3306"
    default_port = 3306

    def create(self):
        self.execute(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4")

    def drop(self):
        self.execute(f"DROP DATABASE IF EXISTS {self.name}")

    def execute(self, statement):
        import MySQLdb

        server = self.server
        host, port = self.address
        connection = MySQLdb.connect(host=host, port=port, user=server["USER"], password=server["PASSWORD"])
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchall()
        finally:
            connection.close()


KINDS = {kind.vendor: kind for kind in (SQLite, PostgreSQL, MariaDB)}
