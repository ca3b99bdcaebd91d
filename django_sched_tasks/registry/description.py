"""The functions that may be scheduled, described for people: what forms show and the API answers."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from django_sched_tasks.payload import problem
from django_sched_tasks.registry.catalogue import all_resolved
from django_sched_tasks.registry.resolution import ResolvedFunction
from django_sched_tasks.registry.targets import look_inside
from django_sched_tasks.registry.wording import annotation_text, signature_text


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """One parameter of a function, as shown in forms and answered by the API."""

    name: str
    kind: str
    required: bool
    annotation: str
    default: Any
    has_default: bool


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """One function that may be scheduled, described for people."""

    path: str
    module: str
    name: str
    signature: str
    summary: str
    doc: str
    parameters: list[ParameterInfo]
    is_async: bool


def functions() -> list[FunctionInfo]:
    """Every function that may be scheduled, by path."""
    return [_describe(resolved) for resolved in all_resolved()]


def _describe(resolved: ResolvedFunction) -> FunctionInfo:
    module, _, name = resolved.path.partition(":")
    doc = inspect.getdoc(look_inside(resolved.target).func) or ""
    parameters = list(resolved.signature.parameters.values()) if resolved.signature else []
    return FunctionInfo(
        path=resolved.path,
        module=module,
        name=name,
        signature=signature_text(resolved.signature),
        summary=doc.partition("\n")[0],
        doc=doc,
        parameters=[_describe_parameter(parameter) for parameter in parameters],
        is_async=resolved.is_async,
    )


def _describe_parameter(parameter: inspect.Parameter) -> ParameterInfo:
    has_default = parameter.default is not parameter.empty
    variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return ParameterInfo(
        name=parameter.name,
        kind=parameter.kind.name.lower(),
        required=not has_default and not variadic,
        annotation=annotation_text(parameter),
        default=parameter.default if has_default and problem(parameter.default) is None else None,
        has_default=has_default,
    )
