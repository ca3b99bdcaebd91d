"""``schedtasks health``: for monitors and probes that have a shell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from django.core.management.base import OutputWrapper

from django_sched_tasks import operations
from django_sched_tasks.management.verbs.base import Verb, show


class Health(Verb):
    help: ClassVar[str] = "Say whether schedules are being kept; exit code 1 when they are not."

    def run(self, options: Mapping[str, Any], out: OutputWrapper) -> int:
        found = operations.health()
        data = {"status": "ok" if found.is_healthy else "failing", **asdict(found)}
        show(options, out, _lines(found), data)
        return 0 if found.is_healthy else 1


def _lines(found: operations.Health) -> Iterator[str]:
    yield f"{'ok' if found.is_healthy else 'failing'}, nodes: {found.nodes}"
    for problem in found.problems:
        yield f"problem: {problem}"
    for warning in found.warnings:
        yield f"warning: {warning}"
