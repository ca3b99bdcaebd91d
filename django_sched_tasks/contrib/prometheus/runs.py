"""What becomes of the executions that this process records, counted by the signals about them.

The node counts what runs on it, a worker outside the nodes what it was sent.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from prometheus_client import CollectorRegistry, Counter, Histogram

from django_sched_tasks import conf, signals
from django_sched_tasks.models.execution import NEVER_RAN

OTHER = "other"  # what tasks beyond MOST_TASKS share for a label

DURATION_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)
LATENESS_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900)


class RunMetrics:
    """The metrics, registered once in a process: whether they have a label for each task is fixed then."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._of_tasks = bool(conf.option("PROMETHEUS", "TASK_LABELS"))
        self._known: set[str] = set()
        more = ["job_id"] if self._of_tasks else []
        self._ended = Counter(
            "sched_tasks_executions",
            "Executions that ended, those that never ran among them.",
            ["status", "kind", *more],
            registry=registry,
        )
        self._duration = Histogram(
            "sched_tasks_execution_duration_seconds",
            "How long runs took.",
            ["kind", *more],
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self._lateness = Histogram(
            "sched_tasks_execution_lateness_seconds",
            "How long after they should have runs started.",
            ["kind", *more],
            buckets=LATENESS_BUCKETS,
            registry=registry,
        )

    def connect(self) -> None:
        signals.execution_started.connect(self._on_started, weak=False, dispatch_uid=__name__)
        signals.execution_finished.connect(self._on_finished, weak=False, dispatch_uid=__name__)

    def _on_started(self, *, kind: str, job_id: str, run_at: Any = None, **_more: Any) -> None:
        if run_at is not None:
            late = (timezone.now() - run_at).total_seconds()
            self._lateness.labels(kind, *self._task(job_id)).observe(max(late, 0.0))

    def _on_finished(self, *, kind: str, status: str, job_id: str, duration: float | None = None, **_more: Any) -> None:
        self._ended.labels(status, kind, *self._task(job_id)).inc()
        if duration is not None and status not in NEVER_RAN:
            self._duration.labels(kind, *self._task(job_id)).observe(duration)

    def _task(self, job_id: str) -> list[str]:
        """The task's label; of the tasks that a process meets only so many have one of their own."""
        if not self._of_tasks:
            return []
        if job_id not in self._known:
            if len(self._known) >= conf.option("PROMETHEUS", "MOST_TASKS"):
                return [OTHER]
            self._known.add(job_id)
        return [job_id]
