"""Measure contenders in scenarios on databases, in turns, and tell what came out as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.contenders import CONTENDERS, OURS, Contender
from benchmarks.scenarios import NORMAL, QUICK, SCENARIOS, Figures, Hurry, Scenario, TooLate
from benchmarks.trial import Broken, Trial

ATTEMPTS = 4

Key = tuple[str, str, int, str]  # scenario, database, size, contender


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    for name in options.contender:
        if missing := CONTENDERS[name].missing():
            print(f"{name} is left out: {', '.join(missing)} cannot be imported (see benchmarks/requirements.txt).")
    hurry = QUICK if options.smoke else replace(NORMAL, seconds=options.seconds)
    results = run(options, hurry)
    for table in report.tables(results["rows"]):
        print(f"\n{table.as_text()}")
    return int(any(row.get("error") for row in results["rows"]))


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--scenario", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    options.add_argument("--database", nargs="+", choices=list(report.DATABASES), default=list(report.DATABASES))
    options.add_argument("--contender", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    options.add_argument(
        "--size",
        nargs="+",
        type=int,
        help="of tasks (in several of nodes, in history of executions), instead of a scenario's own sizes",
    )
    options.add_argument("--rounds", type=int, default=1, help="how often; the median is told, of faults the most")
    options.add_argument("--seconds", type=int, default=NORMAL.seconds, help="how long steady, idle and kill last")
    options.add_argument("--checkout", type=Path, help="the folder that django_sched_tasks is taken from")
    options.add_argument("--json", type=Path, help="the file to write what came out to")
    options.add_argument(
        "--add", action="store_true", help="keep what the JSON file tells of other trials: a run in several parts"
    )
    options.add_argument("--smoke", action="store_true", help="tiny sizes: only try whether all of it works")
    return options


def run(options: argparse.Namespace, hurry: Hurry) -> dict[str, Any]:
    """Measure; contenders take turns within each round, so that all of them meet the same machine."""
    results, kept = _begun(options)
    found: dict[Key, list[Figures]] = defaultdict(list)
    errors: dict[Key, str] = {}
    for _round in range(options.rounds):
        for scenario, vendor, size, contender in _trials(options):
            key = (scenario.name, vendor, size, contender.name)
            print(f"{datetime.now(UTC):%H:%M:%S}  {' '.join(map(str, key))}", end="  ", flush=True)
            try:
                figures = measure(scenario, vendor, size, contender, hurry=hurry, checkout=options.checkout)
            except Broken as error:
                errors[key] = str(error).splitlines()[0]
                print(f"broken: {error}", flush=True)
            else:
                found[key].append(figures)
                print(_in_short(scenario, figures), flush=True)
            told = {key: _row(key, found[key], errors.get(key)) for key in found | errors}
            results["rows"] = list((kept | told).values())
            _write(results, options.json)
    return results


def _begun(options: argparse.Namespace) -> tuple[dict[str, Any], dict[Key, dict[str, Any]]]:
    """What is told of the run, and the rows of its earlier parts; those of another day say so."""
    made = _made(options)
    if not (options.add and options.json and options.json.exists()):
        return {**made, "rows": []}, {}
    earlier = json.loads(options.json.read_text(encoding="utf-8"))
    both = {name: earlier[name] | made[name] for name in ("servers", "packages")}
    rows = {(row["scenario"], row["database"], row["size"], row["contender"]): row for row in earlier["rows"]}
    if earlier["began"][:10] == made["began"][:10]:
        return {**earlier, **both}, rows
    day = {"measured": earlier["began"][:10]}
    return {**made, **both}, {key: day | row for key, row in rows.items()}


def _write(results: dict[str, Any], path: Path | None) -> None:
    """After each trial, so that a run that is broken off has told what it had."""
    results["ended"] = _now()
    if path:
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _trials(options: argparse.Namespace) -> Iterator[tuple[Scenario, str, int, Contender]]:
    for scenario in (SCENARIOS[name] for name in options.scenario):
        for vendor in options.database:
            for size in [scenario.smoke] if options.smoke else options.size or scenario.sizes:
                for contender in (CONTENDERS[name] for name in options.contender):
                    if _takes_part(contender, scenario, vendor):
                        yield scenario, vendor, size, contender


def _takes_part(contender: Contender, scenario: Scenario, vendor: str) -> bool:
    return (
        vendor in contender.databases
        and (scenario.for_peers or contender.name == OURS)
        and (contender.scenarios is None or scenario.name in contender.scenarios)
        and not contender.missing()
    )


def measure(
    scenario: Scenario, vendor: str, size: int, contender: Contender, *, hurry: Hurry, checkout: Path | None = None
) -> Figures:
    """One trial; again with more time to get ready where the machine was too slow."""
    for attempt in range(ATTEMPTS):
        patient = replace(hurry, lead=hurry.lead * 2**attempt)
        try:
            with tempfile.TemporaryDirectory() as folder, Trial(contender, vendor, Path(folder), checkout) as trial:
                return scenario.measure(trial, size, patient)
        except TooLate:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("The last attempt answers or raises.")


def _in_short(scenario: Scenario, figures: Figures) -> str:
    return ", ".join(f"{column.heading} {column.write(figures.get(column.key))}" for column in scenario.columns)


def _row(key: Key, rounds: Sequence[Figures], error: str | None) -> dict[str, Any]:
    scenario, vendor, size, contender = key
    row: dict[str, Any] = {"scenario": scenario, "database": vendor, "size": size, "contender": contender}
    if error is not None:
        return {**row, "error": error}
    columns = SCENARIOS[scenario].columns
    figures = {column.key: column.combine([one.get(column.key) for one in rounds]) for column in columns}
    return {**row, "figures": figures, "rounds": list(rounds)}


def _made(options: argparse.Namespace) -> dict[str, Any]:
    packages = {package: None for name in options.contender for package in CONTENDERS[name].packages}
    return {
        "began": _now(),
        "machine": machine.describe(),
        "servers": {vendor: _server(vendor) for vendor in options.database},
        "packages": machine.versions(packages),
        "rounds": options.rounds,
        "seconds": options.seconds,
    }


def _server(vendor: str) -> str:
    try:
        return machine.describe_server(vendor)
    except Exception as error:
        others = "POSTGRES_URL and MARIADB_URL name other servers, --database leaves one out."
        raise SystemExit(f"{report.DATABASES[vendor]} cannot be reached: {error}\n{others}") from None


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as Ctrl-C does: processes and databases are cleared away
    sys.exit(main())
