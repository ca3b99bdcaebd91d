"""What the pages of executions show, field by field."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_sched_tasks import registry
from django_sched_tasks.admin import show, traceback
from django_sched_tasks.admin.course import course
from django_sched_tasks.admin.panel import outcome
from django_sched_tasks.admin.recent import BACKWARDS
from django_sched_tasks.admin.waiting import live_nodes
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution

# What a run left behind; shown where there is something.
LEFT = {
    "result_text": "result",
    "error_text": "error",
    "traceback_text": "traceback",
}


# What it was given; likewise.
GIVEN = {
    "args_text": "args",
    "kwargs_text": "kwargs",
    "overrides_text": "overrides",
    "executor_options_text": "executor_options",
}


def _hidden(execution: TaskExecution) -> tuple[Any, Any]:
    return registry.hidden_arguments(execution.func, execution.args, execution.kwargs, enqueued=execution.is_enqueued)


class ExecutionFields:
    """The columns of the list and the lines of a page."""

    @admin.display(description=gettext_lazy("execution"), ordering="id")
    def number(self, execution: TaskExecution) -> Any:
        attempt = [show.quiet(_("attempt %d") % execution.attempt)] if execution.attempt > 1 else []
        return show.joined([f"#{execution.pk}", *attempt])

    @admin.display(description=gettext_lazy("status"))
    def course(self, execution: Any) -> Any:
        """From due to done; while it is open, live.js shows it anew."""
        nodes, now = live_nodes(timezone.now()), timezone.now()
        return format_html('<div id="sched-course">{}</div>', course(execution, nodes, now))

    @admin.display(description=gettext_lazy("before and after"))
    def neighbours(self, execution: Any) -> Any:
        """The executions of the task before and after this one."""
        links = []
        for text, row in zip((_("before"), _("after")), _neighbours(execution), strict=True):
            if row is not None:
                url = execution.links.to(TaskExecution, row.pk)
                links.append(
                    format_html(
                        "<div>{}: {} {} {}</div>",
                        text,
                        show.link(url, f"#{row.pk}"),
                        show.moment(row.fire_at),
                        _badge(row),
                    )
                )
        return show.joined(links) or show.NOTHING

    @admin.display(description=gettext_lazy("task"))
    def task_link(self, execution: Any) -> Any:
        name = show.printable(execution.task_name)
        if execution.task_id is None:
            return name if execution.is_enqueued else format_html("{}{}", name, show.quiet(_("deleted")))
        return show.link(execution.links.to(SchedulerTask, execution.task_id), name)

    @admin.display(description=gettext_lazy("result id"))
    def result_id(self, execution: TaskExecution) -> str:
        """By which code finds the result of a task that it has enqueued."""
        return execution.request

    @admin.display(description=gettext_lazy("kind"))
    def kind_and_who(self, execution: TaskExecution) -> Any:
        who = [show.quiet(_("by %s") % execution.requested_by)] if execution.requested_by else []
        return show.joined([execution.get_kind_display(), *who])

    @admin.display(description=gettext_lazy("status"))
    def outcome(self, execution: TaskExecution) -> Any:
        return outcome(execution)

    @admin.display(description=gettext_lazy("fire time"))
    def fire_time(self, execution: TaskExecution) -> Any:
        return show.moment(execution.fire_at)

    @admin.display(description=gettext_lazy("started at"))
    def started(self, execution: TaskExecution) -> Any:
        return show.moment(execution.started_at)

    @admin.display(description=gettext_lazy("duration"))
    def took(self, execution: TaskExecution) -> str:
        return show.duration(execution.duration)

    @admin.display(description=gettext_lazy("node"))
    def node_link(self, execution: Any) -> Any:
        """The node; history outlives the nodes' rows, and then knows only their id."""
        if execution.node_id is None:
            return show.NOTHING
        node = _node_of(execution)
        return execution.node_id if node is None else show.link(execution.links.to(SchedulerNode, node.pk), node)

    @admin.display(description=gettext_lazy("attempts"))
    def attempts(self, execution: Any) -> Any:
        """All attempts at what this one stands for."""
        if not execution.is_wanted:
            return execution.attempt
        rows = TaskExecution.objects.attempts_at(execution).order_by("attempt")
        rows = rows.only("attempt", "status", "task_name")
        return format_html_join("", "<div>{} {}</div>", ((_attempt(row, execution), _badge(row)) for row in rows))

    @admin.display(description=gettext_lazy("positional arguments"))
    def args_text(self, execution: TaskExecution) -> Any:
        return show.block(show.as_json(_hidden(execution)[0]))

    @admin.display(description=gettext_lazy("keyword arguments"))
    def kwargs_text(self, execution: TaskExecution) -> Any:
        return show.block(show.as_json(_hidden(execution)[1]))

    @admin.display(description=gettext_lazy("overrides"))
    def overrides_text(self, execution: TaskExecution) -> Any:
        if not execution.overrides:
            return show.NOTHING
        given = execution.overrides
        shown = registry.hidden_arguments(
            execution.func, given.get("args"), given.get("kwargs"), enqueued=execution.is_enqueued
        )
        texts = dict(zip(("args", "kwargs"), shown, strict=True))
        return show.block(show.as_json({name: texts.get(name, value) for name, value in given.items()}))

    @admin.display(description=gettext_lazy("executor options"))
    def executor_options_text(self, execution: TaskExecution) -> Any:
        return show.block(show.as_json(execution.executor_options))

    @admin.display(description=gettext_lazy("result"))
    def result_text(self, execution: TaskExecution) -> Any:
        return show.block(show.as_json(execution.result))

    @admin.display(description=gettext_lazy("error"))
    def error_text(self, execution: TaskExecution) -> Any:
        return show.alarm(show.printable(execution.error))

    @admin.display(description=gettext_lazy("traceback"))
    def traceback_text(self, execution: TaskExecution) -> Any:
        return traceback.folded(execution.traceback)

    @admin.display(description=gettext_lazy("output"))
    def output_text(self, execution: TaskExecution) -> Any:
        """It grows while the run goes on: live.js writes into it."""
        html = '<pre class="sched-pre sched-output" id="sched-output" tabindex="0" aria-label="{}">{}</pre>{}'
        nothing = (
            "" if execution.output else show.quiet(_("None yet.") if execution.finished_at is None else _("None."))
        )
        return format_html(html, _("output"), show.printable(execution.output), nothing)

    @admin.display(description=gettext_lazy("arguments"))
    def no_arguments(self, execution: TaskExecution) -> str:
        return _("None.")

    @admin.display(description=gettext_lazy("result"))
    def nothing_left(self, execution: TaskExecution) -> str:
        return show.NOTHING


def _neighbours(execution: TaskExecution) -> tuple[TaskExecution | None, TaskExecution | None]:
    if execution.task_id is None:
        return None, None
    rows = TaskExecution.objects.filter(task=execution.task_id).only("fire_at", "status", "task_name")
    earlier = rows.filter(fire_at__lt=execution.fire_at).order_by(*BACKWARDS).first()
    later = rows.filter(fire_at__gt=execution.fire_at).order_by(*(name.lstrip("-") for name in BACKWARDS)).first()
    return earlier, later


def _node_of(execution: TaskExecution) -> SchedulerNode | None:
    try:
        return execution.node
    except SchedulerNode.DoesNotExist:
        return None


def _attempt(row: TaskExecution, shown: Any) -> Any:
    text = _("attempt %(attempt)d, execution #%(id)d") % {"attempt": row.attempt, "id": row.pk}
    return text if row.pk == shown.pk else show.link(shown.links.to(TaskExecution, row.pk), text)


def _badge(row: TaskExecution) -> Any:
    return show.state(row.status, row.get_status_display())
