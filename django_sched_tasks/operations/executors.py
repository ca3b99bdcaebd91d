"""Which executors the site has, and what each of them can do."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.module_loading import import_string

from django_sched_tasks import conf

FLAGS = ("supports_async", "supports_timeout", "supports_cancel", "isolates_crashes", "dispatches")


@dataclass(frozen=True, slots=True)
class ExecutorInfo:
    """An executor as the settings of this process have it.

    ``problem`` says why its class cannot be loaded here; then nothing is known of what it can do. ``max_workers`` is
    None where the settings do not say.
    """

    alias: str
    backend: str
    max_workers: int | None
    supports_async: bool
    supports_timeout: bool
    supports_cancel: bool
    isolates_crashes: bool
    dispatches: bool
    problem: str


def executors() -> list[ExecutorInfo]:
    """Those of ``SCHED_TASKS["EXECUTORS"]``, in the order of their aliases."""
    return [_look(alias) for alias in sorted(conf.executors())]


def _look(alias: str) -> ExecutorInfo:
    entry = conf.executors()[alias]
    backend, problem = None, ""
    try:
        backend = import_string(entry["BACKEND"])
    except Exception as error:  # whatever the module raises while it is imported
        problem = f"{type(error).__name__}: {error}"
    return ExecutorInfo(
        alias=alias,
        backend=entry["BACKEND"],
        max_workers=entry.get("OPTIONS", {}).get("max_workers"),
        problem=problem,
        **{flag: bool(getattr(backend, flag, False)) for flag in FLAGS},
    )
