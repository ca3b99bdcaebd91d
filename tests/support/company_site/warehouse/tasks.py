import os
import time

from django_sched_tasks import current_execution

from .models import Effect


def note(label="note"):
    """Leave one effect."""
    execution = current_execution()
    Effect.objects.create(label=label, fire_at=execution.fire_at, attempt=execution.attempt, pid=os.getpid())


def slow(label="slow", seconds=0.3):
    """Leave one effect, then take some time."""
    note(label)
    time.sleep(seconds)
    return "ended"


def stuck(label="stuck"):
    """The first attempt never ends."""
    note(label)
    while current_execution().attempt == 1:
        time.sleep(0.1)
    return "ended"
