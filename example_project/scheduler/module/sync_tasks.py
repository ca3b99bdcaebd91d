"""The site's two main tasks: read the projects file into the database, and write the day's report about it."""

import csv
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from django_sched_tasks import current_execution
from scheduler.models import DailyReport, Project

PROJECTS_FILE = Path(__file__).resolve().parent.parent / "data" / "projects.csv"


class Row(NamedTuple):
    """One line of the projects file."""

    code: str
    name: str
    owner: str
    budget: Decimal


def sync_project_data() -> dict[str, int]:
    """Make the database's projects those of the file: create, update and close, all or nothing."""
    rows = _read_projects(Path(getattr(settings, "PROJECTS_FILE", PROJECTS_FILE)))
    with transaction.atomic():
        known = {project.code: project for project in Project.objects.select_for_update()}
        counts = {"created": 0, "updated": 0, "closed": 0, "unchanged": 0}
        for row in rows:
            counts[_save(row, known.pop(row.code, None))] += 1
        counts["closed"] = _close(known.values())
    return counts


def daily_report() -> str:
    """Write the report of the day that this run is for, and return the address where it can be opened."""
    day = _day_of_this_run()
    totals = _totals()
    report, _ = DailyReport.objects.update_or_create(day=day, defaults={"summary": _in_words(totals), "totals": totals})
    return report.get_absolute_url()


def _read_projects(path: Path) -> list[Row]:
    """The rows of the file, or an error that says which line is wrong and why."""
    rows: dict[str, Row] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for number, line in enumerate(csv.DictReader(file), start=2):
            row = _read_line(number, {key: (value or "").strip() for key, value in line.items() if key})
            if row.code in rows:
                raise ValueError(f"line {number}: code {row.code!r} stands twice.")
            rows[row.code] = row
    return list(rows.values())


def _read_line(number: int, line: dict[str, str]) -> Row:
    code, name, budget = line.get("code", ""), line.get("name", ""), line.get("budget", "")
    if not code or not name:
        raise ValueError(f"line {number}: a project needs a code and a name.")
    try:
        amount = Decimal(budget or "0").quantize(Decimal("0.01"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError(f"line {number}: budget {budget!r} is not an amount.")
    return Row(code, name, line.get("owner", ""), amount)


def _save(row: Row, project: Project | None) -> str:
    wanted = {**row._asdict(), "status": Project.Status.ACTIVE}
    if project is None:
        Project.objects.create(**wanted)
        return "created"
    if all(getattr(project, field) == value for field, value in wanted.items()):
        return "unchanged"
    for field, value in wanted.items():
        setattr(project, field, value)
    project.save()
    return "updated"


def _close(projects: Iterable[Project]) -> int:
    left = [project for project in projects if project.status != Project.Status.CLOSED]
    for project in left:
        project.status = Project.Status.CLOSED
        project.save()
    return len(left)


def _day_of_this_run() -> date:
    """The day of the fire time: a report that runs late is still the report of its day."""
    execution = current_execution()
    return timezone.localdate(execution.fire_at if execution else None)


def _totals() -> dict[str, Any]:
    active = [project for project in Project.objects.all() if project.status == Project.Status.ACTIVE]
    owners: dict[str, Decimal] = {}
    for project in active:
        owners[project.owner or "nobody"] = owners.get(project.owner or "nobody", Decimal(0)) + project.budget
    return {
        "active": len(active),
        "closed": Project.objects.filter(status=Project.Status.CLOSED).count(),
        "budget": str(sum(owners.values(), Decimal(0))),
        "owners": {owner: str(budget) for owner, budget in sorted(owners.items(), key=lambda item: -item[1])},
    }


def _in_words(totals: dict[str, Any]) -> str:
    return (
        f"{totals['active']} active projects of {len(totals['owners'])} owners with a budget of "
        f"{Decimal(totals['budget']):,.2f}; {totals['closed']} closed."
    )
