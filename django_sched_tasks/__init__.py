"""Scheduled tasks for Django that people can see and steer."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_sched_tasks.context import current_execution
    from django_sched_tasks.registry import schedulable, scheduled

__all__ = ["__version__", "current_execution", "schedulable", "scheduled"]

__version__ = "0.1.0"

_ROOMS = {"current_execution": "context", "schedulable": "registry", "scheduled": "registry"}


def __getattr__(name: str) -> Any:
    """Loaded on first use: pytest imports this package for its plugin, and shall not load Django for that."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    return found
