"""Values as people read them: pieces of HTML, escaped, without inline style or script."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_sched_tasks.models import ExecutionStatus, NodeState, TaskStatus

NOTHING = "–"

# What a state means to the reader; each tone is a pair of colours in admin.css.
TONES: dict[Any, str] = {
    TaskStatus.ACTIVE: "good",
    TaskStatus.PAUSED: "warn",
    TaskStatus.FINISHED: "quiet",
    ExecutionStatus.CLAIMED: "busy",
    ExecutionStatus.DISPATCHED: "busy",
    ExecutionStatus.RUNNING: "busy",
    ExecutionStatus.SUCCEEDED: "good",
    ExecutionStatus.FAILED: "bad",
    ExecutionStatus.TIMED_OUT: "bad",
    ExecutionStatus.LOST: "bad",
    ExecutionStatus.MISSED: "warn",
    ExecutionStatus.SKIPPED: "warn",
    NodeState.ALIVE: "good",
    NodeState.STOPPING: "busy",
    NodeState.DEAD: "bad",
}


def badge(label: Any, tone: str) -> SafeString:
    return format_html('<span class="sched-badge sched-{}">{}</span>', tone, label)


def state(value: Any, label: Any) -> SafeString:
    return badge(label, TONES.get(value, "quiet"))


def moment(value: datetime | None, zone: Any = None) -> SafeString | str:
    """An instant in the reader's current time zone, or in the one given; hovering tells the zone, and UTC."""
    if value is None:
        return NOTHING
    local = timezone.localtime(value, zone)
    exact = f"{local:%Y-%m-%d %H:%M:%S.%f %Z} = {value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    day, clock = f"{local:%Y-%m-%d}", f"{local:%H:%M:%S}"
    return _time(value, exact, format_html("<span>{}</span> <span>{}</span>", day, clock))


def moment_text(value: datetime, zone: Any = None) -> str:
    """An instant as plain text, for titles."""
    return f"{timezone.localtime(value, zone):%Y-%m-%d %H:%M:%S}"


def duration(seconds: float | None) -> str:
    """A length of time in at most two units."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return _("%d ms") % round(seconds * 1000)
    if seconds < 60:
        return _("%.1f s") % seconds
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    return _("%(days)d d %(hours)d h") % {"days": hours // 24, "hours": hours % 24}


def age(value: datetime | None, now: datetime) -> SafeString | str:
    """How long ago an instant is; hovering tells it."""
    if value is None:
        return NOTHING
    seconds = max(0, round((now - value).total_seconds()))
    passed = _("%s ago") % (_("%d s") % seconds if seconds < 60 else duration(seconds))
    return _time(value, f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S %Z}", passed)


def span(seconds: float) -> str:
    """A length of time as a sentence has it, in its two largest units."""
    rest = round(seconds)
    parts = []
    for size, words in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(words(count))
        if len(parts) == 2 or (parts and not count):
            break
    return " ".join(parts) or _seconds(0)


def _days(count: int) -> str:
    return ngettext("%d day", "%d days", count) % count


def _hours(count: int) -> str:
    return ngettext("%d hour", "%d hours", count) % count


def _minutes(count: int) -> str:
    return ngettext("%d minute", "%d minutes", count) % count


def _seconds(count: int) -> str:
    return ngettext("%d second", "%d seconds", count) % count


_UNITS = ((86_400, _days), (3_600, _hours), (60, _minutes), (1, _seconds))


def until_text(value: datetime, now: datetime) -> str:
    """How far an instant lies ahead, or how long ago it was, in words."""
    seconds = (value - now).total_seconds()
    return _("in %s") % span(seconds) if seconds >= 0 else _("%s ago") % span(-seconds)


def until(value: datetime | None, now: datetime) -> SafeString | str:
    """The words, above the exact instant in the reader's zone."""
    if value is None:
        return NOTHING
    return format_html("{}{}", until_text(value, now), quiet(moment(value)))


def _time(value: datetime, exact: str, text: Any) -> SafeString:
    html = '<time class="sched-time" datetime="{}" title="{}">{}</time>'
    return format_html(html, value.isoformat(), exact, text)


def excluded(note: str | None) -> str:
    """Why a fire time will be skipped; "" where it will not, which None stands for."""
    if note is None:
        return ""
    return _("Excluded: it will be skipped (%s).") % printable(note) if note else _("Excluded: it will be skipped.")


def joined(parts: Iterable[Any]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))


def quiet(text: Any) -> SafeString:
    return format_html('<div class="sched-note">{}</div>', text)


def alarm(text: Any) -> SafeString:
    return format_html('<div class="sched-alarm">{}</div>', text)


def block(text: str) -> SafeString | str:
    """Text of many lines, as it is."""
    return format_html('<pre class="sched-pre">{}</pre>', printable(text)) if text else NOTHING


def as_json(value: Any, *, indent: int | None = 2) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False, cls=DjangoJSONEncoder)
    return text if text == printable(text) else json.dumps(value, indent=indent, cls=DjangoJSONEncoder)


def printable(text: str) -> str:
    """Lone surrogates, which a column may hold but no page can, told by their numbers."""
    return text.encode("utf-8", "backslashreplace").decode()


def link(url: str | None, text: Any) -> SafeString | str:
    """A link where there is somewhere to go, else the text alone."""
    return format_html('<a href="{}">{}</a>', url, text) if url else format_html("{}", text)


def table(head: Sequence[Any], rows: Sequence[Sequence[Any]]) -> SafeString:
    names = joined(format_html('<th scope="col">{}</th>', text) for text in head)
    cells = (joined(format_html("<td>{}</td>", cell) for cell in row) for row in rows)
    lines = joined(format_html("<tr>{}</tr>", line) for line in cells)
    html = '<table class="sched-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>'
    return format_html('<div class="sched-scroll">{}</div>', format_html(html, names, lines))
