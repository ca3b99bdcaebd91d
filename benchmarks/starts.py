"""What every function writes when it starts, and what is counted from that alone.

One line of a fixed length, appended by one system call, so that no line of any process or thread breaks another one.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "BENCHMARK_STARTS"
LINE = "{number:>9d} {fire_at:>17.6f} {at:>17.6f} {pid:>9d}\n"
LENGTH = len(LINE.format(number=0, fire_at=0.0, at=0.0, pid=0))

LOADED = -1  # the number that a process writes when it has imported everything
CANARY = 0  # the task that is overdue from the beginning: its start says that a scheduler is ready

_descriptor: int | None = None


def write(number: int, fire_at: float = 0.0) -> None:
    """A start of a task by this process, now. ``fire_at`` is the nominal instant, where the function can know it."""
    global _descriptor
    if _descriptor is None:
        _descriptor = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(_descriptor, LINE.format(number=number, fire_at=fire_at, at=time.time(), pid=os.getpid()).encode())


@dataclass(frozen=True, slots=True)
class Start:
    """One line; ``fire_at`` is 0 where the function could not know it."""

    number: int
    fire_at: float
    at: float
    pid: int


class Starts:
    """The starts so far, read on from where the last reading ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loaded: list[Start] = []
        self.canary: list[Start] = []
        self.tasks: list[Start] = []
        self._offset = 0
        path.touch()

    def refresh(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = len(data) - len(data) % LENGTH
        self._offset += whole
        for line in data[:whole].decode().splitlines():
            number, fire_at, at, pid = line.split()
            start = Start(int(number), float(fire_at), float(at), int(pid))
            {LOADED: self.loaded, CANARY: self.canary}.get(start.number, self.tasks).append(start)


@dataclass(slots=True)
class Tally:
    """What became of the fire times: how many ran, never ran, ran again; and how late each first start was."""

    due: int = 0
    ran: int = 0
    double: int = 0
    lateness: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return self.due - self.ran


def tally(starts: Iterable[Start], due: Mapping[int, Sequence[float]]) -> Tally:
    """Settle starts against the fire times that were due, by number of the task.

    A start stands for the fire time that it names. One that names none stands for the latest before it that nobody has
    taken; that flatters a scheduler which runs late, never one which runs twice.
    """
    found = Tally(due=sum(len(times) for times in due.values()))
    by_task: dict[int, list[Start]] = defaultdict(list)
    for start in starts:
        by_task[start.number].append(start)
    for number, own in by_task.items():
        _settle(found, sorted(own, key=lambda start: start.at), due.get(number, ()))
    return found


def _settle(found: Tally, starts: Sequence[Start], times: Sequence[float]) -> None:
    free = sorted(times)
    for start in starts:
        taken = next((time for time in reversed(free) if _stands_for(start, time)), None)
        if taken is None:
            found.double += 1
            continue
        free.remove(taken)
        found.ran += 1
        found.lateness.append(start.at - taken)


def _stands_for(start: Start, fire_at: float) -> bool:
    if start.fire_at:
        return abs(start.fire_at - fire_at) < 0.001
    return fire_at <= start.at


def percentile(values: Sequence[float], part: float) -> float | None:
    """The value below which that part of them lies; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]
