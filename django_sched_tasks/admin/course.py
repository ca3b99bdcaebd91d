"""How an execution went from due to done: its steps, the bar of them, and what it says meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _

from django_sched_tasks import operations
from django_sched_tasks.admin import drawing, show
from django_sched_tasks.admin.drawing import Mark
from django_sched_tasks.admin.panel import outcome
from django_sched_tasks.admin.waiting import why_waiting
from django_sched_tasks.models import ExecutionStatus, SchedulerNode, TaskExecution


@dataclass(frozen=True, slots=True)
class Step:
    label: str
    at: datetime | None
    after: float | None  # seconds since the step before


def steps(execution: TaskExecution) -> list[Step]:
    """Due, queued, claimed, started, finished: those that were, are, or are still to come."""
    moments: list[tuple[str, datetime | None]] = [
        (_("Due"), execution.run_at),
        (_("Queued"), execution.queued_at),
        (_("Started"), execution.started_at),
        (_("Finished"), execution.finished_at),
    ]
    if execution.dispatched_at is not None:
        moments.insert(2, (_("Dispatched"), execution.dispatched_at))
    if execution.finished_at is not None and execution.started_at is None:  # it never ran
        moments = [moment for moment in moments if moment[1] is not None]
    told = []
    before: datetime | None = None
    for label, at in moments:
        told.append(Step(label, at, (at - before).total_seconds() if at and before and at >= before else None))
        before = at or before
    return told


def course(execution: TaskExecution, nodes: Sequence[SchedulerNode], now: datetime) -> Any:
    """The whole: state, bar, steps, progress."""
    parts = [outcome(execution), _asked_to_end(execution, now), _why(execution, nodes, now), bar(execution, now)]
    parts += [_steps(execution), drawing.progress(execution.progress)]
    return show.joined(parts)


def _asked_to_end(execution: TaskExecution, now: datetime) -> Any:
    if execution.cancel_requested_at is None or execution.finished_at is not None:
        return ""
    by = execution.cancel_requested_by or "?"
    text = _("%(user)s asked it to end, %(when)s.")
    return show.quiet(text % {"user": by, "when": show.until_text(execution.cancel_requested_at, now)})


def _why(execution: TaskExecution, nodes: Sequence[SchedulerNode], now: datetime) -> Any:
    held = operations.why_held(now) if execution.status == ExecutionStatus.QUEUED else ""
    why = why_waiting(execution, nodes, now, held)
    return show.quiet(why) if why else ""


def bar(execution: TaskExecution, now: datetime) -> Any:
    """A lane from due to done: how long it waited, how long it ran."""
    began = min(execution.run_at, execution.queued_at)
    ended = execution.finished_at or max(now, began)
    ran_from = execution.started_at or ended
    if ended <= began:
        ended = began + timedelta(milliseconds=1)
    waited, ran = (ran_from - began).total_seconds(), (ended - ran_from).total_seconds()
    waiting = _("waited %s") % show.duration(max(waited, 0))
    marks = [Mark(began, ran_from, "waiting", waiting)]
    texts = [waiting]
    if execution.started_at is not None:
        open_ended = execution.finished_at is None
        running = (_("running for %s") if open_ended else _("ran %s")) % show.duration(max(ran, 0))
        marks.append(Mark(ran_from, ended, show.TONES.get(ExecutionStatus(execution.status), "quiet"), running))
        texts.append(running)
    label = ", ".join(texts)
    return format_html(
        '<div class="sched-course">{}{}</div>', drawing.lane(marks, began, ended, label), show.quiet(label)
    )


def _steps(execution: TaskExecution) -> Any:
    lines = []
    for step in steps(execution):
        exact = show.moment(step.at) if step.at else show.NOTHING
        after = format_html(" <small>+{}</small>", show.duration(step.after)) if step.after is not None else ""
        html = '<li class="{}"><span>{}</span> {}{}</li>'
        lines.append(format_html(html, "sched-past" if step.at else "sched-ahead", step.label, exact, after))
    return format_html('<ol class="sched-steps">{}</ol>', show.joined(lines))
