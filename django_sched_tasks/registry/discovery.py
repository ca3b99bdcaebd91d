"""Importing the modules that may be imported, and remembering those that failed."""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
from collections.abc import Iterator

from django.apps import apps
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from django_sched_tasks import conf
from django_sched_tasks.exceptions import FunctionNotFound
from django_sched_tasks.payload import describe_error
from django_sched_tasks.registry.modules import (
    MAX_PATH,
    allowed_pairs,
    host_apps,
    is_task_module,
    is_way_to_task_module,
)

logger = logging.getLogger(__package__)

_discovered_for: object = None
_import_failures: dict[str, str] = {}


def autodiscover() -> None:
    """Import the task modules of the installed apps, once; one that fails is logged and remembered.

    There is no lock of ours on purpose: Python's import system has its own, and ours around it could deadlock with a
    module that asks the registry while it is being imported. Two threads at once import everything once all the same.
    """
    global _discovered_for
    if not apps.ready:  # the modules would fail for want of models
        return
    app_names = host_apps()
    wanted = (app_names, conf.task_modules(), conf.allowed_funcs())
    if _discovered_for == wanted:
        return
    for module in [*_task_modules_on_disk(app_names), *_listed_modules()]:
        try:
            load(module)
        except FunctionNotFound as error:
            _import_failures.setdefault(module, str(error))
            logger.warning("%s No function in it can be scheduled.", error, exc_info=error.__cause__)
    _discovered_for = wanted


def import_failures() -> dict[str, str]:
    """The task modules that could not be imported, with the error in one line."""
    return dict(_import_failures)


def forget_imports() -> None:
    """Let the next discovery begin anew."""
    global _discovered_for
    _discovered_for = None
    _import_failures.clear()


def load(module: str) -> None:
    """Import an allowed module; the caller has made sure that it is one."""
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
            raise FunctionNotFound(format_lazy(_("There is no module '{name}'."), name=error.name)) from error
        line = describe_error(error)[0]
        _import_failures[module] = line
        text = _("The module '{module}' cannot be imported: {error}.")
        raise FunctionNotFound(format_lazy(text, module=module, error=line)) from error
    _import_failures.pop(module, None)


def _listed_modules() -> list[str]:
    return sorted({module for module, _name in allowed_pairs() if all(map(str.isidentifier, module.split(".")))})


def _task_modules_on_disk(app_names: set[str]) -> Iterator[str]:
    for config in apps.get_app_configs():
        if config.name in app_names:
            yield from _modules_below(config.name, list(getattr(config.module, "__path__", ())), app_names)


def _modules_below(package: str, folders: list[str], app_names: set[str]) -> Iterator[str]:
    modules = {info.name for info in pkgutil.iter_modules(folders)}
    # A folder without __init__.py is a package too.
    candidates = modules | {entry for folder in folders for entry in _subfolders(folder)}
    for name in sorted(candidate for candidate in candidates if candidate.isidentifier() and candidate[0] != "_"):
        module = f"{package}.{name}"
        if len(module) > MAX_PATH or not is_way_to_task_module(module, app_names):
            continue
        if name in modules and is_task_module(module, app_names):
            yield module
        yield from _modules_below(module, [os.path.join(folder, name) for folder in folders], app_names)


def _subfolders(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from [entry.name for entry in entries if entry.is_dir()]
    except OSError:  # inside a zip, or gone
        return
