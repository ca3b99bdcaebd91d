"""What each address takes and answers, errors among them."""

from __future__ import annotations

import functools
from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import OpenApiResponse, extend_schema

from django_sched_tasks.api.openapi import answers, parameters
from django_sched_tasks.api.serializers import (
    BackfillSerializer,
    ExclusionsSerializer,
    ExecutionSerializer,
    ExecutorSerializer,
    FunctionSerializer,
    MaintenanceSerializer,
    NodeSerializer,
    PauseSerializer,
    PreviewSerializer,
    RunSerializer,
    TaskSerializer,
)

TAG = "scheduler"

REFUSED = OpenApiResponse(answers.RefusalSerializer, "Something in the request is not valid; keyed by field.")
PROBLEMS: dict[int, OpenApiResponse] = {
    status: OpenApiResponse(answers.ProblemSerializer, told)
    for status, told in {
        401: "Nobody is logged in.",
        403: "Nobody is logged in, or the permission is missing.",
        404: "There is no such row, or no such page.",
        406: "Only JSON is answered.",
        409: "The state of the task or of the execution forbids it, or the key was used for something else.",
        413: "The body is larger than the site accepts.",
        415: "The body is not JSON.",
        429: "Too many requests, where the site limits them.",
        503: "The database cannot be used at the moment, or `migrate` has not run.",
    }.items()
}
ALWAYS = (401, 403, 406, 429, 503)
WITH_BODY = (413, 415)


def told(
    *statuses: int,
    answer: Any,
    code: int = 200,
    about: str = "",
    request: Any = None,
    also: Any = (),
    **options: Any,
) -> Any:
    """An operation: what it takes, what it answers, and with which statuses it refuses beside those of all."""
    errors = {*ALWAYS, *statuses, *(WITH_BODY if request is not None else ())}
    responses: dict[int, Any] = {code: OpenApiResponse(answer, about)}
    responses |= {400: REFUSED} if 400 in errors else {}
    responses |= {status: PROBLEMS[status] for status in sorted(errors - {400, *responses})}
    headers = [parameters.RETRY_AFTER, parameters.WWW_AUTHENTICATE, *([parameters.LOCATION] if code == 201 else [])]
    return extend_schema(request=request, responses=responses, parameters=[*also, *headers], tags=[TAG], **options)


def _described(target: Any, **operations: Any) -> Any:
    """A view in place of ours, for the schema alone: its methods are copies, so that ours stay as they are."""
    return type(target.__name__, (target,), {name: tell(_copy(target, name)) for name, tell in operations.items()})


def _copy(target: Any, name: str) -> Any:
    original = getattr(target, name)

    @functools.wraps(original)
    def method(*args: Any, **options: Any) -> Any:
        return original(*args, **options)

    method.kwargs = dict(getattr(original, "kwargs", {}))  # type: ignore[attr-defined]  # where @action keeps its own
    return method


def listed(row: Any, *statuses: int, **options: Any) -> Any:
    return told(400, 404, *statuses, answer=row(many=True), **options)


class Tasks(OpenApiViewExtension):
    target_class = "django_sched_tasks.api.views.TaskViewSet"

    def view_replacement(self) -> Any:
        one = [parameters.TASK_ID]
        key = [*one, parameters.IDEMPOTENCY_KEY]
        return _described(
            self.target,
            list=listed(TaskSerializer),
            create=told(400, answer=TaskSerializer, code=201, request=TaskSerializer),
            retrieve=told(404, answer=TaskSerializer, also=one),
            update=told(400, 404, answer=TaskSerializer, request=TaskSerializer, also=one),
            partial_update=told(400, 404, answer=TaskSerializer, request=TaskSerializer, also=one),
            destroy=told(404, answer=None, code=204, about="It is deleted; its history is kept.", also=one),
            pause=told(400, 404, 409, answer=answers.PausedTaskSerializer, request=PauseSerializer, also=one),
            resume=told(400, 404, 409, 413, 415, answer=TaskSerializer, also=one),
            run=told(
                *(400, 404, 409),
                answer=ExecutionSerializer,
                code=202,
                about="It is queued; any node takes it next.",
                request=RunSerializer,
                also=key,
            ),
            backfill=_backfill(key),
            next_runs=told(400, 404, answer=answers.FireTimesSerializer, also=[*one, parameters.COUNT]),
        )


def _backfill(also: Any) -> Any:
    responses = {
        200: OpenApiResponse(answers.BackfillResultSerializer, "What a dry run would queue."),
        202: OpenApiResponse(answers.BackfillResultSerializer, "They are queued."),
        400: REFUSED,
        **{status: PROBLEMS[status] for status in sorted({*ALWAYS, *WITH_BODY, 404, 409})},
    }
    headers = [parameters.RETRY_AFTER, parameters.WWW_AUTHENTICATE]
    return extend_schema(request=BackfillSerializer, responses=responses, parameters=[*also, *headers], tags=[TAG])


class Executions(OpenApiViewExtension):
    target_class = "django_sched_tasks.api.views.ExecutionViewSet"

    def view_replacement(self) -> Any:
        one = [parameters.EXECUTION_ID]
        return _described(
            self.target,
            list=_below_a_task(listed(ExecutionSerializer)),
            retrieve=told(404, answer=ExecutionSerializer, also=one),
            cancel=told(400, 404, 409, 413, 415, answer=ExecutionSerializer, also=one),
            retry=told(
                *(400, 404, 409),
                answer=ExecutionSerializer,
                code=202,
                about="A further attempt is queued.",
                request=RunSerializer,
                also=one,
            ),
        )


def _below_a_task(tell: Any) -> Any:
    """The same list has two addresses, one of which names a task."""

    def tell_both(method: Any) -> Any:
        told_method = tell(method)
        of_all: Any = told_method.kwargs["schema"]

        class OfOneTask(of_all):  # type: ignore[misc]  # made anew by each decorator
            def get_override_parameters(self) -> list[Any]:
                given: list[Any] = super().get_override_parameters()
                return [*given, parameters.TASK_OF_EXECUTIONS] if "{task}" in self.path else given

        told_method.kwargs["schema"] = OfOneTask
        return told_method

    return tell_both


class Functions(OpenApiViewExtension):
    target_class = "django_sched_tasks.api.lookups.FunctionViewSet"

    def view_replacement(self) -> Any:
        return _described(self.target, list=listed(FunctionSerializer))


class Executors(OpenApiViewExtension):
    target_class = "django_sched_tasks.api.lookups.ExecutorViewSet"

    def view_replacement(self) -> Any:
        return _described(self.target, list=listed(ExecutorSerializer))


class Nodes(OpenApiViewExtension):
    target_class = "django_sched_tasks.api.lookups.NodeViewSet"

    def view_replacement(self) -> Any:
        return _described(
            self.target,
            list=listed(NodeSerializer),
            retrieve=told(404, answer=NodeSerializer, also=[parameters.NODE_ID]),
        )


class Triggers(OpenApiViewExtension):
    target_class = "django_sched_tasks.api.lookups.TriggerViewSet"

    def view_replacement(self) -> Any:
        preview = told(400, answer=answers.FireTimesSerializer, request=PreviewSerializer)
        return _described(self.target, preview=preview)


class Stats(OpenApiViewExtension):
    target_class = "django_sched_tasks.api.lookups.StatsViewSet"

    def view_replacement(self) -> Any:
        return _described(self.target, show=told(answer=answers.FiguresSerializer))


class State(OpenApiViewExtension):
    target_class = "django_sched_tasks.api.state.StateViewSet"

    def view_replacement(self) -> Any:
        maintenance, exclusions = answers.MaintenanceStateSerializer, answers.ExclusionsStateSerializer
        confirmed = answers.ConfirmedEnvironmentSerializer
        return _described(
            self.target,
            show_maintenance=told(answer=maintenance),
            start_maintenance=told(400, answer=maintenance, request=MaintenanceSerializer),
            end_maintenance=told(answer=maintenance),
            show_exclusions=told(answer=exclusions),
            set_exclusions=told(400, answer=exclusions, request=ExclusionsSerializer),
            show_environment=told(answer=answers.EnvironmentSerializer),
            confirm_environment=told(400, 413, 415, answer=confirmed),
        )


class Health(OpenApiViewExtension):
    target_class = "django_sched_tasks.api.health.HealthViewSet"

    def view_replacement(self) -> Any:
        responses = {
            200: OpenApiResponse(answers.HealthSerializer, "Schedules are kept."),
            503: OpenApiResponse(answers.HealthSerializer, "They are not."),
            **{status: PROBLEMS[status] for status in ALWAYS if status != 503},
        }
        return _described(self.target, show=extend_schema(request=None, responses=responses, tags=[TAG]))
