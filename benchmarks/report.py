"""Figures as tables: one for each scenario and size, a row for each contender and database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contenders import CONTENDERS
from benchmarks.scenarios import SCENARIOS

DATABASES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "sqlite": "SQLite"}


@dataclass(frozen=True, slots=True)
class Table:
    """A title, headings, and rows of cells."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def as_text(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.headings, *self.rows, strict=True)]
        lines = [self.title, _aligned(self.headings, widths), "  ".join("-" * width for width in widths)]
        return "\n".join([*lines, *(_aligned(row, widths) for row in self.rows)])

    def as_markdown(self) -> str:
        marks = ["---", "---", *["---:"] * (len(self.headings) - 2)]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in [self.headings, marks, *self.rows])


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, second, *rest = (
        cell.ljust(width) if index < 2 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, second, *rest]).rstrip()


def tables(rows: Iterable[dict[str, Any]]) -> list[Table]:
    """What has been measured, in the order of the scenarios."""
    found = list(rows)
    return [
        table(name, size, [row for row in found if (row["scenario"], row["size"]) == (name, size)])
        for name in SCENARIOS
        for size in sorted({row["size"] for row in found if row["scenario"] == name})
    ]


def table(name: str, size: int, rows: Sequence[dict[str, Any]]) -> Table:
    scenario = SCENARIOS[name]
    order = [(vendor, contender) for vendor in DATABASES for contender in CONTENDERS]
    ordered = sorted(rows, key=lambda row: order.index((row["database"], row["contender"])))
    cells = [
        [
            DATABASES[row["database"]],
            CONTENDERS[row["contender"]].title,
            *(
                [row["error"].splitlines()[0], *[""] * (len(scenario.columns) - 1)]
                if row.get("error")
                else [column.write(row["figures"].get(column.key)) for column in scenario.columns]
            ),
        ]
        for row in ordered
    ]
    headings = ["database", "", *(column.heading for column in scenario.columns)]
    return Table(f"{scenario.title}: {size:,} {scenario.size}", headings, cells)
