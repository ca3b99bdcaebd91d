"""Runs in child processes of the node."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import IO, ClassVar, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from django_sched_tasks import child, conf, live, runner
from django_sched_tasks.exceptions import RunCancelled, RunTimedOut, WorkerDied
from django_sched_tasks.executors.base import BaseExecutor, Done
from django_sched_tasks.models.transitions import Claim, Outcome
from django_sched_tasks.registry import ResolvedFunction

Work = tuple[Claim, Done]

LEEWAY = 0.8  # seconds that a run gets to end by itself, once it is told to
LOOK = 1.0  # seconds between two looks whether a silent child still lives
IS_POSIX = os.name == "posix"


class ProcessExecutor(BaseExecutor):
    """A fixed number of child processes, each of which runs one execution after another.

    A child that takes too long, or whose run is cancelled, is killed, whatever it is doing; one that dies fails its run
    and no other. Each is a new interpreter that loads the site for itself: the first run in it waits for that.

    Args:
        max_workers: how many run at once.
        max_tasks: after so many runs a child is replaced by a new one; None for never.
        max_memory: of each child, in mebibytes of address space; more makes Python raise MemoryError. None for no
            limit. Not on Windows.
    """

    supports_async: ClassVar[bool] = True
    supports_timeout: ClassVar[bool] = True
    supports_cancel: ClassVar[bool] = True
    isolates_crashes: ClassVar[bool] = True

    def __init__(
        self, alias: str, *, max_workers: int = 2, max_tasks: int | None = None, max_memory: int | None = None
    ) -> None:
        super().__init__(alias, max_workers=max_workers)
        if max_memory is not None and not IS_POSIX:
            raise ImproperlyConfigured(f"The executor {alias!r} has max_memory, which Windows does not offer.")
        self._max_tasks = max_tasks
        self._max_memory = max_memory
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._children: set[_Child] = set()
        self._is_stopped = False

    def start(self) -> None:
        for number in range(self.slots):
            threading.Thread(target=self._serve, name=f"sched-tasks-{self.alias}-{number}", daemon=True).start()

    def submit(self, claim: Claim, function: ResolvedFunction, done: Done) -> None:
        self._work.put((claim, done))

    def cancel(self, execution_id: int) -> None:
        with self._lock:
            children = list(self._children)
        for process in children:
            if process.runs == execution_id:
                process.end_soon(execution_id, _CANCELLED)

    def shutdown(self) -> None:
        with self._lock:
            self._is_stopped = True
            children = list(self._children)
        for _ in range(self.slots):
            self._work.put(None)
        for process in children:
            process.kill()

    def _serve(self) -> None:
        process: _Child | None = None
        while (work := self._work.get()) is not None:
            claim, done = work
            process, outcome = self._run(claim, process)
            if self._is_stopped:  # the engine tells the truth about what has not ended
                break
            done(claim, outcome)
            del work, claim, done, outcome  # hold no arguments while waiting
        if process is not None:
            self._dismiss(process)

    def _run(self, claim: Claim, process: _Child | None) -> tuple[_Child | None, Outcome]:
        """Answers the process that may take the next run as well, and how this one went."""
        began = time.perf_counter()
        if process is not None and not process.is_alive:
            self._dismiss(process)
            process = None
        try:
            if process is None:
                process = self._make()
            process.runs = claim.id
            live.watch(claim.id, self.cancel)
            try:
                process.wait_until_ready()
                began = time.perf_counter()
                outcome = process.run(claim)
            finally:
                live.unwatch(claim.id)
        except Exception as error:
            why = "" if process is None else process.killed_for
            if process is not None:
                self._dismiss(process)
            return None, _told(claim, why, error, round(time.perf_counter() - began, 6))
        if self._max_tasks is not None and process.count >= self._max_tasks:
            self._dismiss(process)
            return None, outcome
        return process, outcome

    def _make(self) -> _Child:
        process = _Child(self._max_memory)
        with self._lock:
            self._children.add(process)
            is_late = self._is_stopped
        if is_late:
            process.kill()
        return process

    def _dismiss(self, process: _Child) -> None:
        with self._lock:
            self._children.discard(process)
        process.close()


_TIMED_OUT = "timed_out"
_CANCELLED = "cancelled"


def _told(claim: Claim, why: str, error: Exception, duration: float) -> Outcome:
    """How a run ended whose process did not say it."""
    ends: dict[str, BaseException] = {_TIMED_OUT: RunTimedOut(), _CANCELLED: RunCancelled()}
    return runner.broken_off(claim, ends.get(why, error), duration)


class _Child:
    """A process that runs one execution after another; used by one thread, and killed by any."""

    def __init__(self, max_memory: int | None) -> None:
        self.runs: int | None = None  # the execution that it is at, or is being started for
        self.count = 0
        self.killed_for = ""
        self._is_ready = False
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [_interpreter(), "-c", child.BOOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
            start_new_session=IS_POSIX,  # so that Ctrl-C is for the node alone, and that what it starts ends with it
        )
        self._received = b""
        self._selector = selectors.DefaultSelector()
        if IS_POSIX:
            self._selector.register(self._answers, selectors.EVENT_READ)
        self._send(sys.path)
        self._send({"parent": os.getpid(), "max_memory": max_memory})

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """A new one loads the site first."""
        if self._is_ready:
            return
        problem = self._receive()["problem"]
        if problem:
            raise WorkerDied(f"A new process could not load the site: {problem}")
        self._is_ready = True

    def run(self, claim: Claim) -> Outcome:
        """Raises WorkerDied where the process ends before the function does."""
        self.count += 1
        with self._at(claim):
            self._send(asdict(claim))
            return child.revive(Outcome, self._receive())

    def end_soon(self, execution_id: int, why: str) -> None:
        """Kill it, unless its run ends by itself within the leeway."""
        timer = threading.Timer(LEEWAY, self._end, (execution_id, why))
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        """Kill it and what its function has started."""
        with contextlib.suppress(OSError):
            if IS_POSIX and self.is_alive:
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def close(self) -> None:
        """Let go of it: an idle one ends by itself when it hears no more, and has no reason to linger."""
        self.kill()
        self._process.wait()
        self._selector.close()
        with contextlib.suppress(OSError):
            self._orders.close()
        self._answers.close()

    @contextmanager
    def _at(self, claim: Claim) -> Iterator[None]:
        timer = None
        if claim.timeout is not None:
            timer = threading.Timer(claim.timeout + LEEWAY, self._end, (claim.id, _TIMED_OUT))
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            with self._lock:
                self.runs = None
            if timer is not None:
                timer.cancel()

    def _end(self, execution_id: int, why: str) -> None:
        with self._lock:  # never the run after the one that is meant
            if self.runs == execution_id:
                self.killed_for = why
                self.kill()

    @property
    def _orders(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    @property
    def _answers(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdout)

    def _send(self, message: object) -> None:
        try:
            self._orders.write(child.encode(message))
            self._orders.flush()
        except OSError as error:
            raise WorkerDied(self._how_it_ended()) from error

    def _receive(self) -> dict[str, object]:
        while b"\n" not in self._received:
            if IS_POSIX and not self._selector.select(LOOK):
                if self.is_alive:
                    continue
                raise WorkerDied(self._how_it_ended())  # and somebody it has forked still holds its end of the pipe
            data = os.read(self._answers.fileno(), 65_536)
            if not data:
                raise WorkerDied(self._how_it_ended())
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return cast("dict[str, object]", child.decode(line))

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(LOOK)
        except subprocess.TimeoutExpired:
            return "The process of the run does not answer any more."
        if code >= 0:
            return f"The process of the run ended with exit code {code} before the function returned."
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = " (the system does that when memory runs out, for one)" if name == "SIGKILL" else ""
        return f"The process of the run was ended by {name}{hint} before the function returned."


def _environment() -> dict[str, str]:
    module = getattr(settings, "SETTINGS_MODULE", None)
    if not module:
        raise ImproperlyConfigured(
            "ProcessExecutor needs settings that a new process can load: name a module in DJANGO_SETTINGS_MODULE."
        )
    return {**os.environ, "DJANGO_SETTINGS_MODULE": module, conf.AUTO_START_VARIABLE: "0"}


def _interpreter() -> str:
    """In a server that embeds Python, such as uWSGI, ``sys.executable`` is the server."""
    if Path(sys.executable).name.startswith("python"):
        return sys.executable
    folder = Path(sys.prefix) / ("bin" if IS_POSIX else "Scripts")
    return str(next((path for name in ("python3", "python") if (path := folder / name).exists()), sys.executable))
