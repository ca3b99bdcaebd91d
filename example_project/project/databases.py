"""DATABASE_URL, as a dict for Django's DATABASES."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "mariadb": "django.db.backends.mysql",
}


def database_from_url(url: str) -> dict[str, Any]:
    """Read `scheme://user:password@host:port/name?option=value`; the query becomes the backend's OPTIONS.

    SQLite takes a path: `sqlite:///relative.sqlite3`, `sqlite:////absolute.sqlite3`, or `sqlite://` for memory.
    """
    parts = urlsplit(url)
    if parts.scheme not in ENGINES:
        raise ValueError(f"DATABASE_URL starts with {parts.scheme!r}; it may start with {', '.join(ENGINES)}.")
    return {
        "ENGINE": ENGINES[parts.scheme],
        "NAME": unquote(parts.path[1:]) or ":memory:",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
    }
