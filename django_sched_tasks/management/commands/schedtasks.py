"""``manage.py schedtasks``: the operations from a command line, one verb for each."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from django_sched_tasks import database
from django_sched_tasks.exceptions import SchedTasksError
from django_sched_tasks.management.verbs import VERBS
from django_sched_tasks.models import SchedulerTask, TaskExecution


class Command(BaseCommand):
    help = (
        "Look at scheduled tasks and steer them. Exit codes: 0 done, 1 it is not well or was refused, 2 the command "
        "line is not right. A database that does not answer, or without our tables, is 1 too."
    )
    requires_system_checks = ()  # a monitor must get its answer whatever else is wrong with the site

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="verb", required=True)
        for name, verb in VERBS.items():
            own = verbs.add_parser(name, help=verb.help, description=verb.help)
            own.add_argument("--format", choices=("text", "json"), default="text", help="For people, or for programs.")
            verb.add_arguments(own)

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        try:
            code = VERBS[verb].run(options, self.stdout)
        except (SchedTasksError, SchedulerTask.DoesNotExist, TaskExecution.DoesNotExist) as error:
            raise CommandError(str(error)) from error
        except (DatabaseError, InterfaceError) as error:
            raise CommandError(database.trouble(error)) from error
        if code:
            sys.exit(code)
