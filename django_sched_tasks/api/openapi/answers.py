"""The bodies that are no rows: what verbs and figures answer, and how an error looks."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_sched_tasks.api.rows import UtcDateTimeField
from django_sched_tasks.api.serializers import TaskSerializer
from django_sched_tasks.models import ExecutionStatus, TaskStatus
from django_sched_tasks.models.execution import OPEN_STATUSES


class ProblemSerializer(serializers.Serializer[Any]):
    """What is wrong, in one sentence."""

    detail = serializers.CharField()


class RefusalSerializer(serializers.Serializer[Any]):
    """What is wrong with each field; ``detail`` where it is the body as a whole."""


class PausedTaskSerializer(TaskSerializer):
    """The task, and how many of its executions are queued and still run."""

    waiting = serializers.IntegerField(min_value=0)

    class Meta(TaskSerializer.Meta):
        fields: Any = (*TaskSerializer.Meta.fields, "waiting")


class BackfillResultSerializer(serializers.Serializer[Any]):
    """Which fire times are queued, or would be."""

    request = serializers.CharField(help_text="What the executions of this backfill have in common.")
    count = serializers.IntegerField(min_value=0)
    left_out = serializers.IntegerField(min_value=0, help_text="Fire times in the range that are not run again.")
    dry_run = serializers.BooleanField()
    fire_times = serializers.ListField(child=UtcDateTimeField())


class ExcludedFireTimeSerializer(serializers.Serializer[Any]):
    """A fire time that will be skipped, and the note of what excludes it."""

    fire_time = UtcDateTimeField()
    note = serializers.CharField()


class FireTimesSerializer(serializers.Serializer[Any]):
    """A trigger in words, and its next fire times."""

    description = serializers.CharField()
    fire_times = serializers.ListField(child=UtcDateTimeField())
    excluded = ExcludedFireTimeSerializer(many=True)


class MaintenanceStateSerializer(serializers.Serializer[Any]):
    """Whether everything is held for maintenance."""

    active = serializers.BooleanField()
    until = UtcDateTimeField(allow_null=True)
    note = serializers.CharField()
    by = serializers.CharField()


class ExclusionsStateSerializer(serializers.Serializer[Any]):
    """The dates and windows in which the fire times of all tasks are skipped."""

    exclusions = serializers.ListField(child=serializers.DictField())
    descriptions = serializers.ListField(child=serializers.CharField())


class EnvironmentSerializer(serializers.Serializer[Any]):
    """Whether the database belongs to the environment of this process."""

    recorded = serializers.CharField(allow_null=True)
    here = serializers.CharField(allow_null=True)
    fits = serializers.BooleanField()
    problem = serializers.CharField(help_text="What keeps nodes from working on it, in a sentence.")


class ConfirmedEnvironmentSerializer(EnvironmentSerializer):
    """How things stand now, and what was open in the database before."""

    cancelled = serializers.IntegerField(min_value=0, help_text="Executions.")
    let_go = serializers.IntegerField(min_value=0, help_text="Tasks whose past fire times were let go.")


class HealthSerializer(serializers.Serializer[Any]):
    """Whether schedules are kept."""

    status = serializers.CharField()
    problems = serializers.ListField(child=serializers.CharField(), help_text="What keeps schedules from being kept.")
    warnings = serializers.ListField(child=serializers.CharField(), help_text="What somebody should look at.")
    nodes = serializers.IntegerField(min_value=0)
    oldest_waiting = serializers.FloatField(allow_null=True, help_text="Seconds.")


def _counts(name: str, words: Any) -> type[serializers.Serializer[Any]]:
    return type(name, (serializers.Serializer,), {word: serializers.IntegerField(min_value=0) for word in words})


TaskCountsSerializer = _counts("TaskCountsSerializer", (status.name.lower() for status in TaskStatus))
ExecutionCountsSerializer = _counts("ExecutionCountsSerializer", ExecutionStatus.values)
OpenCountsSerializer = _counts("OpenCountsSerializer", (status.value for status in OPEN_STATUSES))
NodeCountsSerializer = _counts("NodeCountsSerializer", ("alive", "slots", "slots_in_use"))


class FiguresSerializer(serializers.Serializer[Any]):
    """The whole scheduler in a few figures."""

    tasks = TaskCountsSerializer()
    since = UtcDateTimeField()
    executions = ExecutionCountsSerializer(help_text="By their fire times since then.")
    open = OpenCountsSerializer()
    oldest_waiting = serializers.FloatField(allow_null=True, help_text="Seconds.")
    nodes = NodeCountsSerializer()
