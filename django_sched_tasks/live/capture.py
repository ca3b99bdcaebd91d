"""Sending what a run prints and logs to its output, without taking it from where it went before.

Which run it is says the context variable of :mod:`django_sched_tasks.context`, so threads, tasks of asyncio and threads
that copy their context are told apart. Installed once in a process, at its first run; outside runs nothing changes.

- ``sys.stdout`` and ``sys.stderr`` become proxies that write to the output as well.
- ``logging.Logger`` learns to hand records of a run to its output. A handler on the root logger would not do: it would
  see only what the levels and ``propagate`` of the site's loggers let through, silence Python's handler of last resort,
  and see twice what another handler prints. So the class itself asks: within a run a record of the output's level
  counts as enabled, and goes on to the site's own handlers only where the site's levels let it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable
from typing import Any, cast

from django_sched_tasks import context
from django_sched_tasks.live.runs import Run

_install_lock = threading.Lock()
_passing_on = threading.local()  # .active: this thread writes to where it went before, what is kept already

_is_enabled_for = logging.Logger.isEnabledFor
_call_handlers = logging.Logger.callHandlers


def install() -> None:
    """Make sure that both are in place; somebody (a test runner, ``redirect_stdout``) may have put back a stream.

    Called by the thread that is about to run something.
    """
    _passing_on.active = False  # whatever an exception from outside has left there
    if type(sys.stdout) is _Stream and type(sys.stderr) is _Stream:
        return
    with _install_lock:
        for name in ("stdout", "stderr"):
            if type(getattr(sys, name)) is not _Stream:
                setattr(sys, name, _Stream(getattr(sys, name)))
        logging.Logger.isEnabledFor = _is_enabled_here  # type: ignore[method-assign,assignment]
        logging.Logger.callHandlers = _call_handlers_and_keep  # type: ignore[method-assign,assignment]


def _current_run() -> Run | None:
    execution = context.current_execution()
    return None if execution is None else cast("Run | None", execution.live)


class _Stream:
    """A text stream that is another one, but for what a run writes."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner if inner is not None else open(os.devnull, "w")  # noqa: SIM115 - as long as the process

    def write(self, text: str) -> int:
        run = _current_run()
        if run is None or getattr(_passing_on, "active", False):
            return cast("int", self._inner.write(text))
        run.write(text)
        _passing_on.active = True
        try:
            return cast("int", self._inner.write(text))
        finally:
            _passing_on.active = False

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _is_enabled_here(logger: logging.Logger, level: int) -> bool:
    return _is_enabled_for(logger, level) or _is_kept(logger, level)


def _is_kept(logger: logging.Logger, level: int) -> bool:
    run = _current_run()
    if run is None or level < run.log_level:
        return False
    return not logger.disabled and logger.manager.disable < level


def _call_handlers_and_keep(logger: logging.Logger, record: logging.LogRecord) -> None:
    execution = context.current_execution()
    run = _current_run()
    if execution is None or run is None:
        _call_handlers(logger, record)
        return
    record.execution_id, record.task_id, record.job_id = execution.id, execution.task_id, execution.job_id
    # A stream that logs what is written to it, as Celery's workers have, passes on what is kept already.
    if record.levelno >= run.log_level and not getattr(_passing_on, "active", False):
        run.log(record)
    if not _is_enabled_for(logger, record.levelno):
        return
    was_active = getattr(_passing_on, "active", False)
    _passing_on.active = True
    try:
        _call_handlers(logger, record)
    finally:
        _passing_on.active = was_active
