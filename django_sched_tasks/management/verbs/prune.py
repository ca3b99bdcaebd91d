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
    help: ClassVar[str] = "Delete executions that ended long ago, in small batches; what is deleted stays counted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=float, help="How long ago; RETENTION of the settings unless given.")

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        days = conf.retention_days() if options["days"] is None else options["days"]
        if days is None or not days >= 0:  # nan is not either
            raise CommandError(_("Give --days, 0 or more: RETENTION of the settings keeps all."))
        deleted = operations.prune(days)
        show(options, out, [f"{deleted} executions deleted"], {"deleted": deleted})
        return 0
