"""``schedtasks prune``: delete old history now."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandError, OutputWrapper
from django.utils.translation import gettext as _

from django_sched_tasks import conf, operations
from django_sched_tasks.management.verbs.base import Verb, show


class Prune(Verb):
    help: ClassVar[str] = "Delete executions that are kept no longer, in small batches; what is deleted stays counted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=float, help="Those that ended longer ago; RETENTION's days unless given.")
        parser.add_argument("--count", type=int, help="Of each task all but so many; RETENTION's count unless given.")
        parser.add_argument("--dry-run", action="store_true", help="Only say how many; delete nothing.")

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        days = conf.retention_days() if options["days"] is None else options["days"]
        count = conf.retention_count() if options["count"] is None else options["count"]
        if days is not None and not days >= 0:  # nan is not either
            raise CommandError(_("--days must be 0 or more."))
        if count is not None and count < 0:
            raise CommandError(_("--count must be 0 or more."))
        pruned = operations.prune(days, count=count, dry_run=options["dry_run"])
        what = "would be deleted" if options["dry_run"] else "deleted"
        data = {"deleted": 0 if options["dry_run"] else pruned, "dry_run": options["dry_run"], "expired": pruned}
        show(options, out, [f"{pruned} executions {what}"], data)
        return 0
