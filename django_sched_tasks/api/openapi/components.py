"""How tasks, executions and the rest are described: under names of their own, so that a site's own stay what they are.

The types of columns say most of it. What JSON columns hold, which fields may be sent, and that no others may, is
said here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from django.db.models import Choices
from django.db.models.enums import ChoicesType
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, is_patched_serializer

from django_sched_tasks import conf, definitions, exclusions
from django_sched_tasks.api.reading import INSTANT
from django_sched_tasks.models import (
    ExecutionStatus,
    Kind,
    NodeState,
    OnCrash,
    Overlap,
    Reason,
    SchedulerTask,
    Source,
    TaskStatus,
)
from django_sched_tasks.operations import Reprocess
from django_sched_tasks.triggers import KINDS

Schema = dict[str, Any]

ARGUMENTS: Schema = {"type": "array", "items": {}}
OBJECT: Schema = {"type": "object", "additionalProperties": {}}
TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
NO_NUL = r"^[^\x00]*$"
# Somewhere a character that is no white space, by Python's word for it as well as by JavaScript's; nowhere NUL.
NAME = r"^[^\x00]*[^\s\x00\x1c-\x1f\x85][^\x00]*$"

# Each is a component, so that a site's own enumerations keep their names.
ENUMS: dict[str, type[Choices] | Callable[[], Iterable[str]]] = {
    "TriggerKind": lambda: KINDS,
    "TaskExecutorAlias": lambda: sorted(conf.executors()),
    "SchedulerHealthStatus": lambda: ("ok", "failing"),
    "ScheduledTaskStatus": TaskStatus,
    "ScheduledTaskSource": Source,
    "ScheduledTaskOverlap": Overlap,
    "ScheduledTaskOnCrash": OnCrash,
    "TaskExecutionStatus": ExecutionStatus,
    "TaskExecutionKind": Kind,
    "TaskExecutionReason": Reason,
    "SchedulerNodeState": NodeState,
    "BackfillReprocess": Reprocess,
}


class Component(OpenApiSerializerExtension):
    """What all components here have in common.

    Attributes:
        name: of the component; ``sent`` is the one of the same thing in a request, where that differs.
        about: what it is.
        needed: what a request must have, where the columns do not say it.
        fields: the schemas of fields, in place of what their columns say; ``fields_sent`` are those of a request.
        words: the enumerations of fields; ``words_sent`` are those that a request is bound to and an answer is not.
    """

    name: ClassVar[str]
    sent: ClassVar[str] = ""
    about: ClassVar[str] = ""
    needed: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[Mapping[str, Schema]] = {}
    fields_sent: ClassVar[Mapping[str, Schema]] = {}
    words: ClassVar[Mapping[str, str]] = {}
    words_sent: ClassVar[Mapping[str, str]] = {}

    def get_name(self, auto_schema: AutoSchema, direction: str) -> str:
        return self.sent if direction == "request" and self.sent else self.name

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        schema: Schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        found: Schema = schema.pop("properties", {})
        if direction == "request":
            found = {name: told for name, told in found.items() if not told.get("readOnly")}
            schema["additionalProperties"] = False
        required = self._required(self.needed or schema.get("required", ()), found, direction)
        schema.pop("required", None)
        if self.about:
            schema["description"] = self.about
        tell = self._teller(direction, auto_schema)
        schema["properties"] = {name: tell(name, told) for name, told in found.items()}
        return {**schema, "required": required} if required else schema

    def _required(self, required: Iterable[str], found: Schema, direction: Any) -> list[str]:
        """An answer has all that it can have; a request must have what is required, a patch nothing."""
        if direction != "request":
            return sorted(found)
        return [] if is_patched_serializer(self.target, direction) else [name for name in required if name in found]

    def _teller(self, direction: Any, auto_schema: AutoSchema) -> Callable[[str, Schema], Schema]:
        is_sent = direction == "request"
        words = {**self.words, **(self.words_sent if is_sent else {})}
        fields = {**self.fields, **(self.fields_sent if is_sent else {})}

        def tell(name: str, found: Schema) -> Schema:
            if name in words:
                return _enumeration(words[name], auto_schema)
            about: Schema = {
                key: found[key] for key in ("description", "title", "readOnly", "nullable") if key in found
            }
            return {**about, **fields[name]} if name in fields else found

        return tell


def _enumeration(name: str, auto_schema: AutoSchema) -> Schema:
    choices = ENUMS[name]
    if isinstance(choices, ChoicesType):
        schema = {
            "type": "integer" if issubclass(choices, int) else "string",
            "enum": list(choices.values),
            "description": "\n".join(f"* `{value}`: {label}" for value, label in choices.choices),
        }
    else:
        schema = {"type": "string", "enum": list(choices())}
    component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=choices)
    auto_schema.registry.register_on_missing(component)
    reference: Schema = component.ref
    return reference


def _text(field: str, **more: Any) -> Schema:
    """A text that people give: as long as its column, without NUL."""
    column: Any = SchedulerTask._meta.get_field(field)
    longest = column.max_length or definitions.LARGEST_VALUE
    return {"type": "string", "maxLength": longest, "pattern": NO_NUL, **more}


def _exclusion(**keys: Schema) -> Schema:
    """One kind of exclusion: an object with these keys, each of which it must have, and perhaps a note."""
    note = {"type": "string", "maxLength": exclusions.LONGEST_NOTE, "pattern": NO_NUL}
    properties = {**keys, "note": note}
    return {"type": "object", "properties": properties, "required": [*keys], "additionalProperties": False}


def _exclusions() -> Schema:
    """What a request should say; whether a day exists, or comes before another, is beyond a schema."""

    def like(*patterns: str) -> Schema:
        return {"type": "string", "pattern": f"^({'|'.join(patterns)})$"}

    day, moment = like(exclusions.DATE.pattern), like(exclusions.DATE.pattern, exclusions.MOMENT.pattern)
    weekdays = {"type": "array", "items": {"type": "string", "enum": [*exclusions.DAYS]}, "minItems": 1}
    window = dict.fromkeys(("from_time", "until_time"), like(exclusions.TIME.pattern))
    kinds = [
        _exclusion(date=day),
        _exclusion(**{"from": moment, "until": moment}),
        _exclusion(weekdays=weekdays),
        _exclusion(**window),
        _exclusion(**window, weekdays=weekdays),
    ]
    return {"type": "array", "items": {"oneOf": kinds}, "maxItems": exclusions.MOST, "example": [*exclusions.EXAMPLE]}


EXCLUSIONS = _exclusions()


class Task(Component):
    target_class = "django_sched_tasks.api.serializers.TaskSerializer"
    name = "ScheduledTask"
    sent = "ScheduledTaskDefinition"
    about = "A scheduled task: what to run, and when."
    needed = definitions.REQUIRED
    words = {
        "status": "ScheduledTaskStatus",
        "source": "ScheduledTaskSource",
        "overlap": "ScheduledTaskOverlap",
        "on_crash": "ScheduledTaskOnCrash",
    }
    words_sent = {"trigger": "TriggerKind", "executor": "TaskExecutorAlias"}
    fields = {
        "name": _text("name", pattern=NAME),
        "job_id": _text("job_id"),
        "func": _text("func"),
        "description": _text("description"),
        "timezone": _text("timezone"),
        "queue": _text("queue", pattern=NAME),
        "concurrency_key": _text("concurrency_key"),
        "args": ARGUMENTS,
        "kwargs": OBJECT,
        "trigger_args": OBJECT,
        "executor_options": OBJECT,
        "retry_on": TEXTS,
        "exclusions": ARGUMENTS,
    }
    fields_sent = {"exclusions": EXCLUSIONS}


class PausedTask(Task):
    target_class = "django_sched_tasks.api.openapi.answers.PausedTaskSerializer"
    name = "PausedScheduledTask"
    about = "The task, and how many of its executions are queued and still run."
    sent = ""


class Execution(Component):
    target_class = "django_sched_tasks.api.serializers.ExecutionSerializer"
    name = "TaskExecution"
    about = "What became of a fire time, or of a request to run."
    words = {"status": "TaskExecutionStatus", "kind": "TaskExecutionKind", "reason": "TaskExecutionReason"}
    fields = {"args": ARGUMENTS, "kwargs": OBJECT}


class Node(Component):
    target_class = "django_sched_tasks.api.serializers.NodeSerializer"
    name = "SchedulerNode"
    words = {"state": "SchedulerNodeState"}
    fields = {"queues": TEXTS, "queue_slots": OBJECT, "executors": TEXTS, "versions": OBJECT}


class Function(Component):
    target_class = "django_sched_tasks.api.serializers.FunctionSerializer"
    name = "SchedulableFunction"


class FunctionParameter(Component):
    target_class = "django_sched_tasks.api.serializers.ParameterSerializer"
    name = "SchedulableFunctionParameter"


class Executor(Component):
    target_class = "django_sched_tasks.api.serializers.ExecutorSerializer"
    name = "TaskExecutor"


# Bodies of requests.


class Pause(Component):
    target_class = "django_sched_tasks.api.serializers.PauseSerializer"
    name = "TaskPause"
    fields = {"note": _text("pause_note")}


class Run(Component):
    target_class = "django_sched_tasks.api.serializers.RunSerializer"
    name = "TaskRun"
    fields = {"args": ARGUMENTS, "kwargs": OBJECT}


class Backfill(Component):
    target_class = "django_sched_tasks.api.serializers.BackfillSerializer"
    name = "TaskBackfill"
    words = {"reprocess": "BackfillReprocess"}
    fields = {"start": INSTANT, "end": INSTANT}


class Preview(Component):
    target_class = "django_sched_tasks.api.serializers.PreviewSerializer"
    name = "TriggerPreview"
    words = {"trigger": "TriggerKind"}
    fields = {
        "trigger_args": OBJECT,
        "timezone": _text("timezone"),
        "after": INSTANT,
        "exclusions": EXCLUSIONS,
    }


class Maintenance(Component):
    target_class = "django_sched_tasks.api.serializers.MaintenanceSerializer"
    name = "SchedulerMaintenanceRequest"
    fields = {"until": INSTANT, "note": _text("pause_note")}


class Exclusions(Component):
    target_class = "django_sched_tasks.api.serializers.ExclusionsSerializer"
    name = "SchedulerExclusionsRequest"
    fields = {"exclusions": EXCLUSIONS}


# Bodies of answers.


class MaintenanceState(Component):
    target_class = "django_sched_tasks.api.openapi.answers.MaintenanceStateSerializer"
    name = "SchedulerMaintenance"


class ExcludedFireTime(Component):
    target_class = "django_sched_tasks.api.openapi.answers.ExcludedFireTimeSerializer"
    name = "TriggerExcludedFireTime"


class ExclusionsState(Component):
    target_class = "django_sched_tasks.api.openapi.answers.ExclusionsStateSerializer"
    name = "SchedulerExclusions"
    fields = {"exclusions": {"type": "array", "items": OBJECT}, "descriptions": TEXTS}


class Environment(Component):
    target_class = "django_sched_tasks.api.openapi.answers.EnvironmentSerializer"
    name = "SchedulerEnvironment"


class ConfirmedEnvironment(Component):
    target_class = "django_sched_tasks.api.openapi.answers.ConfirmedEnvironmentSerializer"
    name = "SchedulerConfirmedEnvironment"


class Problem(Component):
    target_class = "django_sched_tasks.api.openapi.answers.ProblemSerializer"
    name = "SchedulerProblem"


class Refusal(Component):
    target_class = "django_sched_tasks.api.openapi.answers.RefusalSerializer"
    name = "SchedulerRefusal"

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        told = {"anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "string"}]}
        about = self.target.__doc__ or ""
        return {"type": "object", "description": about, "additionalProperties": told, "minProperties": 1}


class BackfillResult(Component):
    target_class = "django_sched_tasks.api.openapi.answers.BackfillResultSerializer"
    name = "TaskBackfillResult"


class FireTimes(Component):
    target_class = "django_sched_tasks.api.openapi.answers.FireTimesSerializer"
    name = "TriggerFireTimes"


class Health(Component):
    target_class = "django_sched_tasks.api.openapi.answers.HealthSerializer"
    name = "SchedulerHealth"
    words = {"status": "SchedulerHealthStatus"}


class Figures(Component):
    target_class = "django_sched_tasks.api.openapi.answers.FiguresSerializer"
    name = "SchedulerFigures"


class TaskCounts(Component):
    target_class = "django_sched_tasks.api.openapi.answers.TaskCountsSerializer"
    name = "SchedulerTaskCounts"


class ExecutionCounts(Component):
    target_class = "django_sched_tasks.api.openapi.answers.ExecutionCountsSerializer"
    name = "SchedulerExecutionCounts"


class OpenCounts(Component):
    target_class = "django_sched_tasks.api.openapi.answers.OpenCountsSerializer"
    name = "SchedulerOpenCounts"


class NodeCounts(Component):
    target_class = "django_sched_tasks.api.openapi.answers.NodeCountsSerializer"
    name = "SchedulerNodeCounts"
