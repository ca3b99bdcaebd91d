"""Crontab files: of a user, or of the system with a column for the user.

A line of a crontab is a command of a shell, a task here is a function. What runs a management command of this site
becomes a task of :func:`django_sched_tasks.commands.run_command`, where ``COMMANDS`` of the settings names it; for any
other ``--map`` says which function does its work.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from django_sched_tasks import conf
from django_sched_tasks.porting.records import FunctionMap, Record, Refused, UnreadableSource, short_name
from django_sched_tasks.redaction import Redactor
from django_sched_tasks.triggers.crontab import NICKNAMES

_FIELDS = 5
_ASSIGNMENT = re.compile(r"\s*([A-Za-z_]\w*|\"[^\"]+\"|'[^']+')\s*=\s*(.*?)\s*$")
_OF_A_SHELL = re.compile(r"[A-Za-z_]\w*=.*")
_PUNCTUATION = set("();<>|&")
_PYTHON = re.compile(r"(.*/)?python[0-9.]*")
_INTO = re.compile(r"[0-9]*[<>]+&?")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that runs a command: its schedule, whose it is, and the zone that a line above has set."""

    origin: str
    text: str
    schedule: str
    user: str
    command: str
    zone: str


def read(
    files: Sequence[tuple[str, str]], mapped: FunctionMap, *, has_users: bool = False
) -> tuple[list[Record], list[str]]:
    """The records of files, each given as its name and its text, and what is to be said of them as a whole."""
    remarks: list[str] = []
    lines: list[_Line] = []
    for name, text in files:
        if "\0" in text:
            raise UnreadableSource(_("%s is not a text file.") % name)
        lines += _lines(text, name, remarks, has_users=has_users)
    if any(not line.zone for line in lines):
        remarks.append(
            _("cron goes by the clock of its host; these tasks go by TIME_ZONE of the site, or by --set timezone=….")
        )
    seen: Counter[tuple[str, str]] = Counter()
    records = []
    for line in lines:
        seen[line.user, line.command] += 1
        records.append(_record(line, seen[line.user, line.command], mapped))
    return records, remarks


def _lines(text: str, name: str, remarks: list[str], *, has_users: bool) -> Iterator[_Line]:
    zone = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        assignment = _ASSIGNMENT.fullmatch(line)
        if assignment is None:
            origin = _("%(name)s, line %(line)d") % {"name": name, "line": number}
            yield _parted(origin, stripped, zone, has_users=has_users)
            continue
        key, value = (part.strip("'\"") for part in assignment.groups())
        where = {"name": name, "line": number, "key": key, "value": value}
        if key == "CRON_TZ":
            zone = value
            remarks.append(
                _("%(name)s, line %(line)d: %(key)s=%(value)s is the time zone of the lines below it.") % where
            )
        else:
            remarks.append(_("%(name)s, line %(line)d: %(key)s is not taken over.") % where)


def _parted(origin: str, text: str, zone: str, *, has_users: bool) -> _Line:
    """The line in its parts; where some are missing, the last of them are empty."""
    parts = text.split(None, (1 if text.startswith("@") else _FIELDS) + has_users)
    fields = 1 if text.startswith("@") else _FIELDS
    rest = parts[fields:]
    user = rest.pop(0) if has_users and rest else ""
    return _Line(origin, text, " ".join(parts[:fields]), user, rest[0] if rest else "", zone)


def _record(line: _Line, which: int, mapped: FunctionMap) -> Record:
    digest = hashlib.sha256(f"{line.user}\n{line.command}".encode(errors="replace")).hexdigest()[:16]
    job_id = f"crontab-{digest}" + (f"-{which}" if which > 1 else "")
    remarks: list[str] = []
    shown = Redactor().hide  # a command line may hold a password
    fields: dict[str, object] = {
        "name": short_name(shown(line.command or line.text), remarks),
        "description": shown(line.text),
    }
    try:
        fields |= {"trigger": "crontab", "trigger_args": {"expression": _expression(line)}, "timezone": line.zone}
        fields |= _call(line, mapped, shown, remarks)
    except Refused as refusal:
        return Record(line.origin, job_id, fields, refusal=str(refusal), remarks=remarks)
    return Record(line.origin, job_id, fields, remarks=remarks)


def _expression(line: _Line) -> str:
    if not line.command:
        raise Refused(
            _("It has too few fields: five of a schedule, then the command. A file of the system needs --system.")
        )
    if line.schedule.startswith("@") and line.schedule.lower() not in NICKNAMES:
        raise Refused(_("There is no trigger here for %s.") % line.schedule)
    return line.schedule


def _call(line: _Line, mapped: FunctionMap, shown: Callable[[str], str], remarks: list[str]) -> dict[str, object]:
    path = mapped(line.command)
    if path is not None:
        return {"func": path}
    words = _management_command(line.command, remarks)
    if words is None:
        text = _(
            "Its command is not a function. Write one that does its work and give "
            "--map 'PATTERN=package.module:function', the pattern matching the command."
        )
        raise Refused(text)
    if words[0] not in conf.commands():
        text = _(
            "The management command %(name)s may not be scheduled: add it to SCHED_TASKS['COMMANDS'], or give "
            "--map 'PATTERN=package.module:function'."
        )
        raise Refused(text % {"name": words[0]})
    name = short_name(shown(" ".join(["manage.py", *words])), remarks)
    return {"name": name, "func": conf.RUN_COMMAND, "args": words}


def _management_command(command: str, remarks: list[str]) -> list[str] | None:
    """The name and the arguments of the management command that a line runs, where it runs that and nothing else."""
    if "%" in command.replace("\\%", ""):
        return None  # what stands behind it is input for the command
    try:
        lexer = shlex.shlex(command.replace("\\%", "%"), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # quotes that do not close
        return None
    words = _without_directory(words)
    while words and _OF_A_SHELL.fullmatch(words[0]):
        words = words[1:]
    words = _behind_manage(words)
    kept, redirected = _without_redirections(words)
    if not kept or any(set(word) <= _PUNCTUATION or "$" in word or "`" in word for word in kept):
        return None
    if redirected:
        remarks.append(_("Its output goes nowhere else: what a run prints is kept with the run."))
    return kept


def _without_directory(words: list[str]) -> list[str]:
    return words[3:] if len(words) > 3 and words[0] == "cd" and words[2] == "&&" else words


def _behind_manage(words: list[str]) -> list[str]:
    if words and _PYTHON.fullmatch(words[0]):
        words = words[1:]
        if words[:2] == ["-m", "django"]:
            return words[2:]
    is_manage = bool(words) and words[0].rpartition("/")[2] in ("manage.py", "django-admin")
    return words[1:] if is_manage else []


def _without_redirections(words: list[str]) -> tuple[list[str], bool]:
    """``2>&1`` comes as ``2``, ``>&``, ``1``."""
    kept: list[str] = []
    rest, redirected = list(words), False
    while rest:
        word = rest.pop(0)
        if not _INTO.fullmatch(word) or word.isdigit():
            kept.append(word)
            continue
        redirected = True
        if kept and kept[-1] in ("1", "2") and word.startswith(">"):
            kept.pop()
        rest = rest[1:]
    return kept, redirected
