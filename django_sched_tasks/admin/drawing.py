"""Small drawings, as SVG from the server: they need no script, no inline style, and print as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from django_sched_tasks.admin import show
from django_sched_tasks.models import ExecutionStatus, TaskExecution

WIDTH = 1000  # units from one end of a lane to the other, whatever room it has
STRIP_HEIGHT = 18


def strip(executions: Sequence[TaskExecution], most: int) -> SafeString:
    """A bar for each execution, oldest first: its colour says how it ended, its height how long it took."""
    labels = {status.value: str(status.label) for status in ExecutionStatus}
    longest = max((execution.duration or 0 for execution in executions), default=0)
    bars = show.joined(
        _strip_bar(execution, labels[execution.status], most - len(executions) + index, longest)
        for index, execution in enumerate(executions)
    )
    html = '<svg class="sched-strip" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">{}</svg>'
    size = (most * 6, STRIP_HEIGHT)
    return format_html(html, in_figures(executions), *size, *size, bars)


def _strip_bar(execution: TaskExecution, label: str, place: int, longest: float) -> SafeString:
    tone = show.TONES.get(execution.status, "quiet")
    share = (execution.duration or 0) / longest if longest else 0
    height = STRIP_HEIGHT if tone == "bad" else max(5, round(share * STRIP_HEIGHT))
    title = f"#{execution.pk} {label} {show.duration(execution.duration)}"
    html = '<rect class="sched-fill-{}" x="{}" y="{}" width="5" height="{}" rx="1"><title>{}</title></rect>'
    return format_html(html, tone, place * 6, STRIP_HEIGHT - height, height, title)


def in_figures(executions: Iterable[TaskExecution]) -> str:
    """How many ended how, as a sentence for those who do not see the bars."""
    counts: dict[str, int] = {}
    for execution in executions:
        label = str(ExecutionStatus(execution.status).label)
        counts[label] = counts.get(label, 0) + 1
    comma = pgettext("between the items of a list", ", ")
    return comma.join(f"{label}: {count}" for label, count in counts.items()) or _("None yet.")


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on a lane: from ``start`` to ``end``, or a tick where both are the same."""

    start: datetime
    end: datetime
    tone: str
    title: str
    url: str | None = None


def lane(
    marks: Iterable[Mark], begin: datetime, end: datetime, label: str, *, now: datetime | None = None
) -> SafeString:
    """What happens between two instants, on a line as wide as its room."""
    span = end - begin
    shown = _merged([mark for mark in marks if mark.end >= begin and mark.start <= end], span)
    parts = [_drawn(mark, begin, span) for mark in shown]
    if now is not None and begin <= now <= end:
        x = _place(now, begin, span)
        parts.append(format_html('<rect class="sched-now" x="{}" y="0" width="2" height="20"></rect>', f"{x:.1f}"))
    html = (
        '<svg class="sched-lane" role="{}" aria-label="{}" viewBox="0 0 {} 20" preserveAspectRatio="none">'
        '<rect class="sched-lane-ground" width="{}" height="20"></rect>{}</svg>'
    )
    return format_html(
        html, "group" if any(mark.url for mark in marks) else "img", label, WIDTH, WIDTH, show.joined(parts)
    )


def _merged(marks: Iterable[Mark], span: timedelta) -> list[Mark]:
    """Marks of one tone that would touch, drawn as one: thousands of ticks are a band."""
    merged: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: mark.start):
        before = merged[-1] if merged else None
        touches = before and before.tone == mark.tone and mark.start - before.end < span * (4 / WIDTH)
        if before is None or not touches or before.url or mark.url:
            merged.append(mark)
        else:
            title = f"{before.title.partition(' … ')[0]} … {mark.title}"
            merged[-1] = Mark(before.start, max(before.end, mark.end), mark.tone, title)
    return merged


def _place(moment: datetime, begin: datetime, span: timedelta) -> float:
    return min(max((moment - begin) / span, 0.0), 1.0) * WIDTH


def _drawn(mark: Mark, begin: datetime, span: timedelta) -> SafeString:
    left, right = _place(mark.start, begin, span), _place(mark.end, begin, span)
    width = max(right - left, 3.0)
    html = '<rect class="sched-fill-{}" x="{}" y="3" width="{}" height="14"><title>{}</title></rect>'
    shown = format_html(html, mark.tone, f"{min(left, WIDTH - width):.1f}", f"{width:.1f}", mark.title)
    return (
        shown if mark.url is None else format_html('<a href="{}" aria-label="{}">{}</a>', mark.url, mark.title, shown)
    )


def progress(value: Any) -> SafeString | str:
    """How far a run says it is: ``{"done": …, "total": …, "message": …}``; anything else as it is."""
    if value is None:
        return ""
    if not isinstance(value, dict) or not isinstance(value.get("done"), int | float):
        return show.block(show.as_json(value))
    done, total = value["done"], value.get("total")
    message = show.printable(str(value.get("message") or ""))
    figures = f"{done:g} / {total:g}" if total else f"{done:g}"
    share = f"{min(done / total, 1):.0%}" if total else ""
    bar: Any = ""
    if total:
        html = '<progress max="{}" value="{}" aria-label="{}"></progress>'
        bar = format_html(html, f"{total:g}", f"{min(done, total):g}", _("progress"))
    text = " · ".join(part for part in (share, figures, message) if part)
    return format_html('<div class="sched-progress">{} <span>{}</span></div>', bar, text)
