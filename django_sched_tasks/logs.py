"""Log records that say in which execution they were made."""

from __future__ import annotations

import logging
from typing import Any

from django_sched_tasks.context import current_execution


class ExecutionFilter(logging.Filter):
    """Gives each record ``execution_id``, ``task_id`` and ``job_id``, for a handler's formatter to show.

    It belongs to a handler and lets every record pass. What a record has already, by ``extra``, stays.

    Args:
        outside: what the three are outside a run.
    """

    def __init__(self, name: str = "", outside: Any = "-") -> None:
        super().__init__(name)
        self._outside = outside

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:
        execution = current_execution()
        values = {
            "execution_id": self._outside if execution is None else execution.id,
            "task_id": self._outside if execution is None else execution.task_id,
            "job_id": self._outside if execution is None else execution.job_id,
        }
        for name, value in values.items():
            record.__dict__.setdefault(name, value)
        return super().filter(record)
