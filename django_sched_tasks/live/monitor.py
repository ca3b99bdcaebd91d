"""One thread of this process looks after all of its runs: it writes down what they tell, and reads who is to end."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.db import connections, transaction

from django_sched_tasks import database
from django_sched_tasks.live import capture
from django_sched_tasks.live.runs import Run, Told
from django_sched_tasks.models import transitions

logger = logging.getLogger(__name__)

PACE = 0.5  # seconds between two looks at who is to end
TELL = 1.0  # seconds after which news are written

OnCancel = Callable[[int], None]


@dataclass(slots=True)
class _Watch:
    """A run elsewhere that this process would have to end."""

    on_cancel: OnCancel
    is_done: bool = False


class Monitor:
    """What is open in this process, and the thread that looks after it.

    The thread starts with the first run, on a connection of its own, and ends when a look finds nothing open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[int, Run] = {}
        self._watches: dict[int, _Watch] = {}
        self._thread: threading.Thread | None = None
        self._is_connected = False
        self._told_at = 0.0

    def add(self, run: Run) -> None:
        with self._lock:
            self._runs[run.id] = run
            self._ensure_thread()

    def remove(self, run: Run) -> None:
        with self._lock:
            if self._runs.get(run.id) is run:
                del self._runs[run.id]

    def watch(self, execution_id: int, on_cancel: OnCancel) -> None:
        with self._lock:
            self._watches[execution_id] = _Watch(on_cancel)
            self._ensure_thread()

    def unwatch(self, execution_id: int) -> None:
        with self._lock:
            self._watches.pop(execution_id, None)

    def get(self, execution_id: int) -> Run | None:
        with self._lock:
            return self._runs.get(execution_id)

    def _ensure_thread(self) -> None:
        if self._thread is not None:
            return
        thread = threading.Thread(target=self._run, name="sched-tasks-monitor", daemon=True)
        try:
            thread.start()
            self._thread = thread
        except RuntimeError as error:  # no more threads: the run goes on all the same, and its outcome tells all
            logger.warning("Runs cannot be watched: %s", error)

    # The monitor's own thread.

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(PACE) and self._has_work():
            try:
                self._look()
            except Exception as error:
                # Nothing is lost: the outcome carries all of the output, and the next look asks again.
                logger.log(
                    logging.DEBUG if database.is_outage(error) else logging.WARNING,
                    "What runs tell could not be written, or whether they are to end could not be read: %s",
                    error,
                )
                self._disconnect()

    def _has_work(self) -> bool:
        with self._lock:
            if self._runs or self._watches:
                return True
            self._thread = None  # the next run starts another
        self._disconnect()
        return False

    def _look(self) -> None:
        with self._lock:
            runs, watches = dict(self._runs), dict(self._watches)
        using = self._connect()
        if time.monotonic() - self._told_at >= TELL - PACE / 2:
            self._told_at = time.monotonic()
            self._write_news(runs, using)
        for execution_id in transitions.cancel_requested({*runs, *watches}, using=using):
            if execution_id in runs:
                runs[execution_id].request_cancel()
            if execution_id in watches:
                _call(execution_id, watches[execution_id])

    def _write_news(self, runs: dict[int, Run], using: str) -> None:
        news = {run.id: told for run in runs.values() if (told := run.news()) is not None}
        if not news:
            return
        try:
            _write(news, using)
        except Exception:
            for execution_id in news:
                runs[execution_id].forget_told()
            raise

    def _connect(self) -> str:
        if not self._is_connected:
            database.adopt_own_connection()
            self._is_connected = True
        return database.alias()

    def _disconnect(self) -> None:
        self._is_connected = False
        connections.close_all()


def _call(execution_id: int, watch: _Watch) -> None:
    """Once, unless it fails: then the next look tries again."""
    if watch.is_done:
        return
    try:
        watch.on_cancel(execution_id)
        watch.is_done = True
    except Exception:
        logger.exception("Execution %s could not be asked to end; it is tried again.", execution_id)


def _write(news: dict[int, Told], using: str) -> None:
    def work() -> None:
        with transaction.atomic(using=using):
            transitions.tell(
                {pk: told.output for pk, told in news.items() if told.output is not None},
                {pk: told.progress for pk, told in news.items() if told.progress is not None},
                using=using,
            )

    database.retrying(work, using=using)


_monitor = Monitor()


def _after_fork() -> None:
    """The runs, the thread and the locks are the parent's."""
    global _monitor
    _monitor = Monitor()


os.register_at_fork(after_in_child=_after_fork)


def open_run(execution_id: int, secrets: Collection[str] = (), *, is_watched: bool = True) -> Run:
    """The live side of a run that begins in this thread; :func:`close_run` is its end.

    Args:
        execution_id: of the row.
        secrets: texts that its output must not show.
        is_watched: whether the monitor looks after it; one inside its caller's transaction, whose row nobody else
            sees, needs none.
    """
    capture.install()
    run = Run(execution_id, secrets)
    if is_watched:
        _monitor.add(run)
    return run


def close_run(run: Run) -> Told:
    """All that the run has told."""
    _monitor.remove(run)
    return run.close()


def give_up(execution_id: int) -> Told:
    """All that a run has told which does not end; what it tells from now on is not kept."""
    run = _monitor.get(execution_id)
    return Told(None, None) if run is None else close_run(run)


def watch(execution_id: int, on_cancel: OnCancel) -> None:
    """Call ``on_cancel(execution_id)`` once somebody has asked that this execution ends, from the monitor's thread.

    For the process that would have to end a run which happens elsewhere; :func:`unwatch` once it has ended.
    """
    _monitor.watch(execution_id, on_cancel)


def unwatch(execution_id: int) -> None:
    _monitor.unwatch(execution_id)


def cancel(execution_id: int) -> None:
    """Tell the run of this execution, if it goes on in this process, that it is to end."""
    run = _monitor.get(execution_id)
    if run is not None:
        run.request_cancel()
