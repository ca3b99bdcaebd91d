"""What code says about itself: which functions may be scheduled from anywhere, and the tasks declared beside them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, TypeVar, overload

_MARK = "_sched_tasks_schedulable"
_SECRETS = "_sched_tasks_secrets"

F = TypeVar("F", bound=Callable[..., Any])


# The fields of a task that @scheduled takes beside the arguments of the trigger.
# fmt: off
TASK_OPTIONS = frozenset({
    "name", "description", "args", "kwargs", "timezone", "queue", "executor", "misfire_grace_time", "coalesce",
    "max_catch_up", "max_instances", "overlap", "concurrency_key", "timeout", "max_retries", "retry_delay",
    "retry_backoff", "retry_jitter", "retry_on", "transactional", "on_crash", "pause_on_failure", "priority",
    "exclusions", "max_runs", "job_id",
})
# fmt: on


@dataclass(frozen=True, slots=True)
class Declaration:
    """A task that stands in code: what ``@scheduled`` was given, and for which function."""

    path: str
    trigger: str
    trigger_args: dict[str, Any]
    name: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


_marked_modules: set[str] = set()
_declarations: list[Declaration] = []


@overload
def schedulable(func: F, /) -> F: ...
@overload
def schedulable(*, secrets: Collection[str] = ()) -> Callable[[F], F]: ...
def schedulable(func: F | None = None, /, *, secrets: Collection[str] = ()) -> F | Callable[[F], F]:
    """Mark a function as one that tasks may name, wherever it stands.

    ``secrets`` are the names of parameters whose values are shown as ``*****``.
    """
    if func is None:
        return lambda func: _mark(func, secrets)
    return _mark(func, secrets)


def _mark(func: F, secrets: Collection[str] = ()) -> F:
    _require_named_function(func, "schedulable")
    _require_parameters(func, secrets)
    setattr(func, _MARK, True)
    setattr(func, _SECRETS, secrets_of(func) | frozenset(secrets))
    _marked_modules.add(func.__module__)
    return func


def scheduled(trigger: str, /, *, name: str | None = None, **options: Any) -> Callable[[F], F]:
    """Declare a task beside its function: the trigger's kind and arguments, and any field of the task."""
    if not isinstance(trigger, str):
        raise TypeError('@scheduled needs a trigger, for example @scheduled("cron", hour=2, minute=0).')
    trigger_args = {key: value for key, value in options.items() if key not in TASK_OPTIONS}
    fields = {key: value for key, value in options.items() if key in TASK_OPTIONS}

    def declare(func: F) -> F:
        _require_named_function(func, "scheduled")
        path = f"{func.__module__}:{func.__name__}"
        declaration = Declaration(path, trigger, trigger_args, name, fields)
        if declaration not in _declarations:  # a module whose import failed runs again with the next attempt
            _declarations.append(declaration)
        return schedulable(func)

    return declare


def declarations() -> list[Declaration]:
    """What ``@scheduled`` declared in the modules imported so far."""
    return list(_declarations)


def is_marked(func: object) -> bool:
    return bool(getattr(func, _MARK, False))


def secrets_of(func: object) -> frozenset[str]:
    found: frozenset[str] = getattr(func, _SECRETS, frozenset())
    return found


def marked_modules() -> set[str]:
    """The modules imported so far in which a function is marked."""
    return set(_marked_modules)


def _require_parameters(func: Callable[..., Any], secrets: Collection[str]) -> None:
    parameters = inspect.signature(func).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if isinstance(secrets, str):
        raise TypeError(f'@schedulable(secrets={secrets!r}): write a list of names, secrets=["{secrets}"].')
    unknown = [name for name in secrets if name not in parameters]
    if unknown and not takes_any:
        raise TypeError(
            f"@schedulable(secrets=...): {func.__name__} has no parameter {unknown[0]!r}. It has:"
            f" {', '.join(parameters) or 'none'}."
        )


def _require_named_function(func: object, decorator: str) -> None:
    if type(func) is not FunctionType:
        raise TypeError(
            f"@{decorator} marks plain functions, not a {type(func).__name__}: put it next to the def, below decorators"
            " such as @task, or write a function that calls this."
        )
    if func.__name__ == "<lambda>" or func.__qualname__ != func.__name__:
        raise TypeError(
            f"@{decorator} cannot mark {func.__qualname__}: other processes find a function by its module and name, so"
            " it must be a def at the top of a module; a decorator around it must use functools.wraps."
        )
    if func.__name__.startswith("_"):
        raise TypeError(f"@{decorator} cannot mark {func.__name__}: a name with a leading underscore is private.")
