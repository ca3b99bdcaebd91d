"""Which modules may be imported for a path: the task modules of the installed apps, and what ALLOWED_FUNCS lists."""

from __future__ import annotations

from fnmatch import fnmatchcase

from django.apps import apps

from django_sched_tasks import conf

MAX_PATH = 255

_OWN_PACKAGE = __name__.partition(".")[0]


def host_apps() -> set[str]:
    names = {config.name for config in apps.get_app_configs()} if apps.apps_ready else set()
    return {name for name in names if name.partition(".")[0] != _OWN_PACKAGE}


def is_in_app(module: str, app_names: set[str]) -> bool:
    """Whether it is a module of one of the apps, or the app's own package."""
    return any(f"{module}.".startswith(f"{name}.") for name in app_names)


def is_task_module(module: str, app_names: set[str]) -> bool:
    parts = _within_app(module, app_names)
    patterns = [pattern.split(".") for pattern in conf.task_modules()]
    return any(len(parts) >= len(pattern) and _leads_to(parts, pattern) for pattern in patterns)


def is_way_to_task_module(module: str, app_names: set[str]) -> bool:
    parts = _within_app(module, app_names)
    return bool(parts) and any(_leads_to(parts, pattern.split(".")) for pattern in conf.task_modules())


def allowed_pairs() -> list[tuple[str, str]]:
    """ALLOWED_FUNCS as pairs of module pattern and name pattern, without the useless ones."""
    return [pair for pattern in conf.allowed_funcs() if (pair := _as_pair(pattern))]


def useless_patterns() -> list[str]:
    """What in ALLOWED_FUNCS allows nothing: a pattern without a colon, or with nothing on one side of it."""
    return [pattern for pattern in conf.allowed_funcs() if _as_pair(pattern) is None]


def is_listed(module: str, name: str) -> bool:
    return any(fnmatchcase(module, wanted) and fnmatchcase(name, names) for wanted, names in allowed_pairs())


def _as_pair(pattern: str) -> tuple[str, str] | None:
    module, _, name = pattern.partition(":")
    return (module, name) if module and name else None


def _within_app(module: str, app_names: set[str]) -> list[str]:
    """The module's name below the app it belongs to: the innermost, where an app lies within another."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in app_names:
            return parts[length:]
    return []


def _leads_to(parts: list[str], pattern: list[str]) -> bool:
    return all(fnmatchcase(part, wanted) for part, wanted in zip(parts, pattern, strict=False))
