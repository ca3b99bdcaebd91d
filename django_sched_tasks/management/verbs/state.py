"""``schedtasks maintenance``, ``exclusions``, ``environment``: what holds for the whole scheduler."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.core.management.base import CommandError, OutputWrapper
from django.utils.translation import gettext as _

from django_sched_tasks import database, exclusions, operations
from django_sched_tasks.management.verbs.base import Verb, instant, read_json, show
from django_sched_tasks.management.verbs.steer import add_user

HOLDS = 1
LONGEST = 366 * 24 * 60.0  # minutes


class Maintenance(Verb):
    help: ClassVar[str] = (
        "Let nodes plan and claim nothing until an instant, or end that; without options it says how things stand."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        until = parser.add_mutually_exclusive_group()
        until.add_argument("--until", help="Until this ISO 8601 instant; without an offset in the site's time zone.")
        until.add_argument("--minutes", type=float, help="For so many minutes from now on.")
        until.add_argument("--end", action="store_true", help="Go on now.")
        parser.add_argument("--note", default="", help="Why, for people to read.")
        add_user(parser)

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        until = _until(options)
        if options["end"]:
            state = operations.end_maintenance(user=options["user"])
        elif until is not None:
            state = operations.start_maintenance(until, note=options["note"], user=options["user"])
        else:
            state = operations.scheduler_state()
        now = database.now()
        is_on = state.is_in_maintenance(now)
        data = {
            "active": is_on,
            "until": state.maintenance_until if is_on else None,
            "note": state.maintenance_note if is_on else "",
            "by": state.maintenance_by if is_on else "",
        }
        show(options, out, [operations.maintenance_in_words(state, now) or _("No maintenance.")], data)
        return 0


def _until(options: Mapping[str, Any]) -> datetime | None:
    if options["minutes"] is not None:
        if not 0 < options["minutes"] < LONGEST:  # nan is neither
            raise CommandError(_("--minutes is %s; give a number above 0.") % options["minutes"])
        return database.now() + timedelta(minutes=options["minutes"])
    return instant("--until", options["until"]) if options["until"] else None


class Exclusions(Verb):
    help: ClassVar[str] = "Show the dates and windows that are excluded for all tasks, or set them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--set", dest="value", type=read_json("a list", list), help="A JSON list in place of the present one."
        )
        add_user(parser)

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        if options["value"] is None:
            state = operations.scheduler_state()
        else:
            state = operations.set_exclusions(options["value"], user=options["user"])
        lines = exclusions.describe(state.exclusions) or [_("Nothing is excluded for all tasks.")]
        show(options, out, lines, state.exclusions)
        return 0


class Environment(Verb):
    help: ClassVar[str] = (
        "Say which environment the database belongs to; exit code 1 where nodes hold since it is another one. With "
        "--confirm it belongs to that of this site from now on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--confirm",
            action="store_true",
            help="It is ours: cancel what was queued or running in it, let its past fire times go, and begin.",
        )
        add_user(parser)

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        done = operations.Confirmation(operations.environment())
        if options["confirm"]:
            done = operations.confirm_environment(user=options["user"])
        found = done.environment
        data: dict[str, Any] = {"recorded": found.recorded or None, "here": found.here or None, "fits": found.fits}
        lines = [
            _("database: %s") % (found.recorded or _("not set")),
            _("here: %s") % (found.here or _("not set")),
            *([found.problem] if found.problem else []),
        ]
        if options["confirm"]:
            data |= {"cancelled": done.cancelled, "let_go": done.let_go}
            text = _("Executions cancelled: %(cancelled)d. Tasks whose past fire times were let go: %(let_go)d.")
            lines.append(text % {"cancelled": done.cancelled, "let_go": done.let_go})
        show(options, out, lines, data)
        return 0 if found.fits else HOLDS
