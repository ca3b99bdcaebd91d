"""Put the figures of a run into the documentation: ``python -m benchmarks.publish [RESULTS]``.

Whatever stands between two marks of the page is written anew; nobody writes a figure by hand.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from benchmarks import chart, report
from benchmarks.results import TARGETS, Results, Target
from benchmarks.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "explanation" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "performance.svg"
PICTURED = 5_000  # tasks of the burst that the picture shows

MARKED = re.compile(r"(?<=<!-- figures: )(\w+)( -->\n)(.*?)(?=<!-- end of figures -->)", re.DOTALL)


def main(path: Path = RESULTS) -> None:
    results = Results.read(path)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
    PICTURE.write_text(chart.draw(results.rows, PICTURED), encoding="utf-8")


def filled(page: str, results: Results) -> str:
    """The page with these figures between its marks."""

    def part(match: re.Match[str]) -> str:
        name = match[1]
        makers = {"made": made, "targets": targets}
        text = makers[name](results) if name in makers else tables(name, results)
        return f"{name}{match[2]}\n{text}\n\n"

    return MARKED.sub(part, page)


def made(results: Results) -> str:
    """When and on what, in a sentence."""
    data, machine = results.data, results.data["machine"]
    place = f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}"
    servers = ", ".join(data["servers"].values())
    versions = ", ".join(f"{name} {version}" for name, version in data["packages"].items())
    rounds = "one round" if data["rounds"] == 1 else f"the median of {data['rounds']} rounds"
    text = (
        f"Measured on {data['began'][:10]}: {rounds}; steady, idle and kill lasted {data['seconds']} s. "
        f"Machine: {place}, under a load of {machine['load']:g} when it began. "
        f"Servers on the same machine: {servers}. Python {machine['python']}, {versions}."
    )
    return textwrap.fill(text, 118, break_on_hyphens=False)


def targets(results: Results) -> str:
    head = ["| what | demanded | measured | |", "| --- | --- | ---: | --- |"]
    return "\n".join([*head, *(_target(target, results) for target in TARGETS)])


def _target(target: Target, results: Results) -> str:
    value = target.read(results)
    if value is None:
        return f"| {target.what} | {target.demand} | – | not measured |"
    verdict = "met" if target.is_met(value) else "**missed**"
    return f"| {target.what} | {target.demand} | {target.form.format(value)} | {verdict} |"


def tables(scenario: str, results: Results) -> str:
    """All sizes of a scenario."""
    if scenario not in SCENARIOS:
        raise ValueError(f"The page asks for figures of {scenario!r}; there are {', '.join(SCENARIOS)}.")
    rows = [row for row in results.rows if row["scenario"] == scenario]
    shown = [f"{table.title}\n\n{table.as_markdown()}" for table in report.tables(rows)]
    days = sorted({row["measured"] for row in rows if "measured" in row})
    if days:
        some = "These" if all("measured" in row for row in rows) else "Some of these"
        shown.append(f"{some} were measured on {', '.join(days)}, apart from the run of the other tables.")
    return "\n\n".join(shown) or "Not measured."


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
