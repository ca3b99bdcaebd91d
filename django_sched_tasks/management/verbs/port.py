"""``schedtasks export`` and ``import``: tasks to a file, and from one, or from the schedules of other packages."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandError, OutputWrapper
from django.utils.translation import gettext as _

from django_sched_tasks import database, porting
from django_sched_tasks.management.verbs.base import Verb, find_task, table
from django_sched_tasks.management.verbs.define import add_settings
from django_sched_tasks.management.verbs.steer import add_user
from django_sched_tasks.models import SchedulerTask

CRONTAB = "crontab"
STANDARD_INPUT = "-"


class Export(Verb):
    help: ClassVar[str] = (
        "Write tasks as JSON, for import elsewhere or to keep. Secrets among their arguments become *****."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tasks", nargs="*", metavar="task", help="Ids or job ids; all tasks unless given.")
        parser.add_argument("--output", type=Path, metavar="FILE", help="To this file, not to standard output.")
        parser.add_argument(
            "--with-secrets", action="store_true", help="Write secrets as they are. Keep the file as you keep them."
        )

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        rows = SchedulerTask.objects.using(database.alias()).order_by("job_id")
        tasks = [find_task(text) for text in options["tasks"]] if options["tasks"] else list(rows)
        document = porting.to_document(tasks, with_secrets=options["with_secrets"])
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        if options["output"] is None:
            out.write(text, ending="")
            return 0
        _write(options["output"], text, is_private=options["with_secrets"])
        said = {"output": str(options["output"]), "tasks": len(tasks)}
        is_json = options["format"] == "json"
        out.write(json.dumps(said) if is_json else _("%(tasks)d tasks written to %(output)s") % said)
        return 0


class Import(Verb):
    help: ClassVar[str] = (
        "Make tasks of an export, or of the schedules of another package; look at it with --dry-run first. What has "
        "been imported before is known by its job id and kept as it is, unless --update is given. "
        "Exit code 1 when a row was refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", metavar="file", help="An export, or crontabs; - is standard input.")
        parser.add_argument(
            "--from", dest="source", choices=(*porting.TABLES, CRONTAB), help="Of an export unless given."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")
        parser.add_argument("--update", action="store_true", help="Change tasks that are there already and differ.")
        parser.add_argument(
            "--map",
            dest="mapping",
            type=_read_mapping,
            action="append",
            default=[],
            metavar="PATTERN=FUNC",
            help="What runs there as PATTERN (a name or command, with * for anything) is FUNC here.",
        )
        add_settings(parser, help="A field that all of them get, such as queue=mail; JSON, else text.")
        parser.add_argument(
            "--system", action="store_true", help="Crontabs have a column for the user, as /etc/crontab does."
        )
        parser.add_argument(
            "--pause-source", action="store_true", help="Switch off there what was taken over, in the same transaction."
        )
        add_user(parser)

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        report = _import(options)
        if options["format"] == "json":
            out.write(json.dumps(_data(report), ensure_ascii=False, default=str))
        else:
            for line in _lines(report):
                out.write(line)
        return 0 if report.is_whole else 1


def _import(options: Mapping[str, Any]) -> porting.Report:
    source = options["source"]
    _check_options(options)
    how = porting.Options(options["update"], options["dry_run"], dict(options["fields"]), options["user"])
    mapping = dict(options["mapping"])
    if source in porting.TABLES:
        return porting.import_table(source, how, mapping=mapping, switch_off=options["pause_source"])
    files = [(name, _read(name)) for name in options["files"]]
    if source == CRONTAB:
        return porting.import_crontabs(files, how, mapping=mapping, has_users=options["system"])
    return porting.import_document(files[0][1], how)


def _check_options(options: Mapping[str, Any]) -> None:
    source, files = options["source"], options["files"]
    is_table = source in porting.TABLES
    if is_table and files:
        raise CommandError(_("--from %s reads the tables of this site: leave the file out.") % source)
    if source == CRONTAB and not files:
        raise CommandError(
            _("Give crontabs, or - for standard input: crontab -l | manage.py schedtasks import --from crontab -")
        )
    if source is None and len(files) != 1:
        raise CommandError(_("Give one export, or say with --from what to import."))
    if options["pause_source"] and not is_table:
        raise CommandError(_("--pause-source is for rows of a database; take the lines out of the file yourself."))
    if options["system"] and source != CRONTAB:
        raise CommandError(_("--system goes with --from crontab."))
    if options["mapping"] and source is None:
        raise CommandError(_("--map goes with --from; an export names functions of this package."))


def _read_mapping(text: str) -> tuple[str, str]:
    """The path of a function has no =, a command may have some."""
    pattern, equals, path = text.rpartition("=")
    if not equals or not pattern or ":" not in path:
        raise ArgumentTypeError(_("%r is not PATTERN=package.module:function") % text)
    return pattern, path


def _read(name: str) -> str:
    try:
        return sys.stdin.read() if name == STANDARD_INPUT else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(_("%(name)s cannot be read: %(error)s") % {"name": name, "error": error}) from error


def _write(path: Path, text: str, *, is_private: bool) -> None:
    try:
        if is_private:
            path.touch(mode=0o600)
            path.chmod(0o600)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(_("%(name)s cannot be written: %(error)s") % {"name": path, "error": error}) from error


def _lines(report: porting.Report) -> Iterator[str]:
    headings = (_("Action"), _("Job ID"), _("Name"), _("When, or why not"))
    yield from table(headings, [(row.action, row.job_id, row.name, _why(row)) for row in report.rows])
    for row in report.rows:
        yield from (f"{row.origin}: {remark}" for remark in row.remarks)
    yield from report.remarks
    counted = [f"{number} {action}" for action, number in report.counts.items() if number]
    yield ", ".join(counted) if counted else _("There is nothing to import.")
    if report.switched_off:
        yield _("%d switched off at the source") % report.switched_off
    if report.dry_run:
        yield _("This was a dry run: nothing was written.")


def _why(row: porting.Row) -> str:
    if row.reasons:
        texts = (f"{name}: {' '.join(found)}" if name else " ".join(found) for name, found in row.reasons.items())
        return f"{row.origin}: {'; '.join(texts)}"
    return f"{row.when} ({_differing(row.changes)})" if row.changes else row.when


def _differing(names: Mapping[str, Any] | Sequence[str]) -> str:
    return _("differs: %s") % ", ".join(names)


def _data(report: porting.Report) -> dict[str, Any]:
    return {
        "dry_run": report.dry_run,
        "counts": report.counts,
        "switched_off": report.switched_off,
        "remarks": list(report.remarks),
        "rows": [asdict(row) for row in report.rows],
    }
