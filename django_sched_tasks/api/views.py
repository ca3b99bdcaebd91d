"""Tasks and executions: read the request, call an operation, show what it answers."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from django_sched_tasks import database, definitions, operations
from django_sched_tasks.api import reading
from django_sched_tasks.api.base import SchedulerViewSet
from django_sched_tasks.api.filters import EXECUTION_FILTERS, TASK_FILTERS
from django_sched_tasks.api.fire_times import fire_times
from django_sched_tasks.api.pagination import HistoryPagination
from django_sched_tasks.api.rows import PlainListMixin, utc_text
from django_sched_tasks.api.serializers import (
    READ_ONLY,
    BackfillSerializer,
    ExecutionSerializer,
    NoBodySerializer,
    PauseSerializer,
    RunSerializer,
    TaskSerializer,
)
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import ExecutionStatus, SchedulerTask, TaskExecution

RUN = "run_schedulertask"
BACKFILL_FIELDS = ("start", "end", "reprocess", "limit", "dry_run")
REPROCESS = {word: word for word in operations.Reprocess.values}
PAUSE = "pause_schedulertask"


class TaskViewSet(PlainListMixin, mixins.RetrieveModelMixin, SchedulerViewSet):
    """Scheduled tasks, and the verbs for them."""

    serializer_class = TaskSerializer
    unshown = (
        *("planned_trigger", "planned_trigger_args", "planned_timezone", "planned_status"),
        *("plan_at", "follows"),
    )
    beside = ("last_status",)
    needs = {"pause": PAUSE, "resume": PAUSE, "run": RUN, "backfill": RUN}
    filters = TASK_FILTERS
    search_fields = ("name", "job_id", "func", "description")
    ordering_fields = (
        *("id", "name", "job_id", "func", "trigger", "status", "queue", "priority"),
        *("next_run", "last_run", "created_at", "updated_at"),
    )

    def get_queryset(self) -> QuerySet[SchedulerTask]:
        """With the status of the latest execution that ran, or that nobody could run."""
        ran = Q(started_at__isnull=False) | Q(status=ExecutionStatus.FAILED)
        # The order of the index that is unique by these fields, read backwards.
        latest = (
            TaskExecution.objects.filter(ran, task=OuterRef("pk"))
            .order_by("-fire_at", "-kind", "-request", "-attempt")
            .values("status")[:1]
        )
        tasks: QuerySet[SchedulerTask] = super().get_queryset()
        return tasks.annotate(last_status=Subquery(latest))

    def create(self, request: Request) -> Response:
        given = _writable(request)
        if not set(definitions.REQUIRED) <= given.keys() <= set(definitions.FIELDS):
            definitions.clean_new(given, now=database.now())  # says all that is wrong, the names among it
        task = operations.add_task(**given, user=request.user)
        headers = {"Location": self.reverse_action("detail", args=[task.pk])}
        return Response(TaskSerializer(task).data, status.HTTP_201_CREATED, headers=headers)

    def update(self, request: Request, pk: str) -> Response:
        """Change a task: the four required fields, and any other; those that are not given stay as they are."""
        task, given = self.get_object(), _writable(request)
        if missing := [name for name in definitions.REQUIRED if name not in given]:
            raise InvalidDefinition({name: _("This field is required.") for name in missing})
        return Response(self._shown(operations.update_task(task.pk, given, user=request.user)))

    def partial_update(self, request: Request, pk: str) -> Response:
        task, given = self.get_object(), _writable(request)
        return Response(self._shown(operations.update_task(task.pk, given, user=request.user)))

    def destroy(self, request: Request, pk: str) -> Response:
        operations.remove_task(self.get_object().pk, user=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["post"], serializer_class=PauseSerializer)
    def pause(self, request: Request, pk: str) -> Response:
        """Stop planning; ``waiting`` says how many executions are queued and still run."""
        task, given = self.get_object(), reading.read_fields(request, ("note",))
        result = operations.pause_task(task.pk, **given, user=request.user)
        return Response({**self._shown(result.task), "waiting": result.waiting})

    @action(detail=True, methods=["post"], serializer_class=NoBodySerializer)
    def resume(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        reading.read_fields(request, ())
        return Response(self._shown(operations.resume_task(task.pk, user=request.user)))

    @action(detail=True, methods=["post"], serializer_class=RunSerializer)
    def run(self, request: Request, pk: str) -> Response:
        """Queue one run now; ``args`` and ``kwargs`` replace the task's for this once."""
        task, given = self.get_object(), _arguments(request)
        key = request.headers.get("Idempotency-Key", "")
        execution = operations.run_task(task.pk, **given, idempotency_key=key, user=request.user)
        return Response(ExecutionSerializer(execution).data, status.HTTP_202_ACCEPTED)

    @action(detail=True, methods=["post"], serializer_class=BackfillSerializer)
    def backfill(self, request: Request, pk: str) -> Response:
        """Queue a run for each fire time from ``start`` to ``end``, both included; a dry run only tells them."""
        task = self.get_object()
        given = reading.read_fields(request, BACKFILL_FIELDS, required=("start", "end"))
        options: dict[str, Any] = {name: reading.read_instant(name, given[name]) for name in ("start", "end")}
        if "limit" in given:
            options["limit"] = reading.read_whole("limit", given["limit"], most=operations.MOST_BACKFILLED)
        if "reprocess" in given:
            options["reprocess"] = reading.read_word("reprocess", given["reprocess"], REPROCESS)
        dry_run = reading.read_bool("dry_run", given.get("dry_run", False))
        key = request.headers.get("Idempotency-Key", "")
        result = operations.backfill(task.pk, **options, dry_run=dry_run, idempotency_key=key, user=request.user)
        answer = {
            "request": result.request,
            "count": len(result.fire_times),
            "left_out": result.left_out,
            "dry_run": dry_run,
            "fire_times": [utc_text(fire_at) for fire_at in result.fire_times],
        }
        return Response(answer, status.HTTP_200_OK if dry_run else status.HTTP_202_ACCEPTED)

    @action(detail=True, url_path="next-runs")
    def next_runs(self, request: Request, pk: str) -> Response:
        """The next fire times from now on, also of a paused task."""
        task = self.get_object()
        count = reading.read_count(reading.as_number(reading.read_parameter(request, "count")))
        return Response(
            fire_times(
                task.trigger,
                task.trigger_args,
                task.timezone,
                after=database.now(),
                count=count,
                anchor=task.anchor,
                own_exclusions=task.exclusions,
            )
        )

    def _shown(self, task: SchedulerTask) -> dict[str, Any]:
        rows: Any = self.get_queryset().filter(pk=task.pk)
        last_status = rows.values_list("last_status", flat=True).first()
        return {**TaskSerializer(task).data, "last_status": last_status}


def _arguments(request: Request) -> dict[str, Any]:
    """``args`` and ``kwargs`` for one run."""
    given = reading.read_fields(request, ("args", "kwargs"))
    for name in (name for name, value in given.items() if value is None):
        reading.refuse(name, _("null was given; leave it out to run with what is stored."))
    return given


def _writable(request: Request) -> dict[str, Any]:
    return {name: value for name, value in reading.read_body(request).items() if name not in READ_ONLY}


class ExecutionViewSet(PlainListMixin, mixins.RetrieveModelMixin, SchedulerViewSet):
    """What became of fire times and requests: of all tasks, or of one where the address names it."""

    model = TaskExecution
    pagination_class = HistoryPagination
    serializer_class = ExecutionSerializer
    unshown = ("overrides", "executor_options", "retry_on", "headers")
    needs = {"cancel": RUN, "retry": RUN}
    filters = EXECUTION_FILTERS
    search_fields = ("task_name", "job_id", "func", "error")
    ordering_fields = (
        *("id", "fire_at", "run_at", "queued_at", "started_at", "finished_at"),
        *("duration", "status", "kind", "attempt", "priority", "task_name", "job_id"),
    )

    def get_queryset(self) -> QuerySet[TaskExecution]:
        rows = super().get_queryset()
        if "task" not in self.kwargs:
            return rows
        return rows.filter(task=self.find(SchedulerTask.objects.using(database.alias()), self.kwargs["task"]))

    @action(detail=True, methods=["post"], serializer_class=NoBodySerializer)
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel one that has not started; ask one that runs to end, as ``cancel_requested_at`` then says."""
        execution = self.get_object()
        reading.read_fields(request, ())
        return Response(ExecutionSerializer(operations.cancel_execution(execution.pk, user=request.user)).data)

    @action(detail=True, methods=["post"], serializer_class=RunSerializer)
    def retry(self, request: Request, pk: str) -> Response:
        """Queue a further attempt, which is answered; ``args`` and ``kwargs`` replace those that it had."""
        execution, given = self.get_object(), _arguments(request)
        again = operations.retry_execution(execution.pk, **given, user=request.user)
        return Response(ExecutionSerializer(again).data, status.HTTP_202_ACCEPTED)
