"""``schedtasks add`` and ``edit``: what a task is, from options that name the usual whens in a word."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.core.management.base import CommandError, OutputWrapper
from django.db import models
from django.utils.translation import gettext as _

from django_sched_tasks import definitions, operations
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.management.verbs.base import Verb, find_task, read_json, show
from django_sched_tasks.management.verbs.look import task_data, task_lines
from django_sched_tasks.management.verbs.steer import add_user
from django_sched_tasks.models import SchedulerTask

UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
TEXTS = frozenset(
    name
    for name in definitions.FIELDS
    if isinstance(SchedulerTask._meta.get_field(name), models.CharField | models.TextField)
)
WHENS = ("crontab", "every", "at", "trigger")

_SPAN = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")


class Add(Verb):
    help: ClassVar[str] = "Make a task. Give one of --crontab, --every, --at and --trigger to say when it runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="For people to read.")
        parser.add_argument("func", help="The function, as package.module:function.")
        parser.add_argument("--job-id", dest="job_id", help="A stable name for programs; made up unless given.")
        _add_fields(parser)

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        given = _given(options)
        if "trigger" not in given:
            raise CommandError(
                _("Say when it runs: --crontab '*/5 * * * *', --every 30s, --at 2027-01-31T09:00 or --trigger.")
            )
        if reserved := given.keys() & {"source", "user", "now"}:
            raise CommandError(_("There is no field %s.") % ", ".join(sorted(reserved)))
        try:
            task = operations.add_task(**given, user=options["user"])
        except InvalidDefinition as error:
            raise _at_options(error, options) from error
        show(options, out, task_lines([task]), task_data(task))
        return 0


class Edit(Verb):
    help: ClassVar[str] = "Change a task; what is not given stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("task", help="The id or job id of the task.")
        parser.add_argument("--name", help="For people to read.")
        parser.add_argument("--func", help="The function, as package.module:function.")
        parser.add_argument("--job-id", dest="job_id", help="A stable name for programs.")
        _add_fields(parser)

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        changes = _given(options)
        if not changes:
            raise CommandError(_("Give what is to change, such as --every 30s or --set priority=5."))
        try:
            task = operations.update_task(find_task(options["task"]).pk, changes, user=options["user"])
        except InvalidDefinition as error:
            raise _at_options(error, options) from error
        show(options, out, task_lines([task]), task_data(task))
        return 0


def _add_fields(parser: ArgumentParser) -> None:
    when = parser.add_mutually_exclusive_group()
    when.add_argument(
        "--crontab", metavar="EXPRESSION", help="Five fields of standard cron, such as '*/5 9-17 * * mon-fri'."
    )
    when.add_argument("--every", type=read_span, metavar="SPAN", help="An interval such as 30s, 5m, 1h30m, 1d or 2w.")
    when.add_argument("--at", metavar="MOMENT", help="Once, at an ISO 8601 datetime such as 2027-01-31T09:00.")
    when.add_argument("--trigger", help="A kind of trigger such as cron, with --trigger-args.")
    parser.add_argument(
        "--trigger-args",
        type=read_json("an object", dict),
        metavar="JSON",
        help="The arguments of --trigger as a JSON object, such as '{\"hour\": 8}'.",
    )
    parser.add_argument("--timezone", help="An IANA name such as Asia/Shanghai.")
    # Kept under other names: Django takes an option "args" for its own.
    parser.add_argument(
        "--args", dest="run_args", type=read_json("a list", list), metavar="JSON", help="Arguments, as a JSON list."
    )
    parser.add_argument(
        "--kwargs",
        dest="run_kwargs",
        type=read_json("an object", dict),
        metavar="JSON",
        help="Arguments by name, as a JSON object.",
    )
    add_settings(parser, help="Any other field, such as priority=5 or queue=mail; JSON, else text. Repeat it for more.")
    add_user(parser)


def add_settings(parser: ArgumentParser, *, help: str) -> None:
    parser.add_argument(
        "--set", dest="fields", type=read_field, action="append", default=[], metavar="FIELD=VALUE", help=help
    )


def read_field(text: str) -> tuple[str, Any]:
    """A field and its value, which is JSON where it reads as such, else text; a field of text has nothing else."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ArgumentTypeError(_("%r is not FIELD=VALUE, such as priority=5") % text)
    try:
        read = json.loads(value)
    except ValueError:
        return name.strip(), value
    return name.strip(), value if name.strip() in TEXTS and not isinstance(read, str) else read


def read_span(text: str) -> dict[str, float]:
    """The arguments of an interval."""
    match = _SPAN.fullmatch(text.strip().lower())
    numbers = dict(zip(UNITS.values(), match.groups(), strict=True)) if match else {}
    found = {unit: float(number) if "." in number else int(number) for unit, number in numbers.items() if number}
    if not found:
        raise ArgumentTypeError(_("%r is not a span such as 30s, 5m, 1h30m, 1d or 2w") % text)
    return found


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that options give; --set goes last and cannot say again what an option has said."""
    named = {name: options[name] for name in ("name", "func", "job_id", "timezone") if options[name] is not None}
    calls = {name: options[f"run_{name}"] for name in ("args", "kwargs") if options[f"run_{name}"] is not None}
    given = {**named, **calls, **_when(options)}
    for name, value in options["fields"]:
        if name in given:
            raise CommandError(_("--set %(name)s: it is given twice.") % {"name": name})
        given[name] = value
    return given


def _when(options: Mapping[str, Any]) -> dict[str, Any]:
    if options["trigger_args"] is not None and any(options[name] is not None for name in ("crontab", "every", "at")):
        raise CommandError(_("--trigger-args belongs to --trigger; --crontab, --every and --at say it all."))
    if options["crontab"] is not None:
        return {"trigger": "crontab", "trigger_args": {"expression": options["crontab"]}}
    if options["every"] is not None:
        return {"trigger": "interval", "trigger_args": options["every"]}
    if options["at"] is not None:
        return {"trigger": "date", "trigger_args": {"run_date": options["at"]}}
    when = {name: options[name] for name in ("trigger", "trigger_args") if options[name] is not None}
    return {"trigger_args": {}, **when} if "trigger" in when else when


def _at_options(error: InvalidDefinition, options: Mapping[str, Any]) -> CommandError:
    """Each complaint at the option that it is about."""
    return CommandError("\n".join(_complaints(error, options)))


def _complaints(error: InvalidDefinition, options: Mapping[str, Any]) -> Iterator[str]:
    labels = _labels(options)
    for name, texts in error.errors.items():
        yield f"{labels.get(name, f'--set {name}')}: {' '.join(texts)}"


def _labels(options: Mapping[str, Any]) -> dict[str, str]:
    """By what each field was given, or could be."""
    labels = {name: f"--{name.replace('_', '-')}" for name in ("job_id", "timezone", "args", "kwargs")}
    labels |= {"name": "--name", "func": "--func"} if "task" in options else {"name": "name", "func": "func"}
    when = next((f"--{name}" for name in WHENS if options[name] is not None), "--trigger")
    labels |= {"trigger": when, "trigger_args": "--trigger-args" if when == "--trigger" else when}
    return {**labels, **{name: f"--set {name}" for name, _value in options["fields"]}}
