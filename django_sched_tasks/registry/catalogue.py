"""Every function that may be scheduled, and a path that is about to be saved judged against them."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase

from django.utils.translation import gettext as _

from django_sched_tasks import conf
from django_sched_tasks.exceptions import FunctionNotFound, InvalidFunction
from django_sched_tasks.registry.discovery import autodiscover
from django_sched_tasks.registry.marks import marked_modules
from django_sched_tasks.registry.modules import MAX_PATH, allowed_pairs, host_apps, is_task_module
from django_sched_tasks.registry.resolution import ResolvedFunction, resolve
from django_sched_tasks.registry.wording import listing


def check(path: object, *, enqueued: bool = False) -> ResolvedFunction:
    """Resolve a path that is about to be saved; InvalidFunction says what is wrong and what to do."""
    try:
        return resolve(path, enqueued=enqueued)
    except FunctionNotFound as error:
        if enqueued:
            raise InvalidFunction({"func": [str(error)]}) from error
        raise InvalidFunction({"func": [str(error), *_nearest(path), _cure()]}) from error


def all_resolved() -> list[ResolvedFunction]:
    autodiscover()
    found = (resolved for module in _open_modules() for resolved in _resolved_in(module))
    return sorted(found, key=lambda resolved: resolved.path)


def _open_modules() -> set[str]:
    app_names, pairs = host_apps(), allowed_pairs()
    listed = {module for module in list(sys.modules) if any(fnmatchcase(module, wanted) for wanted, _names in pairs)}
    return listed | marked_modules() | {module for module in list(sys.modules) if is_task_module(module, app_names)}


def _resolved_in(module: str) -> Iterator[ResolvedFunction]:
    for name in list(getattr(sys.modules.get(module), "__dict__", {})):
        try:
            yield resolve(f"{module}:{name}")
        except FunctionNotFound:
            continue


def _nearest(path: object) -> Iterator[str]:
    if not isinstance(path, str) or len(path) > MAX_PATH:
        return
    known = [resolved.path for resolved in all_resolved()]
    name = path.rpartition(":")[2].rpartition(".")[2]
    namesakes = [candidate for candidate in known if candidate.rpartition(":")[2] == name]
    if nearest := list(dict.fromkeys([*namesakes, *difflib.get_close_matches(path, known, n=3)]))[:3]:
        yield _("Did you mean %(names)s?") % {"names": listing(nearest)}


def _cure() -> str:
    text = _(
        "To allow a function, define it in a task module of an installed app (%(modules)s; setting TASK_MODULES),"
        " mark it with @schedulable, or name it in the setting ALLOWED_FUNCS."
    )
    return text % {"modules": ", ".join(conf.task_modules())}
