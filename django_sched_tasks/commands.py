"""A management command as a function that may be scheduled: only those that ``COMMANDS`` of the settings names.

With an empty ``COMMANDS``, which is the default, this function cannot be scheduled at all.
"""

from __future__ import annotations

from django.core.management import call_command

from django_sched_tasks import registry
from django_sched_tasks.exceptions import SchedTasksError


def run_command(name: str, *arguments: str | float) -> None:
    """Run a management command that the setting COMMANDS names, with arguments as on a command line."""
    if found := registry.command_problem(name):
        raise SchedTasksError(found)
    call_command(name, *map(str, arguments))
