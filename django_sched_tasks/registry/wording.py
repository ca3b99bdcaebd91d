"""Names and signatures as they stand in sentences for people."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from django.utils.translation import pgettext

from django_sched_tasks.payload import clean_text


def listing(names: Iterable[str]) -> str:
    return pgettext("between the items of a list", ", ").join(f"'{clean_text(name, 80)}'" for name in names)


def signature_text(signature: inspect.Signature | None) -> str:
    if signature is None:
        return "(...)"
    parameters = [
        parameter.replace(annotation=_Bare(text)) if (text := annotation_text(parameter)) else parameter
        for parameter in signature.parameters.values()
    ]
    try:
        text = str(signature.replace(parameters=parameters, return_annotation=signature.empty))
    except Exception:  # the repr() of a default
        return f"({', '.join(signature.parameters)})"
    return clean_text(text, 500)


def annotation_text(parameter: inspect.Parameter) -> str:
    if parameter.annotation is parameter.empty:
        return ""
    if isinstance(parameter.annotation, str):
        return parameter.annotation
    return inspect.formatannotation(parameter.annotation)


class _Bare(str):
    """An annotation that stands in a signature as it was written, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
