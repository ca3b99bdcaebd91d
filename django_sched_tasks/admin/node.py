"""The pages of nodes: which schedulers run on this database, and how they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_sched_tasks import conf, database, operations
from django_sched_tasks.admin import show
from django_sched_tasks.admin.base import HistoryAdmin, LinkingChangeList
from django_sched_tasks.models import SchedulerNode
from django_sched_tasks.models.node import LIVE_STATES

SHOWN = (
    "process",
    "condition",
    "started_by",
    "queue_names",
    "slots_used",
    "sign_of_life",
    "last_pass",
    "clock",
    "versions_text",
)


class NodeChangeList(LinkingChangeList):
    """Each node with what keeps all of them from planning and starting anything."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        held = operations.why_held(database.now())
        for node in self.result_list:
            node.held = held


class NodeAdmin(HistoryAdmin):
    list_display = SHOWN
    list_filter = ("state",)
    search_fields = ("host", "started_by")
    ordering = ("-started_at",)
    list_per_page = 50
    show_full_result_count = False
    fields = (*SHOWN, "executors_text", "id", "machine", "started", "stopped")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NodeChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        node = super().get_object(request, object_id, from_field)
        if node is not None:
            node.held = operations.why_held(database.now())
        return node

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    @admin.display(description=gettext_lazy("process"), ordering="host")
    def process(self, node: SchedulerNode) -> str:
        return str(node)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def condition(self, node: Any) -> Any:
        """The state; a node that says it lives but has been silent is told as such, and why one does not work."""
        silent = timezone.now() - node.heartbeat_at > timedelta(seconds=conf.node_timeout())
        if silent and node.state in LIVE_STATES:
            return show.badge(_("Silent"), "bad")
        told = [show.state(node.state, node.get_state_display())]
        why = node.problem or node.held
        if why and node.state in LIVE_STATES:
            told.append(show.quiet(show.printable(why)))
        return show.joined(told)

    @admin.display(description=gettext_lazy("queues"))
    def queue_names(self, node: SchedulerNode) -> str:
        return _("all") if node.queues is None else ", ".join(map(str, node.queues))

    @admin.display(description=gettext_lazy("executors"))
    def executors_text(self, node: SchedulerNode) -> str:
        return ", ".join(map(str, node.executors))

    @admin.display(description=gettext_lazy("slots in use"))
    def slots_used(self, node: SchedulerNode) -> str:
        return f"{node.slots_in_use} / {node.slots}"

    @admin.display(description=gettext_lazy("sign of life"), ordering="heartbeat_at")
    def sign_of_life(self, node: SchedulerNode) -> Any:
        return show.age(node.heartbeat_at, timezone.now())

    @admin.display(description=gettext_lazy("last pass"), ordering="loop_at")
    def last_pass(self, node: SchedulerNode) -> Any:
        return show.age(node.loop_at, timezone.now())

    @admin.display(description=gettext_lazy("clock offset"), ordering="clock_offset")
    def clock(self, node: SchedulerNode) -> str:
        return _("%+.3f s") % node.clock_offset

    @admin.display(description=gettext_lazy("versions"))
    def versions_text(self, node: SchedulerNode) -> str:
        return ", ".join(f"{name} {version}" for name, version in node.versions.items())

    @admin.display(description=gettext_lazy("started at"), ordering="started_at")
    def started(self, node: SchedulerNode) -> Any:
        return show.moment(node.started_at)

    @admin.display(description=gettext_lazy("stopped at"))
    def stopped(self, node: SchedulerNode) -> Any:
        return show.moment(node.stopped_at)
