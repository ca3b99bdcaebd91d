"""Run now, pause and resume: for the tasks selected in the list, or for the one of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from django_sched_tasks import database, operations
from django_sched_tasks.admin import show
from django_sched_tasks.admin.base import Button, Links, Refusals, SteeringAdmin
from django_sched_tasks.admin.waiting import live_nodes
from django_sched_tasks.models import SchedulerTask, TaskExecution, TaskStatus

Tasks = Iterable[SchedulerTask]

MOST_LINKS = 5


class NotingActionForm(helpers.ActionForm):
    """The choice of what to do with the selected tasks; a pause takes a note."""

    note = forms.CharField(
        label="",
        required=False,
        max_length=255,
        widget=forms.TextInput(
            {
                "class": "sched-action-note",
                "placeholder": gettext_lazy("Note for the pause (optional)"),
                "aria-label": gettext_lazy("Note for the pause (optional)"),
            }
        ),
    )


@dataclass(frozen=True, slots=True)
class Steering:
    """What the reader of the list may do to each row, and how to come back to the list as it is filtered."""

    may_run: bool
    may_pause: bool
    url_of: Callable[[str, Any], str]
    query: str


class SteeringActions(SteeringAdmin):
    actions = ("run_now", "pause", "resume")
    action_form = NotingActionForm

    def steering_of(self, request: HttpRequest) -> Steering:
        query = urlencode({"list": request.GET.urlencode()})
        return Steering(self.has_run_permission(request), self.has_pause_permission(request), self._url_of, query)

    @admin.display(description=gettext_lazy("steer"))
    def steer(self, task: Any) -> Any:
        """The buttons of a row: they belong to the list's own form, and send it somewhere else."""
        steering: Steering = task.steering
        parts = []
        if steering.may_run:
            parts.append(_row_button(task, "run", _("Run now")))
        if steering.may_pause and task.status == TaskStatus.ACTIVE:
            parts.append(_row_pause(task))
        if steering.may_pause and task.status == TaskStatus.PAUSED:
            parts.append(_row_button(task, "resume", _("Resume")))
        return format_html('<div class="sched-row">{}</div>', show.joined(parts))

    def buttons(self) -> Iterable[Button]:
        return (
            Button("run", gettext_lazy("Run now"), "run", self._run_one),
            Button("pause", gettext_lazy("Pause"), "pause", self._pause_one, _is(TaskStatus.ACTIVE), with_note=True),
            Button("resume", gettext_lazy("Resume"), "pause", self._resume_one, _is(TaskStatus.PAUSED)),
        )

    @admin.action(description=gettext_lazy("Run the selected tasks now"), permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[SchedulerTask]) -> None:
        self._run(request, queryset.order_by("pk"))

    @admin.action(description=gettext_lazy("Pause the selected tasks"), permissions=["pause"])
    def pause(self, request: HttpRequest, queryset: QuerySet[SchedulerTask]) -> None:
        self._pause(request, queryset.order_by("pk"), note=request.POST.get("note", ""))

    @admin.action(description=gettext_lazy("Resume the selected tasks"), permissions=["pause"])
    def resume(self, request: HttpRequest, queryset: QuerySet[SchedulerTask]) -> None:
        self._resume(request, queryset.order_by("pk"))

    def _run_one(self, request: HttpRequest, task: SchedulerTask) -> None:
        self._run(request, [task])

    def _pause_one(self, request: HttpRequest, task: SchedulerTask) -> None:
        note = request.POST.get(_note_of(task)) or request.POST.get("note", "")
        self._pause(request, [task], note=note)

    def _resume_one(self, request: HttpRequest, task: SchedulerTask) -> None:
        self._resume(request, [task])

    def _run(self, request: HttpRequest, tasks: Tasks) -> None:
        queued: list[TaskExecution] = []
        refusals = Refusals()
        for task in tasks:
            with refusals.of(task):
                execution = operations.run_task(task.pk, user=request.user)
                queued.append(execution)
        if queued:
            messages.success(request, self._queued_text(request, queued))
            self._warn_without_nodes(request)
        refusals.tell(request)

    def _queued_text(self, request: HttpRequest, queued: list[TaskExecution]) -> Any:
        links = Links(self.admin_site, request)
        text = ngettext("%d execution is queued.", "%d executions are queued.", len(queued)) % len(queued)
        shown = ((links.to(TaskExecution, execution.pk), execution) for execution in queued[:MOST_LINKS])
        linked = [(url, execution) for url, execution in shown if url]
        comma = pgettext("between the items of a list", ", ")
        return format_html("{} {}", text, format_html_join(comma, '<a href="{}">{}</a>', linked))

    def _warn_without_nodes(self, request: HttpRequest) -> None:
        if not live_nodes(database.now()):
            messages.warning(request, _("No scheduler is running now: what is queued waits until one starts."))

    def _pause(self, request: HttpRequest, tasks: Tasks, note: str = "") -> None:
        paused = already = waiting = 0
        refusals = Refusals()
        for task in tasks:
            with refusals.of(task):
                result = operations.pause_task(task.pk, note=note, user=request.user)
                if result.changed:
                    paused, waiting = paused + 1, waiting + result.waiting
                else:
                    already += 1
        texts = []
        if paused:
            texts.append(ngettext("%d task is paused.", "%d tasks are paused.", paused) % paused)
        if already:
            texts.append(ngettext("%d was paused already.", "%d were paused already.", already) % already)
        if waiting:
            text = ngettext("%d queued execution still runs.", "%d queued executions still run.", waiting)
            texts.append(text % waiting)
        _tell(request, texts, changed=bool(paused))
        refusals.tell(request)

    def _resume(self, request: HttpRequest, tasks: Tasks) -> None:
        resumed = already = 0
        refusals = Refusals()
        for task in tasks:
            with refusals.of(task):
                operations.resume_task(task.pk, user=request.user)
                if task.status == TaskStatus.ACTIVE:
                    already += 1
                else:
                    resumed += 1
        texts = []
        if resumed:
            texts.append(ngettext("%d task is active again.", "%d tasks are active again.", resumed) % resumed)
        if already:
            texts.append(ngettext("%d was active already.", "%d were active already.", already) % already)
        _tell(request, texts, changed=bool(resumed))
        refusals.tell(request)


def _note_of(task: SchedulerTask) -> str:
    """The name of the note's field in a task's row: the rows of a list share one form."""
    return f"note-{task.pk}"


def _row_button(task: Any, name: str, label: str) -> Any:
    url = f"{task.steering.url_of(name, task.pk)}?{task.steering.query}"
    html = '<button type="submit" class="sched-act" formaction="{}" aria-label="{}">{}</button>'
    return format_html(
        html, url, _("%(action)s: %(task)s") % {"action": label, "task": show.printable(task.name)}, label
    )


def _row_pause(task: Any) -> Any:
    html = (
        '<details class="sched-menu"><summary class="sched-act" aria-label="{}">{}</summary>'
        '<div><input type="text" name="{}" maxlength="255" placeholder="{}" aria-label="{}">{}</div></details>'
    )
    label, note = _("Pause"), _("Note (optional)")
    about = _("%(action)s: %(task)s") % {"action": label, "task": show.printable(task.name)}
    return format_html(html, about, label, _note_of(task), note, note, _row_button(task, "pause", label))


def _is(status: int) -> Callable[[SchedulerTask], bool]:
    return lambda task: task.status == status


def _tell(request: HttpRequest, texts: list[str], *, changed: bool) -> None:
    if texts:
        messages.add_message(request, messages.SUCCESS if changed else messages.INFO, " ".join(texts))
