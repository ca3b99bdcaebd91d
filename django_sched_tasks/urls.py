"""The addresses: the five of the specification, and the resources. A slash at the end is welcome and not needed."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, re_path
from rest_framework.routers import SimpleRouter

from django_sched_tasks.api.health import HealthViewSet
from django_sched_tasks.api.lookups import (
    ExecutorViewSet,
    FunctionViewSet,
    NodeViewSet,
    StatsViewSet,
    TriggerViewSet,
)
from django_sched_tasks.api.state import StateViewSet
from django_sched_tasks.api.views import ExecutionViewSet, TaskViewSet

app_name = "sched_tasks"


class Router(SimpleRouter):
    """DRF's own, with or without the slash at the end, whatever APPEND_SLASH says."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


def _route(address: str, view: Any, *, name: str, basename: str, **actions: str) -> URLPattern:
    """One address for the actions of a viewset, with what the first action's own decorator sets for it."""
    action = next(iter(actions.values()))
    options = getattr(getattr(view, action), "kwargs", {})
    pattern: URLPattern = re_path(rf"^{address}/?$", view.as_view(actions, basename=basename, **options), name=name)
    return pattern


ID = "(?P<pk>[^/]+)"

router = Router()
router.register("tasks", TaskViewSet, basename="task")
router.register("executions", ExecutionViewSet, basename="execution")
router.register("functions", FunctionViewSet, basename="function")
router.register("executors", ExecutorViewSet, basename="executor")
router.register("nodes", NodeViewSet, basename="node")

urlpatterns = [
    _route("task/list", TaskViewSet, get="list", name="spec-list", basename="task"),
    _route("task/add", TaskViewSet, post="create", name="spec-add", basename="task"),
    _route(f"task/pause/{ID}", TaskViewSet, post="pause", name="spec-pause", basename="task"),
    _route(f"task/resume/{ID}", TaskViewSet, post="resume", name="spec-resume", basename="task"),
    _route(f"task/run/{ID}", TaskViewSet, post="run", name="spec-run", basename="task"),
    _route(
        "tasks/(?P<task>[^/]+)/executions", ExecutionViewSet, get="list", name="task-executions", basename="execution"
    ),
    _route("triggers/preview", TriggerViewSet, post="preview", name="trigger-preview", basename="trigger"),
    _route(
        "maintenance",
        StateViewSet,
        put="start_maintenance",
        get="show_maintenance",
        delete="end_maintenance",
        name="maintenance",
        basename="state",
    ),
    _route(
        "exclusions", StateViewSet, put="set_exclusions", get="show_exclusions", name="exclusions", basename="state"
    ),
    _route("environment", StateViewSet, get="show_environment", name="environment", basename="state"),
    _route(
        "environment/confirm", StateViewSet, post="confirm_environment", name="environment-confirm", basename="state"
    ),
    _route("stats", StatsViewSet, get="show", name="stats", basename="stats"),
    _route("health", HealthViewSet, get="show", name="health", basename="health"),
    *router.urls,
]
