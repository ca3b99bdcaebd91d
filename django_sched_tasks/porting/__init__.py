"""Tasks that come from elsewhere, and go elsewhere: documents of our own, and the schedules of other packages.

A reader for each source gives records (``document``, ``celery_beat``, ``apscheduler_jobs``, ``crontabs``), ``writer``
makes tasks of them through the operations, and a report says what became of each. Only the command line uses this
room: reading django-apscheduler means reading pickles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from django.utils.translation import gettext as _

from django_sched_tasks.porting import apscheduler_jobs, celery_beat, crontabs, writer
from django_sched_tasks.porting.document import read_document, to_document
from django_sched_tasks.porting.records import FunctionMap, UnreadableSource
from django_sched_tasks.porting.report import Action, Report, Row
from django_sched_tasks.porting.writer import Options

__all__ = [
    "TABLES",
    "Action",
    "Options",
    "Report",
    "Row",
    "UnreadableSource",
    "import_crontabs",
    "import_document",
    "import_table",
    "to_document",
]

# The sources that are tables of this site.
TABLES = {"django-celery-beat": celery_beat, "django-apscheduler": apscheduler_jobs}


def import_document(text: str, options: Options) -> Report:
    """Import an export of tasks."""
    return writer.write(read_document(text), options)


def import_table(name: str, options: Options, *, mapping: Mapping[str, str], switch_off: bool = False) -> Report:
    """Import the rows of another package; with ``switch_off`` what was taken over stops there, in the same commit."""
    source = TABLES[name]
    text = _("%s still fires what was taken over: switch it off there with --pause-source, lest all of it runs twice.")
    return writer.write(
        source.read(_mapped(mapping)),
        options,
        remarks=[] if switch_off else [text % name],
        switch_off=source.switch_off if switch_off else None,
        source_database=source.database(),
    )


def import_crontabs(
    files: Sequence[tuple[str, str]], options: Options, *, mapping: Mapping[str, str], has_users: bool = False
) -> Report:
    """Import crontabs, each given as its name and its text."""
    records, remarks = crontabs.read(files, _mapped(mapping), has_users=has_users)
    return writer.write(records, options, remarks=remarks)


def _mapped(mapping: Mapping[str, str]) -> FunctionMap:
    def mapped(name: str) -> str | None:
        return next((path for pattern, path in mapping.items() if fnmatchcase(name, pattern)), None)

    return mapped
