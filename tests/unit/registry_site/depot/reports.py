"""No task module; a site may list it in ALLOWED_FUNCS."""

from depot.views import index

__all__ = ["index"]


def weekly(): ...


def monthly(): ...
