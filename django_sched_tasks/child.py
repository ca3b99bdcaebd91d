"""What a child process of :class:`~django_sched_tasks.executors.ProcessExecutor` does, and how the two talk.

The child is a new interpreter, so it has none of its parent's threads, connections and locks, and imports neither its
parent's main module nor its server. Orders come in by its standard input and answers go out by its standard output,
each a line of JSON; what the function prints goes to standard error. When the parent ends, so does the child.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import django

from django_sched_tasks import alarms, hooks
from django_sched_tasks.exceptions import FunctionNotFound, RunCancelled, RunTimedOut

if TYPE_CHECKING:
    from django_sched_tasks.models.transitions import Claim, Outcome

# What the new interpreter is started with; its first order is the parent's sys.path, by which it finds all else.
BOOT = (
    "import json, os, sys\n"
    "orders = os.fdopen(os.dup(0), 'rb')\n"
    "sys.path[:] = json.loads(orders.readline())\n"
    "from django_sched_tasks import child\n"
    "child.serve(orders)\n"
)

PR_SET_PDEATHSIG = 1

T = TypeVar("T")


def encode(message: Any) -> bytes:
    return json.dumps(message, default=str).encode() + b"\n"


def decode(line: bytes) -> Any:
    return json.loads(line)


def revive(kind: type[T], values: dict[str, Any]) -> T:
    """A dataclass of ours from its decoded fields: what JSON does not know came as text."""
    parsers: dict[str, Callable[[str], object]] = {"datetime": datetime.fromisoformat, "UUID": UUID}
    for field in fields(kind):  # type: ignore[arg-type]
        for name, parse in parsers.items():
            if name in str(field.type) and values[field.name] is not None:
                values[field.name] = parse(values[field.name])
    return kind(**values)


def serve(orders: IO[bytes]) -> None:
    """Get ready, then run one execution after another until the parent has no more for us."""
    answers = _take_standard_streams()
    settings = decode(orders.readline())
    hooks.is_child = True
    _end_with(settings["parent"])
    _limit_memory(settings["max_memory"])
    _answer(answers, {"problem": _set_up()})
    inbox: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_receive, args=(orders, inbox), name="sched-tasks-orders", daemon=True).start()
    while True:
        outcome = _run(inbox.get())
        _answer(answers, _values(outcome))


def _values(outcome: Outcome) -> dict[str, Any]:
    return {field.name: getattr(outcome, field.name) for field in fields(outcome)}


def _take_standard_streams() -> IO[bytes]:
    """Keep the parent's pipes to ourselves: a function may print and read what it likes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return answers


def _answer(answers: IO[bytes], message: Any) -> None:
    answers.write(encode(message))
    answers.flush()


def _receive(orders: IO[bytes], inbox: SimpleQueue[Any]) -> None:
    """A thread of its own, so that the end of the parent is noticed in the midst of a run."""
    for line in orders:
        inbox.put(decode(line))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)


def _end_with(parent: int) -> None:
    """Linux ends us with our parent even while C code keeps every thread of Python from running."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before we asked
        os._exit(0)


def _limit_memory(mebibytes: int | None) -> None:
    if mebibytes is not None:
        import resource  # noqa: PLC0415 - not on Windows, where the executor refuses the option

        size = mebibytes * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _set_up() -> str:
    """Load the site; answers what keeps it from being loaded."""
    try:
        django.setup()
        from django_sched_tasks import registry  # noqa: PLC0415 - models must wait for the apps

        registry.autodiscover()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _run(order: dict[str, Any]) -> Outcome:
    from django_sched_tasks import registry, runner  # noqa: PLC0415 - models must wait for the apps
    from django_sched_tasks.models.transitions import Claim  # noqa: PLC0415

    claim: Claim = revive(Claim, order)
    try:
        function = registry.resolve(claim.func, enqueued=claim.is_enqueued)
    except FunctionNotFound as error:
        return runner.failed(claim, error, 0.0)
    alarm = alarms.Alarms()
    means: Any = {"limit": alarm.limit, "interrupt": alarm.interrupt} if alarms.are_possible() else {}
    try:
        return runner.run(claim, function, **means)
    except (RunTimedOut, RunCancelled) as error:  # on the threshold of the limit, where nobody caught it
        return runner.failed(claim, error, 0.0)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
