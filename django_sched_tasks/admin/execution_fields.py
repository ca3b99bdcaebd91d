"""What the pages of executions show, field by field."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_sched_tasks import registry
from django_sched_tasks.admin import show
from django_sched_tasks.admin.panel import outcome
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution

# What a run left behind; shown where there is something.
LEFT = {
    "result_text": "result",
    "error": "error",
    "traceback_text": "traceback",
    "output_text": "output",
    "progress_text": "progress",
}


def _hidden(execution: TaskExecution) -> tuple[Any, Any]:
    return registry.hidden_arguments(execution.func, execution.args, execution.kwargs)


class ExecutionFields:
    """The columns of the list and the lines of a page."""

    @admin.display(description=gettext_lazy("execution"), ordering="id")
    def number(self, execution: TaskExecution) -> Any:
        attempt = [show.quiet(_("attempt %d") % execution.attempt)] if execution.attempt > 1 else []
        return show.joined([f"#{execution.pk}", *attempt])

    @admin.display(description=gettext_lazy("task"))
    def task_link(self, execution: Any) -> Any:
        name = show.printable(execution.task_name)
        if execution.task_id is None:
            return format_html("{}{}", name, show.quiet(_("deleted")))
        return show.link(execution.links.to(SchedulerTask, execution.task_id), name)

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

    @admin.display(description=gettext_lazy("queued at"))
    def queued(self, execution: TaskExecution) -> Any:
        return show.moment(execution.queued_at)

    @admin.display(description=gettext_lazy("run at"))
    def runs_at(self, execution: TaskExecution) -> Any:
        return show.moment(execution.run_at)

    @admin.display(description=gettext_lazy("started at"))
    def started(self, execution: TaskExecution) -> Any:
        return show.moment(execution.started_at)

    @admin.display(description=gettext_lazy("finished at"))
    def finished(self, execution: TaskExecution) -> Any:
        return show.moment(execution.finished_at)

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
        if execution.task_id is None:
            return execution.attempt
        same = {name: getattr(execution, name) for name in ("task_id", "kind", "fire_at", "request")}
        rows = TaskExecution.objects.filter(**same).order_by("attempt").only("attempt", "status", "task_name")
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
        shown = registry.hidden_arguments(execution.func, given.get("args"), given.get("kwargs"))
        texts = dict(zip(("args", "kwargs"), shown, strict=True))
        return show.block(show.as_json({name: texts.get(name, value) for name, value in given.items()}))

    @admin.display(description=gettext_lazy("executor options"))
    def executor_options_text(self, execution: TaskExecution) -> Any:
        return show.block(show.as_json(execution.executor_options))

    @admin.display(description=gettext_lazy("result"))
    def result_text(self, execution: TaskExecution) -> Any:
        return show.block(show.as_json(execution.result))

    @admin.display(description=gettext_lazy("progress"))
    def progress_text(self, execution: TaskExecution) -> Any:
        return show.block(show.as_json(execution.progress))

    @admin.display(description=gettext_lazy("traceback"))
    def traceback_text(self, execution: TaskExecution) -> Any:
        return show.block(execution.traceback)

    @admin.display(description=gettext_lazy("output"))
    def output_text(self, execution: TaskExecution) -> Any:
        return show.block(execution.output)

    @admin.display(description=gettext_lazy("result"))
    def nothing_left(self, execution: TaskExecution) -> str:
        return show.NOTHING


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
