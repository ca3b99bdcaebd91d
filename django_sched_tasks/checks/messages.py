"""What all checks have in common: their tag, and how they say what is wrong."""

from __future__ import annotations

from django.core.checks import CheckMessage, Error, Warning

TAG = "sched_tasks"


def warning(number: int, text: str, hint: str) -> CheckMessage:
    return Warning(text, hint=hint, id=f"{TAG}.W{number:03}")


def error(number: int, text: str, hint: str) -> CheckMessage:
    return Error(text, hint=hint, id=f"{TAG}.E{number:03}")
