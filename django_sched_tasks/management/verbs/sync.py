"""``schedtasks sync``: the rows of what ``@scheduled`` declares in code."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from django.core.management.base import OutputWrapper
from django.db import DatabaseError

from django_sched_tasks import database, operations
from django_sched_tasks.management.verbs.base import Verb, find_task, show
from django_sched_tasks.operations import SyncAction, Synced

logger = logging.getLogger("django_sched_tasks")


class Sync(Verb):
    help: ClassVar[str] = (
        "Make the tasks that @scheduled declares in code and bring them up to date; what people have changed stays. "
        "Exit code 1 when a declaration was refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")
        parser.add_argument(
            "--reset",
            metavar="TASK",
            action="append",
            default=[],
            help="Give this task (id or job id) its declared values.",
        )

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        if not options["dry_run"]:
            for name in options["reset"]:
                operations.reset_to_declared(find_task(name).pk, user=operations.declared.USER)
        results = operations.sync_declared(dry_run=options["dry_run"])
        show(options, out, _lines(results), [asdict(result) for result in results])
        return 1 if any(result.action == SyncAction.REFUSED for result in results) else 0


def _lines(results: Sequence[Synced]) -> Iterator[str]:
    for result in results:
        yield f"{result.action:<9} {result.job_id}{_details(result)}"
        for name, both in result.drift.items():
            yield f"{'':<9}   {name} is {both['task']!r} here, {both['code']!r} in code"


def _details(result: Synced) -> str:
    if result.error:
        return f": {result.error}"
    return f": {', '.join(result.changes)}" if result.action == SyncAction.UPDATED else ""


def after_migrate(verbosity: int) -> None:
    """A deploy must not fail for a declaration, nor for tables that were just taken away."""
    try:
        results = operations.sync_declared()
    except DatabaseError as error:
        if not database.is_unmigrated(error):
            logger.exception("The tasks that are declared in code could not be synced.")
        return
    for result in results:
        if result.action == SyncAction.REFUSED:
            logger.error("The declaration of %s was refused: %s", result.job_id, result.error)
        elif result.action != SyncAction.UNCHANGED and verbosity:
            logger.info("Declared in code: %s %s.", result.job_id, result.action)
