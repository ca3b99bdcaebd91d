"""``schedtasks backfill``: run a task for fire times of the past."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.core.management.base import OutputWrapper

from django_sched_tasks import operations
from django_sched_tasks.management.verbs.base import Verb, find_task, instant, show


class Backfill(Verb):
    help: ClassVar[str] = "Queue a run for each fire time of a task in a past range, both ends included."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("task", help="The id or job id of the task.")
        parser.add_argument("start", help="ISO 8601, such as 2027-01-31 or 2027-01-31T09:00:00Z.")
        parser.add_argument("end", help="The same; at most now.")
        parser.add_argument(
            "--reprocess",
            choices=operations.Reprocess.values,
            default=operations.Reprocess.NONE.value,
            help="Which fire times run again: none that has run, those that failed, or all.",
        )
        parser.add_argument(
            "--limit", type=int, default=operations.BACKFILL_LIMIT, help="Refuse a range with more fire times."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say which fire times it would be.")

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        result = operations.backfill(
            find_task(options["task"]).pk,
            instant("start", options["start"]),
            instant("end", options["end"]),
            reprocess=options["reprocess"],
            limit=options["limit"],
            dry_run=options["dry_run"],
        )
        data = {
            "request": result.request,
            "count": len(result.fire_times),
            "left_out": result.left_out,
            "dry_run": options["dry_run"],
            "fire_times": [fire_at.isoformat() for fire_at in result.fire_times],
        }
        show(options, out, _lines(result, dry_run=options["dry_run"]), data)
        return 0


def _lines(result: operations.BackfillResult, *, dry_run: bool) -> Iterator[str]:
    if dry_run:
        yield from (fire_at.isoformat() for fire_at in result.fire_times)
    verb = "would be queued" if dry_run else f"queued as {result.request}" if result.request else "queued"
    yield f"{len(result.fire_times)} runs {verb}, {result.left_out} left out that have run already"
