"""What a verb of the command line is."""

from __future__ import annotations

import json
import unicodedata
from abc import ABC, abstractmethod
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.core.management.base import CommandError, OutputWrapper
from django.db.models import Q
from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext as _

from django_sched_tasks import database
from django_sched_tasks.models import SchedulerTask


class Verb(ABC):
    help: ClassVar[str]

    def add_arguments(self, parser: ArgumentParser) -> None:  # noqa: B027 - a verb may take none
        """Its own, beside --format."""

    @abstractmethod
    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        """Do it; answers the exit code."""


def show(options: Mapping[str, Any], out: OutputWrapper, lines: Iterable[str], data: Any) -> None:
    """Lines for people, or the data as JSON."""
    if options["format"] == "json":
        out.write(json.dumps(data, ensure_ascii=False, default=str))
    else:
        for line in lines:
            out.write(line)


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Lines in which columns stand below each other; without rows not even the headings."""
    cells = [[str(cell).replace("\n", " ") for cell in row] for row in rows]
    if not cells:
        return
    lines = [list(headings), *cells]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()


def _width(text: str) -> int:
    """In columns of a terminal, where a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def find_task(text: str) -> SchedulerTask:
    """The task of this id or job id."""
    named = Q(job_id=text) | (Q(pk=int(text)) if text.isascii() and text.isdigit() and len(text) < 19 else Q())
    found = list(SchedulerTask.objects.using(database.alias()).filter(named)[:2])
    exact = [task for task in found if text in (task.job_id, str(task.pk))]
    if len(exact) != 1:
        text = _("There is no task with the id or job id %r.") % text if not exact else _("%r names two tasks.") % text
        raise CommandError(text)
    return exact[0]


def instant(name: str, text: str) -> datetime:
    """An ISO 8601 date or datetime in UTC; without an offset it is in the site's time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = _("%(name)s is %(given)r, not an ISO 8601 date or datetime such as 2027-01-31T09:00:00Z.")
        raise CommandError(message % {"name": name, "given": text}) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=get_default_timezone())).astimezone(UTC)


def read_json(what: str, kind: type) -> Callable[[str], Any]:
    """A reader of JSON of one kind, for argparse; ``what`` names it."""

    def read(text: str) -> Any:
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ArgumentTypeError(_("%(given)s is not JSON: %(error)s") % {"given": text, "error": error}) from error
        if not isinstance(value, kind):
            raise ArgumentTypeError(_("%(given)s is not %(what)s of JSON") % {"given": text, "what": what})
        return value

    return read
