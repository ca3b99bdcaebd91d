"""The function that is scheduled; each contender calls it as its documentation says."""

import time

from benchmarks import starts


def work(number: int, seconds: float = 0.0, fire_at: float = 0.0) -> None:
    """Say that it has started, then take that long."""
    starts.write(number, fire_at)
    if seconds:
        time.sleep(seconds)


def planned(number: int, seconds: float = 0.0) -> None:
    """The same for django-sched-tasks, whose functions know their fire time."""
    from django_sched_tasks import current_execution

    execution = current_execution()
    work(number, seconds, execution.fire_at.timestamp() if execution else 0.0)
