"""How a task stands, as the page of a task tells it above and below its form."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import F
from django.utils import timezone
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from django_sched_tasks import database, operations, triggers
from django_sched_tasks.admin import drawing, show
from django_sched_tasks.admin.recent import BACKWARDS
from django_sched_tasks.admin.recent import LATEST as STRIP
from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.models import SchedulerTask, Source, TaskExecution, TaskStatus
from django_sched_tasks.triggers.zones import zone_named

NEXT = 10
LATEST = 10


def in_words(task: SchedulerTask) -> str:
    return show.printable(triggers.describe(task.trigger, task.trigger_args, timezone=task.timezone))


class TaskPanel:
    """The read-only fields of a task's page."""

    standing_fields = (("standing", "trigger_in_words"), ("next_run_time", "last_run_time"))
    record_fields = ("next_fire_times", "latest_executions", "job_id", "counters", "made", "changed")

    @admin.display(description=gettext_lazy("state"), ordering="status")
    def state(self, task: SchedulerTask) -> Any:
        """In the list: what is wrong in a word."""
        wrong = [show.badge(_("Schedule error"), "bad")] if task.schedule_error else []
        return show.joined([*_state_and_note(task), *wrong])

    @admin.display(description=gettext_lazy("state"))
    def standing(self, task: SchedulerTask) -> Any:
        wrong = [show.alarm(show.printable(task.schedule_error))] if task.schedule_error else []
        origin = [show.quiet(_("Declared in code, beside its function."))] if task.source == Source.CODE else []
        return show.joined([*_state_and_note(task), *origin, *wrong])

    @admin.display(description=gettext_lazy("trigger"), ordering="trigger")
    def trigger_in_words(self, task: SchedulerTask) -> str:
        return in_words(task)

    @admin.display(description=gettext_lazy("next run"), ordering=F("next_run").asc(nulls_last=True))
    def next_run_time(self, task: SchedulerTask) -> Any:
        return show.until(task.next_run, timezone.now())

    @admin.display(description=gettext_lazy("last run"), ordering=F("last_run").desc(nulls_last=True))
    def last_run_time(self, task: SchedulerTask) -> Any:
        return show.moment(task.last_run)

    @admin.display(description=gettext_lazy("last run"), ordering=F("last_run").desc(nulls_last=True))
    def last_run_and_outcome(self, task: Any) -> Any:
        """In the list: what the latest ended execution came to, above the time of the latest start."""
        last = task.recent.last
        ended = []
        if last is not None:
            ended = [
                show.link(task.links.to(TaskExecution, last.pk), show.state(last.status, last.get_status_display()))
            ]
        return show.joined([*ended, show.quiet(show.moment(task.last_run))])

    @admin.display(description=gettext_lazy("latest outcomes"))
    def outcomes(self, task: Any) -> Any:
        """In the list: a bar for each, then the rate of success and how long a run takes."""
        if not task.recent.executions:
            return show.NOTHING
        url = task.links.to_list(TaskExecution)
        bars = show.link(url and f"{url}?task__id__exact={task.pk}", drawing.strip(task.recent.executions, STRIP))
        return show.joined([bars, show.quiet(_in_short(task.recent))])

    @admin.display(description=gettext_lazy("next fire times"))
    def next_fire_times(self, task: SchedulerTask) -> Any:
        if task.status == TaskStatus.FINISHED:
            return _("None: the task has finished.")
        name = task.timezone or settings.TIME_ZONE
        try:
            times = _next_times(task, name)
        except InvalidTrigger as error:
            return show.alarm(show.printable(str(error)))
        zone = zone_named(name, field="timezone")
        heading = _("In %(zone)s:") if task.status == TaskStatus.ACTIVE else _("In %(zone)s, were it active:")
        notes = operations.notes_of(operations.exclusions_of(task, using=database.alias()), times)
        items = _items([_in_zone(time, zone, show.excluded(notes.get(time))) for time in times])
        return format_html('{}<ol class="sched-times">{}</ol>', heading % {"zone": name}, items)

    @admin.display(description=gettext_lazy("latest executions"))
    def latest_executions(self, task: SchedulerTask) -> Any:
        latest = TaskExecution.objects.filter(task=task).order_by(*BACKWARDS)
        fields = ("kind", "fire_at", "attempt", "status", "reason", "started_at", "duration", "error")
        rows = [_execution_row(execution, task) for execution in latest.only(*fields)[:LATEST]]
        if not rows:
            return _("None yet.")
        head = [_("execution"), _("fire time"), _("status"), _("started at"), _("duration")]
        return format_html("{}{}", show.table(head, rows), _all_executions(task))

    @admin.display(description=gettext_lazy("counters"))
    def counters(self, task: SchedulerTask) -> str:
        return _("%(fires)d fire times, %(runs)d runs, %(skipped)d skipped, %(missed)d missed") % {
            "fires": task.fire_count,
            "runs": task.run_count,
            "skipped": task.skipped_count,
            "missed": task.missed_count,
        }

    @admin.display(description=gettext_lazy("created"))
    def made(self, task: SchedulerTask) -> Any:
        return format_html("{} {} ({})", show.moment(task.created_at), task.created_by, task.get_source_display())

    @admin.display(description=gettext_lazy("updated"))
    def changed(self, task: SchedulerTask) -> Any:
        return format_html("{} {}", show.moment(task.updated_at), task.updated_by)


def _in_short(recent: Any) -> str:
    texts = []
    if recent.success_rate is not None:
        texts.append(_("%(rate)s succeeded") % {"rate": f"{recent.success_rate:.0%}"})
    if recent.typical_duration is not None:
        texts.append(_("typically %(duration)s") % {"duration": show.duration(recent.typical_duration)})
    return pgettext("between the items of a list", ", ").join(texts)


def _state_and_note(task: SchedulerTask) -> list[Any]:
    note = [show.quiet(show.printable(task.pause_note))] if task.pause_note else []
    return [show.state(task.status, task.get_status_display()), *note]


def _next_times(task: SchedulerTask, zone: str) -> list[datetime]:
    return triggers.preview(
        task.trigger, task.trigger_args, timezone=zone, after=timezone.now(), count=NEXT, anchor=task.anchor
    )


def _in_zone(time: datetime, zone: tzinfo, note: str) -> Any:
    local = time.astimezone(zone)
    day = WEEKDAYS_ABBR[local.weekday()]
    told = format_html(' <span class="sched-clock">{}</span>', note) if note else ""
    return format_html("{} <small>{} {}</small>{}", show.moment(time, zone), day, f"{local:%Z}", told)


def _items(texts: list[Any]) -> Any:
    return show.joined(format_html("<li>{}</li>", text) for text in texts)


def _execution_row(execution: TaskExecution, task: Any) -> list[Any]:
    number = f"#{execution.pk}"
    if execution.attempt > 1:
        number = _("%(number)s, attempt %(attempt)d") % {"number": number, "attempt": execution.attempt}
    url = task.links.to(TaskExecution, execution.pk)
    return [
        format_html("{} {}", show.link(url, number), execution.get_kind_display()),
        show.moment(execution.fire_at),
        outcome(execution),
        show.moment(execution.started_at),
        show.duration(execution.duration),
    ]


def outcome(execution: TaskExecution) -> Any:
    """The state of an execution, and why in a line."""
    why = execution.get_reason_display() if execution.reason else ""
    lines = [line for line in (why, show.printable(execution.error[:200])) if line]
    return format_html(
        "{}{}",
        show.state(execution.status, execution.get_status_display()),
        show.joined(show.quiet(line) for line in lines),
    )


def _all_executions(task: Any) -> Any:
    url = task.links.to_list(TaskExecution)
    return show.link(f"{url}?task__id__exact={task.pk}", _("All executions of this task")) if url else ""
