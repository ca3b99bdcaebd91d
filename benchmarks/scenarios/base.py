"""What a scenario is, and what several have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

from benchmarks.trial import Broken, Trial

Figures: TypeAlias = dict[str, float | None]


class TooLate(Broken):
    """The tasks were due before the contender was ready: more time is needed between the two."""


@dataclass(frozen=True, slots=True)
class Column:
    """One figure of a row.

    Args:
        key: its name in the JSON.
        heading: in tables.
        form: how it is written, as ``str.format`` has it; for a share, ``{:.0%}``.
        worst: of several rounds the largest is told instead of the median.
    """

    key: str
    heading: str
    form: str = "{:,.0f}"
    worst: bool = False

    def combine(self, values: Sequence[float | None]) -> float | None:
        told = [value for value in values if value is not None]
        if not told:
            return None
        return max(told) if self.worst else median(told)

    def write(self, value: float | None) -> str:
        return "–" if value is None else self.form.format(value)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that is measured, in several sizes.

    Args:
        name: in options and the JSON.
        title: above its tables.
        size: what a size counts.
        sizes: those that are measured unless others are given.
        smoke: the one that only tries whether everything works.
        measure: takes a trial with an empty database, a size, and the hurry.
        columns: its figures.
        for_peers: whether peers can take part.
    """

    name: str
    title: str
    size: str
    sizes: Sequence[int]
    smoke: int
    measure: Callable[[Trial, int, Hurry], Figures]
    columns: Sequence[Column]
    for_peers: bool = True


@dataclass(frozen=True, slots=True)
class Hurry:
    """How long things last: less when only trying whether they work.

    Args:
        lead: seconds from storing the tasks to when they are due, for processes to start; more tasks get more.
        seconds: how long a measurement of something steady lasts.
        edits: how many edits are tried.
        requests: how many requests of each kind are made.
        shared: how many tasks several nodes share.
    """

    lead: float = 8.0
    seconds: int = 30
    edits: int = 40
    requests: int = 150
    shared: int = 2_000

    def due(self, count: int) -> float:
        """When tasks that are stored now are due: on a whole second, as an interval counts."""
        return float(int(time.time() + self.lead + count / 1000) + 1)


NORMAL = Hurry()
QUICK = Hurry(lead=4.0, seconds=3, edits=2, requests=3, shared=20)


def must_be_early(trial: Trial, due: float) -> None:
    if time.time() > due:
        raise TooLate(f"{trial.contender.name} was ready {time.time() - due:.1f} s after its tasks were due.")
