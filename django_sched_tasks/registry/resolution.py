"""From a path to its function, in the order that makes it a boundary."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.core.signals import setting_changed
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from django_sched_tasks import conf
from django_sched_tasks.exceptions import FunctionNotFound
from django_sched_tasks.redaction import Arguments
from django_sched_tasks.registry.discovery import forget_imports, load
from django_sched_tasks.registry.marks import is_marked, marked_modules, secrets_of
from django_sched_tasks.registry.modules import MAX_PATH, host_apps, is_in_app, is_listed, is_task_module
from django_sched_tasks.registry.targets import (
    Inside,
    is_task_object,
    look_inside,
    require_defined_in,
    require_runnable,
    signature_of,
)

FORM = _("Write it as 'package.module:function', for example 'shop.tasks:daily_report'.")


@dataclass(frozen=True, slots=True)
class ResolvedFunction:
    """A function that may run: what to call, its signature where it has one, and the object that the path names.

    Where ``takes_context`` is set, the callable wants the context of Django's tasks before the arguments that the
    signature shows. ``secrets`` are the names of parameters that nobody is to read.
    """

    path: str
    callable: Callable[..., Any]
    signature: inspect.Signature | None
    is_async: bool
    target: Any
    takes_context: bool = False
    secrets: frozenset[str] = frozenset()
    arguments: Arguments = field(init=False, compare=False)
    """What of its arguments is secret."""

    def __post_init__(self) -> None:
        by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = self.signature.parameters.values() if self.signature is not None else ()
        names = [parameter.name for parameter in parameters if parameter.kind in by_position]
        object.__setattr__(self, "arguments", Arguments(names, self.secrets))


_resolved: dict[tuple[str, bool], ResolvedFunction] = {}


def resolve(path: object, *, enqueued: bool = False) -> ResolvedFunction:
    """The function that a path names; FunctionNotFound says in words why there is none.

    There are two boundaries. What a scheduled task names comes from outside, and must be open to that. What Django's
    task framework has ``enqueued`` was named by the site's own code: it may be whatever ``@task`` makes a task in the
    site's apps, and nothing else.
    """
    found = _resolved.get((path, enqueued)) if isinstance(path, str) else None
    if found is None:
        found = _resolve_enqueued(path) if enqueued else _resolve(path)
        # Only successes are kept: a module may be mended or deployed while this process runs.
        _resolved[found.path, enqueued] = found
    return found


def clear_cache() -> None:
    """Forget what was resolved, discovered and failed; the next question asks Python again."""
    forget_imports()
    _resolved.clear()


def _on_setting_changed(*, setting: str, **_others: Any) -> None:
    if setting in {conf.SETTING, "INSTALLED_APPS"}:
        clear_cache()


setting_changed.connect(_on_setting_changed, dispatch_uid="django_sched_tasks.registry")


def _resolve(path: object) -> ResolvedFunction:
    module, name = _split(path)
    by_pattern = is_listed(module, name)
    if by_pattern or is_task_module(module, host_apps()):
        _load(module)
    elif module not in marked_modules():
        text = _("No function of '{module}' may be scheduled: it is no task module of an installed app.")
        raise FunctionNotFound(format_lazy(text, module=module))
    target = _target(module, name)
    inner = look_inside(target)
    require_runnable(inner.func, name)
    if f"{module}:{name}" not in conf.allowed_funcs():  # named exactly, it may come from anywhere
        require_defined_in(inner.func, module, name)
    if not (by_pattern or is_marked(inner.func) or is_task_module(module, host_apps())):
        text = _("'{name}' of '{module}' is not marked with @schedulable.")
        raise FunctionNotFound(format_lazy(text, name=name, module=module))
    return _found(module, name, target, inner)


def _resolve_enqueued(path: object) -> ResolvedFunction:
    """A private name is none here: whoever wrote ``@task`` above it meant it to be called."""
    module, name = _parts(path)
    if not (is_in_app(module, host_apps()) or is_listed(module, name)):
        text = _(
            "'{module}' is no module of an installed app, so no task in it may run. Add its app to INSTALLED_APPS, or"
            " name the task in the setting ALLOWED_FUNCS."
        )
        raise FunctionNotFound(format_lazy(text, module=module))
    _load(module)
    target = _target(module, name)
    if not is_task_object(target):
        text = _("'{name}' of '{module}' is no task of Django's task framework: @task makes it one.")
        raise FunctionNotFound(format_lazy(text, name=name, module=module))
    inner = look_inside(target)
    require_runnable(inner.func, name)
    return _found(module, name, target, inner)


def _load(module: str) -> None:
    if not apps.ready:
        raise FunctionNotFound(_("Django is still loading its apps; functions are found once it is done."))
    load(module)


def _target(module: str, name: str) -> Any:
    target = getattr(sys.modules.get(module), "__dict__", {}).get(name)
    if target is None:
        raise FunctionNotFound(
            format_lazy(_("The module '{module}' has no function '{name}'."), module=module, name=name)
        )
    return target


def _found(module: str, name: str, target: Any, inner: Inside) -> ResolvedFunction:
    return ResolvedFunction(
        path=f"{module}:{name}",
        callable=inner.call,
        signature=signature_of(inner),
        is_async=iscoroutinefunction(inner.func),
        target=target,
        takes_context=inner.takes_context,
        secrets=secrets_of(inner.func),
    )


def _split(path: object) -> tuple[str, str]:
    module, name = _parts(path)
    if any(part.startswith("_") for part in [*module.split("."), name]):
        text = _("'{path}' is private: a name in it has a leading underscore.")
        raise FunctionNotFound(format_lazy(text, path=f"{module}:{name}"))
    return module, name


def _parts(path: object) -> tuple[str, str]:
    if not isinstance(path, str):
        text = _("The path of a function is text, not a {type}. {form}")
        raise FunctionNotFound(format_lazy(text, type=type(path).__name__, form=FORM))
    if len(path) > MAX_PATH:
        text = _("The path has {length} characters; {limit} are allowed.")
        raise FunctionNotFound(format_lazy(text, length=len(path), limit=MAX_PATH))
    module, _colon, name = path.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        raise FunctionNotFound(
            format_lazy(_("{path} is not the path of a function. {form}"), path=repr(path), form=FORM)
        )
    return module, name
