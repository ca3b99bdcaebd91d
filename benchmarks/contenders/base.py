"""What a contender must be able to do. Each is one small module that leaves measuring to others."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, ClassVar

ALL_DATABASES = frozenset({"postgresql", "mariadb", "sqlite"})
YEAR = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Order:
    """The tasks that a trial stores: numbered from 1, all due at the same instants. The overdue canary is number 0.

    Args:
        count: how many.
        first: when they are due for the first time, in seconds since the epoch.
        every: how many seconds lie between two fire times.
        times: how many fire times each has, where the contender can be told; 0: no end, and one that matters.
        seconds: how long the function takes.
        patient: that nothing is dropped for being late.
    """

    count: int
    first: float
    every: int = YEAR
    times: int = 0
    seconds: float = 0.0
    patient: bool = False

    @property
    def last(self) -> float | None:
        return self.first + self.every * (self.times - 1) if self.times else None

    @property
    def due(self) -> dict[int, list[float]]:
        """The fire times by number of the task."""
        times = [self.first + self.every * index for index in range(self.times or 1)]
        return dict.fromkeys(range(1, self.count + 1), times)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Contender(ABC):
    """One way to have tasks scheduled. Every method but ``commands`` is called in a process of the contender's own."""

    name: ClassVar[str]
    title: ClassVar[str]  # for tables
    databases: ClassVar[frozenset[str]] = ALL_DATABASES
    scenarios: ClassVar[frozenset[str] | None] = None  # those that it can take part in; None: all that are for peers
    modules: ClassVar[Sequence[str]] = ()  # what must be installed
    packages: ClassVar[Sequence[str]] = ()  # whose versions are told
    uses_django: ClassVar[bool] = True
    is_counted: ClassVar[bool] = True  # whether its statements go through what counts them
    keeps_to_times: ClassVar[bool] = True  # whether a task can be told when its last fire time is
    apps: ClassVar[Sequence[str]] = ()
    settings: ClassVar[Mapping[str, Any]] = {}

    def missing(self) -> list[str]:
        """The modules that are not installed."""
        return [module for module in self.modules if find_spec(module) is None]

    def commands(self) -> list[list[str]]:
        """The processes that make up one node."""
        return [[sys.executable, "-m", "benchmarks.stage", self.name, "serve"]]

    def prepare(self) -> None:
        """Make the tables."""
        from django.core.management import call_command

        call_command("migrate", run_syncdb=True, verbosity=0)

    @abstractmethod
    def store(self, order: Order) -> None:
        """Store the canary and the tasks, as fast as the contender's tables allow."""

    @abstractmethod
    def serve(self) -> None:
        """Be a node until killed."""

    def open_editor(self) -> None:  # noqa: B027 - most need nothing
        """Be a process from which :meth:`edit` works."""

    def edit(self, number: int) -> float:
        """Have this task run now; answers when it was due."""
        raise NotImplementedError

    def accounted(self) -> int | None:
        """For how many fire times of the tasks there is a row that says what became of them; None: it keeps none."""
        return None
