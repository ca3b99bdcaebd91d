"""``manage.py runscheduler``: a scheduler of its own, beside the web servers or instead of theirs."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError
from django.utils import autoreload

from django_sched_tasks import database, service
from django_sched_tasks.exceptions import SchedTasksError


class Command(BaseCommand):
    help = (
        "Run a scheduler until SIGTERM or SIGINT. The first signal lets running functions end, a second does not wait. "
        "Exit codes: 0 all runs have ended, 1 it failed, 3 it stopped before all had ended (they are told as lost)."
    )
    requires_system_checks = ()  # an unmigrated database is waited for, or told

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--queues",
            help="Serve only these queues, separated by commas, each with its slots if need be: etl:2,mail. "
            "Those of QUEUES, else all of them, unless given.",
        )
        parser.add_argument(
            "--grace", type=float, help="Seconds that running functions get to end; SHUTDOWN_GRACE unless given."
        )
        parser.add_argument(
            "--once",
            action="store_true",
            help="Run all that is due now, then end; a database that does not answer is not waited for.",
        )
        parser.add_argument(
            "--reload",
            action=BooleanOptionalAction,
            default=settings.DEBUG,
            help="Start anew when code changes; by default with DEBUG.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        queues = _parse_queues(options["queues"])
        if options["grace"] is not None and not options["grace"] >= 0:  # nan is not either
            raise CommandError(f"--grace is {options['grace']}; give 0 or more seconds.")

        def run() -> None:
            self.stdout.write("The scheduler is starting; stop it with Ctrl-C or SIGTERM.")
            try:
                code = service.run_scheduler(queues=queues, grace=options["grace"], once=options["once"])
            except SchedTasksError as error:
                raise CommandError(str(error)) from error
            except (DatabaseError, InterfaceError) as error:
                raise CommandError(database.trouble(error)) from error
            if code:
                sys.exit(code)

        if options["reload"] and not options["once"]:
            autoreload.run_with_reloader(run)
        else:
            run()


def _parse_queues(text: str | None) -> dict[str, int | None] | None:
    if text is None:
        return None
    queues: dict[str, int | None] = {}
    for part in text.split(","):
        name, colon, slots = (piece.strip() for piece in part.partition(":"))
        if not name or (colon and not (slots.isascii() and slots.isdigit() and int(slots))):
            raise CommandError(
                f"--queues is {text!r}; give names separated by commas, each with its slots where it may not take all, "
                "such as 'etl:2,mail'."
            )
        queues[name] = int(slots) if slots else None
    return queues
