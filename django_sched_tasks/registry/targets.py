"""The object that a path names: the function within it, whether that may run, and its signature."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from django_sched_tasks.exceptions import FunctionNotFound
from django_sched_tasks.payload import describe_error


@dataclass(frozen=True, slots=True)
class Inside:
    """The function within a target, what to call for it, and who gives it its first argument.

    That is its library by itself where only ``is_given_first`` is set, and whoever calls it where ``takes_context`` is
    set too.
    """

    func: Any
    call: Callable[..., Any]
    is_given_first: bool = False
    takes_context: bool = False


def look_inside(target: Any) -> Inside:
    """Find the function in a Task object of Django or Celery; anything else is judged as it is.

    None of the libraries is imported: an object of theirs cannot exist before they are.
    """
    if _is_a(target, "celery.local", "Proxy"):
        try:
            target = target._get_current_object()
        except Exception as error:
            text = _("Celery cannot say what this task is: {error}.")
            raise FunctionNotFound(format_lazy(text, error=describe_error(error)[0])) from error
    if _is_a(target, "celery.app.task", "Task"):
        return Inside(getattr(target.run, "__func__", target.run), target, isinstance(target.run, MethodType))
    if is_task_object(target):
        takes_context = getattr(target, "takes_context", False)  # the first releases of django-tasks do not know it
        return Inside(target.func, target.func, takes_context, takes_context)
    return Inside(target, target)


def is_task_object(target: Any) -> bool:
    """Whether it is a Task of Django's task framework."""
    return any(
        _is_a(target, module, "Task") for module in ("django.tasks.base", "django_tasks.base", "django_tasks.task")
    )


def require_runnable(func: Any, name: str) -> None:
    kind = "class" if issubclass(type(func), type) else type(func).__name__
    if type(func) is FunctionType and func.__name__ == "<lambda>":
        kind = "lambda"
    if type(func) is not FunctionType or kind == "lambda":
        text = _("'{name}' is a {kind}; only functions written with def may be scheduled.")
        raise FunctionNotFound(format_lazy(text, name=name, kind=kind))
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        text = _("'{name}' is a generator: calling it would run nothing. Write a function around it.")
        raise FunctionNotFound(format_lazy(text, name=name))


def require_defined_in(func: Any, module: str, name: str) -> None:
    """Refuse what was merely imported: also below a local decorator that gives it a local look."""
    for _link in range(100):  # a decorator may have tied __wrapped__ into a ring
        if (home := getattr(func, "__module__", None)) != module:
            text = _(
                "'{name}' is not defined in '{module}' but in '{home}' (or a decorator from there does not use"
                " functools.wraps)."
            )
            raise FunctionNotFound(format_lazy(text, name=name, module=module, home=str(home)))
        func = getattr(func, "__wrapped__", None)
        if func is None:
            return
    raise FunctionNotFound(format_lazy(_("'{name}' has too many decorators."), name=name))


def signature_of(inner: Inside) -> inspect.Signature | None:
    try:
        signature = inspect.signature(inner.func)
    except Exception:  # a __signature__ of somebody's making, or annotations that cannot be evaluated
        return None
    parameters = list(signature.parameters.values())
    return signature.replace(parameters=parameters[1:]) if inner.is_given_first else signature


def _is_a(target: object, module: str, name: str) -> bool:
    # type(), never isinstance(): that asks lazy objects for their class, which runs whatever they put off.
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and issubclass(type(target), kind)
