"""How tasks, executions and nodes look as JSON.

What is written goes to the operations as it was given, so these only show; their writable fields say to the schema and
to the browsable API what may be sent.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from rest_framework import serializers

from django_sched_tasks import definitions, operations, registry, triggers
from django_sched_tasks.api.reading import MAX_COUNT
from django_sched_tasks.api.rows import RowSerializer, UtcDateTimeField
from django_sched_tasks.models import Kind, SchedulerNode, SchedulerTask, TaskExecution


class WithArguments(RowSerializer):
    """A row with arguments: secrets among them are not shown."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if instance.args or instance.kwargs:
            shown["args"], shown["kwargs"] = registry.hidden_arguments(
                instance.func, instance.args, instance.kwargs, enqueued=getattr(instance, "kind", None) == Kind.ENQUEUED
            )
        return shown


@lru_cache(maxsize=4096)
def _described(trigger: str, args: str, timezone: str, *site: str | None) -> str:
    """The words for a trigger, which are the same until the site's time zone or the reader's language is another."""
    return triggers.describe(trigger, json.loads(args), timezone=timezone)


class TaskSerializer(WithArguments):
    status_display = serializers.CharField(source="get_status_display", read_only=True)
    trigger_description = serializers.SerializerMethodField()
    last_status = serializers.SerializerMethodField()
    drift = serializers.SerializerMethodField()

    class Meta:
        model = SchedulerTask
        read_only_fields = (
            "status",
            "last_run",
            "next_run",
            "pause_note",
            "schedule_error",
            "source",
            "created_at",
            "updated_at",
            "created_by",
            "updated_by",
            "anchor",
            "planned_through",
            "version",
            "fire_count",
            "planned_runs",
            "run_count",
            "skipped_count",
            "missed_count",
            "purged_covers",
        )
        fields = (
            "id",
            *definitions.FIELDS,
            "status_display",
            "trigger_description",
            "last_status",
            "drift",
            *read_only_fields,
        )

    def get_trigger_description(self, task: SchedulerTask) -> str:
        args = json.dumps(task.trigger_args)
        return _described(task.trigger, args, task.timezone, settings.TIME_ZONE, get_language())

    def get_last_status(self, task: SchedulerTask) -> str | None:
        """What the query has found beside the row; a new task has none."""
        status: str | None = getattr(task, "last_status", None)
        return status

    def get_drift(self, task: SchedulerTask) -> operations.Drift | None:
        """Where a task that is declared in code departs from its declaration."""
        return None if task.declared is None else operations.drift(task)


# What a task's JSON has and nobody may set: ignored, so that what was read can be sent back.
READ_ONLY = frozenset(TaskSerializer.Meta.fields) - frozenset(definitions.FIELDS) | {"waiting"}


class PauseSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(required=False, allow_blank=True, max_length=255)


class RunSerializer(serializers.Serializer[Any]):
    args = serializers.ListField(required=False)
    kwargs = serializers.DictField(required=False)


class BackfillSerializer(serializers.Serializer[Any]):
    start = UtcDateTimeField()
    end = UtcDateTimeField()
    reprocess = serializers.ChoiceField(choices=operations.Reprocess.choices, required=False, default="none")
    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=operations.MOST_BACKFILLED, default=operations.BACKFILL_LIMIT
    )
    dry_run = serializers.BooleanField(required=False, default=False)


class NoBodySerializer(serializers.Serializer[Any]):
    """For what takes no arguments."""


class PreviewSerializer(serializers.Serializer[Any]):
    trigger = serializers.CharField()
    trigger_args = serializers.DictField()
    timezone = serializers.CharField(required=False, allow_blank=True, allow_null=True)
    count = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MAX_COUNT, default=10)
    after = UtcDateTimeField(required=False, allow_null=True)
    exclusions = serializers.ListField(child=serializers.DictField(), required=False)


class MaintenanceSerializer(serializers.Serializer[Any]):
    until = UtcDateTimeField()
    note = serializers.CharField(required=False, allow_blank=True, max_length=255)


class ExclusionsSerializer(serializers.Serializer[Any]):
    exclusions = serializers.ListField(child=serializers.DictField())


class ExecutionSerializer(WithArguments):
    task = serializers.IntegerField(source="task_id", allow_null=True)
    node = serializers.UUIDField(source="node_id", allow_null=True)
    parent = serializers.IntegerField(source="parent_id", allow_null=True)  # type: ignore[assignment]
    status_display = serializers.CharField(source="get_status_display")
    reason_display = serializers.CharField(source="get_reason_display")

    class Meta:
        model = TaskExecution
        fields = (
            "id",
            "task",
            "job_id",
            "task_name",
            "func",
            "kind",
            "fire_at",
            "run_at",
            "request",
            "attempt",
            "status",
            "status_display",
            "reason",
            "reason_display",
            "covers",
            "args",
            "kwargs",
            "queue",
            "executor",
            "priority",
            "queued_at",
            "dispatched_at",
            "started_at",
            "finished_at",
            "duration",
            "cancel_requested_at",
            "cancel_requested_by",
            "node",
            "worker",
            "alive_at",
            "parent",
            "result",
            "error",
            "traceback",
            "output",
            "progress",
            "requested_by",
        )
        read_only_fields = fields


class NodeSerializer(RowSerializer):
    class Meta:
        model = SchedulerNode
        fields = (
            "id",
            "host",
            "machine",
            "pid",
            "pid_started",
            "started_by",
            "queues",
            "queue_slots",
            "executors",
            "slots",
            "slots_in_use",
            "stuck_slots",
            "state",
            "problem",
            "started_at",
            "heartbeat_at",
            "loop_at",
            "stopped_at",
            "clock_offset",
            "versions",
        )
        read_only_fields = fields


class ExecutorSerializer(serializers.Serializer[Any]):
    alias = serializers.CharField()
    backend = serializers.CharField()
    max_workers = serializers.IntegerField(allow_null=True)
    supports_async = serializers.BooleanField()
    supports_timeout = serializers.BooleanField()
    supports_cancel = serializers.BooleanField()
    isolates_crashes = serializers.BooleanField()
    dispatches = serializers.BooleanField()
    problem = serializers.CharField()


class ParameterSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    kind = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]  # DRF takes it out of the class
    annotation = serializers.CharField()
    default = serializers.JSONField()
    has_default = serializers.BooleanField()


class FunctionSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    module = serializers.CharField()
    name = serializers.CharField()
    signature = serializers.CharField()
    summary = serializers.CharField()
    doc = serializers.CharField()
    is_async = serializers.BooleanField()
    parameters = ParameterSerializer(many=True)
