"""What a run has measured, read back from its JSON, and what the project demands of itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import OURS

APSCHEDULER, BEAT, PGQUEUER = "apscheduler", "celery-beat", "pgqueuer"


class Results:
    """The JSON of ``python -m benchmarks``."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.rows: list[dict[str, Any]] = data["rows"]

    @classmethod
    def read(cls, path: Path) -> Results:
        return cls(json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of a row, or the sum of several."""

    scenario: str
    database: str
    size: int
    keys: Sequence[str]
    contender: str = OURS

    def read(self, results: Results) -> float | None:
        for row in results.rows:
            if (row["scenario"], row["database"], row["size"], row["contender"]) == (
                *(self.scenario, self.database, self.size),
                self.contender,
            ):
                values = [row.get("figures", {}).get(key) for key in self.keys]
                return None if None in values else sum(values)
        return None


@dataclass(frozen=True, slots=True)
class Target:
    """A demand on a figure, or on its ratio to (or difference from) another one of the same run.

    Args:
        what: for people to read.
        cell: the figure.
        least, most: between these it must lie.
        to: it is divided by this figure.
        beyond: this figure is subtracted from it.
        form: how it is written.
    """

    what: str
    cell: Cell
    least: float | None = None
    most: float | None = None
    to: Cell | None = None
    beyond: Cell | None = None
    form: str = "{:,.2f}"

    def read(self, results: Results) -> float | None:
        """None where one of the figures was not measured."""
        value = self.cell.read(results)
        if value is None:
            return None
        if self.to is not None:
            other = self.to.read(results)
            return value / other if other else None
        if self.beyond is not None:
            other = self.beyond.read(results)
            return None if other is None else value - other
        return value

    def is_met(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    @property
    def demand(self) -> str:
        limits = [("at least", self.least), ("at most", self.most)]
        return " and ".join(f"{word} {self.form.format(limit)}" for word, limit in limits if limit is not None)


def _burst(database: str, *keys: str, contender: str = OURS) -> Cell:
    return Cell("burst", database, 5_000, keys, contender)


def _several(nodes: int) -> Cell:
    return Cell("several", "postgresql", nodes, ("rate",))


def _idle(count: int, key: str, database: str = "postgresql") -> Cell:
    return Cell("idle", database, count, (key,))


def _steady(key: str, contender: str = OURS) -> Cell:
    return Cell("steady", "postgresql", 1_000, (key,), contender)


def _kill(key: str) -> Cell:
    return Cell("kill", "postgresql", 100, (key,))


def _history(size: int, key: str) -> Cell:
    return Cell("history", "postgresql", size, (key,))


def _api(key: str) -> Cell:
    return Cell("api", "postgresql", 10_000, (key,))


CPU = ("cpu_ms", "server_cpu_ms")
TIMES = "{:,.2f} times"
TARGETS = (
    Target(
        "burst of 5,000, PostgreSQL: runs/s, to bare APScheduler's",
        _burst("postgresql", "rate"),
        least=2,
        to=_burst("postgresql", "rate", contender=APSCHEDULER),
        form=TIMES,
    ),
    Target(
        "the same, to Celery beat's",
        _burst("postgresql", "rate"),
        least=10,
        to=_burst("postgresql", "rate", contender=BEAT),
        form=TIMES,
    ),
    Target(
        "the same, to pgqueuer's (an aim)",
        _burst("postgresql", "rate"),
        least=1,
        to=_burst("postgresql", "rate", contender=PGQUEUER),
        form=TIMES,
    ),
    Target(
        "CPU of a run, all processes, to bare APScheduler's",
        _burst("postgresql", *CPU),
        most=1,
        to=_burst("postgresql", *CPU, contender=APSCHEDULER),
        form=TIMES,
    ),
    Target("statements of a run", _burst("postgresql", "statements"), most=0.5),
    Target(
        "burst of 5,000, SQLite: runs/s, to bare APScheduler's",
        _burst("sqlite", "rate"),
        least=1,
        to=_burst("sqlite", "rate", contender=APSCHEDULER),
        form=TIMES,
    ),
    Target(
        "burst of 5,000, MariaDB: runs/s, to Celery beat's",
        _burst("mariadb", "rate"),
        least=5,
        to=_burst("mariadb", "rate", contender=BEAT),
        form=TIMES,
    ),
    Target("two nodes, PostgreSQL: runs/s, to one node's", _several(2), least=1, to=_several(1), form=TIMES),
    Target("four nodes: the same", _several(4), least=1, to=_several(1), form=TIMES),
    Target(
        "four nodes: lost and double runs",
        Cell("several", "postgresql", 4, ("lost", "double")),
        most=0,
        form="{:,.0f}",
    ),
    Target("steady, PostgreSQL: fire times run", _steady("done"), least=1, form="{:.1%}"),
    Target(
        "steady: how late 99 % are at most, to bare APScheduler's",
        _steady("p99"),
        most=0.33,
        to=_steady("p99", APSCHEDULER),
        form=TIMES,
    ),
    Target("idle with 100,000 tasks, PostgreSQL: ready after", _idle(100_000, "ready"), most=1, form="{:,.2f} s"),
    Target(
        "the same: memory beyond that with 1,000",
        _idle(100_000, "memory"),
        most=5,
        beyond=_idle(1_000, "memory"),
        form="{:,.1f} MB",
    ),
    Target("the same: CPU, of a core", _idle(100_000, "cpu"), most=0.005, form="{:.2%}"),
    Target("the same: statements a minute", _idle(100_000, "statements"), most=20, form="{:,.0f}"),
    Target("the same on MariaDB, without `NOTIFY`", _idle(100_000, "statements", "mariadb"), most=90, form="{:,.0f}"),
    Target(
        "an edit by another process, PostgreSQL: half are acted on after",
        Cell("change", "postgresql", 10_000, ("p50",)),
        most=0.05,
        form="{:,.3f} s",
    ),
    Target(
        "the same on MariaDB, within `POLL_INTERVAL`",
        Cell("change", "mariadb", 10_000, ("p50",)),
        most=1,
        form="{:,.3f} s",
    ),
    Target("one of two killed, PostgreSQL: fire times untold", _kill("unaccounted"), most=0, form="{:,.0f}"),
    Target("the same: double runs", _kill("double"), most=0, form="{:,.0f}"),
    Target("the same: the other carries on after", _kill("carries_on"), most=1, form="{:,.2f} s"),
    Target("API: a page of 50 of 10,000, to an empty list", _api("page_ratio"), most=5, form=TIMES),
    Target("API: a creation, to a bare insertion", _api("create_ratio"), most=5, form=TIMES),
    *(
        Target(
            f"10 million executions, PostgreSQL: {what}, to that with 1,000",
            _history(10_000_000, key),
            most=1.5,
            to=_history(1_000, key),
            form=TIMES,
        )
        for what, key in (("a claim", "claim_ms"), ("a page", "page_ms"), ("a purge", "prune_ms"))
    ),
)
