"""The overview as its templates and charts want it: values in words, links where the reader may go."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from django_sched_tasks.admin import drawing, show
from django_sched_tasks.admin.base import Links
from django_sched_tasks.admin.drawing import Mark
from django_sched_tasks.admin.overview import DAY, HOUR, Ahead, Health, Hours, Overview, series
from django_sched_tasks.admin.panel import in_words
from django_sched_tasks.models import ExecutionStatus, SchedulerNode, SchedulerTask, TaskExecution, TaskStatus

PARTS = ("health", "late", "running", "failing", "ahead", "hours")
SLOW_LOOP = 15.0  # seconds


def parts_context(seen: Overview, links: Links) -> dict[str, Any]:
    return {
        "health": _health(seen, links),
        "late": [_late(item, links, seen.now) for item in sorted(seen.late, key=lambda item: item.since)],
        "running": [_running(row, links, seen.now) for row in seen.running],
        "failing": [_failing(item, links) for item in seen.failing],
        "ahead": _ahead(seen.ahead, links, seen.now),
        "hours": _hours(seen.hours),
        "sees_executions": seen.hours is not None,
        "refreshed": f"{timezone.localtime(seen.now):%H:%M:%S}",
    }


def _health(seen: Overview, links: Links) -> dict[str, Any]:
    health = seen.health
    lag = health.loop_lag
    tone = "bad" if not health.nodes or health.problems else "warn" if (lag or 0) > SLOW_LOOP or seen.late else "good"
    if seen.held and tone != "bad":
        tone = "warn"
    words = {"bad": _("Not running"), "warn": _("On hold") if seen.held else _("Behind"), "good": _("Healthy")}
    if health.nodes and tone == "bad":
        words["bad"] = _("Disturbed")
    return {
        "badge": show.badge(words[tone], tone),
        "facts": list(_facts(health, links)),
        "problems": health.problems,
        "held": show.printable(seen.held),
    }


def _facts(health: Health, links: Links) -> Any:
    executions, nodes = links.to_list(TaskExecution), links.to_list(SchedulerNode)
    yield _("nodes"), show.link(nodes and f"{nodes}?state__exact=alive", health.nodes)
    yield _("slots in use"), f"{health.slots_in_use} / {health.slots}"
    yield _("loop lag"), show.NOTHING if health.loop_lag is None else show.duration(health.loop_lag)
    oldest = health.oldest_waiting
    yield _("oldest waiting"), _("none") if oldest is None else show.duration(oldest)
    for status in (ExecutionStatus.RUNNING, ExecutionStatus.QUEUED):
        count = health.open.get(status.value, 0)
        yield status.label, show.link(executions and f"{executions}?status__exact={status.value}", count)
    tasks = links.to_list(SchedulerTask)
    for state in (TaskStatus.ACTIVE, TaskStatus.PAUSED):
        count = health.tasks.get(state.value, 0)
        yield _("tasks: %s") % state.label, show.link(tasks and f"{tasks}?status__exact={state.value}", count)


def _late(item: Any, links: Links, now: datetime) -> dict[str, Any]:
    if item.execution is not None:
        row = item.execution
        name = f"{show.printable(row.task_name)} #{row.pk}"
        return {
            "name": show.link(links.to(TaskExecution, row.pk), name),
            "since": show.until(item.since, now),
            "why": item.why,
        }
    url, name = links.to(SchedulerTask, item.task.pk), show.printable(item.task.name)
    return {"name": show.link(url, name), "since": show.until(item.since, now), "why": show.printable(item.why)}


def _running(row: TaskExecution, links: Links, now: datetime) -> dict[str, Any]:
    since = (now - row.started_at).total_seconds() if row.started_at else None
    return {
        "name": show.link(links.to(TaskExecution, row.pk), f"{show.printable(row.task_name)} #{row.pk}"),
        "state": show.state(row.status, row.get_status_display()),
        "since": show.NOTHING if since is None else show.span(max(since, 0)),
        "progress": drawing.progress(row.progress),
        "ending": row.cancel_requested_at is not None,
    }


def _failing(item: Any, links: Links) -> dict[str, Any]:
    return {
        "name": show.link(links.to(SchedulerTask, item.task_id), show.printable(item.name)),
        "streak": item.streak,
        "last": show.link(links.to(TaskExecution, item.last_id), f"#{item.last_id}"),
        "when": show.moment(item.finished_at),
        "error": show.printable(item.error[:200]),
    }


def _ahead(ahead: Ahead, links: Links, now: datetime) -> dict[str, Any]:
    lanes = []
    for task, times in ahead.tasks:
        name = show.printable(task.name)
        label = _("%(task)s, next %(time)s") % {"task": name, "time": show.moment_text(times[0])}
        marks = [_to_come(time, ahead.excluded[task.pk].get(time)) for time in times]
        lane = drawing.lane(marks, now, now + DAY, label)
        lanes.append((show.link(links.to(SchedulerTask, task.pk), name), lane, show.until_text(times[0], now)))
    often = [
        (show.link(links.to(SchedulerTask, task.pk), show.printable(task.name)), in_words(task)) for task in ahead.often
    ]
    axis = [f"{timezone.localtime(now + HOUR * hours):%H:%M}" for hours in range(0, 25, 6)]
    return {"lanes": lanes, "often": often, "more": ahead.more, "axis": axis}


def _to_come(time: datetime, excluded: str | None) -> Mark:
    why = show.excluded(excluded)
    return Mark(time, time, "quiet" if why else "ahead", f"{show.moment_text(time)} {why}".strip())


def _hours(hours: Hours | None) -> dict[str, Any] | None:
    if hours is None:
        return None
    rows = []
    for index, start in enumerate(hours.starts):
        counts = [hours.outcomes[tone][index] for tone in ("good", "bad", "warn", "quiet")]
        if any(counts):
            times = [
                show.duration(values[name][index])
                for values in (hours.lateness, hours.durations)
                for name in ("p50", "p95")
            ]
            rows.append((f"{timezone.localtime(start):%Y-%m-%d %H:%M}", *counts, *times))
    totals = [sum(hours.outcomes[tone]) for tone in ("good", "bad", "warn", "quiet")]
    return {"rows": rows[::-1], "totals": totals, "is_cut": hours.is_cut}


def charts(seen: Overview) -> dict[str, Any] | None:
    """What overview.js draws, and what it writes beside it."""
    if seen.hours is None:
        return None
    texts = {
        "good": _("Succeeded"),
        "bad": _("Failed"),
        "warn": _("Skipped or missed"),
        "quiet": _("Cancelled"),
        "p50": _("half of them within"),
        "p95": _("95 of 100 within"),
        "max": _("the longest"),
        "time": _("hour"),
        "milliseconds": _("%d ms"),
        "seconds": _("%.1f s"),
        "minutes": _("%d min"),
    }
    return {"data": dict(series(seen.hours)), "texts": texts}
