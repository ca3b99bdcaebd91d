"""What the chaos suite runs."""

import ctypes
import os
import time

from django.db import connection
from django.utils import timezone

from django_sched_tasks import current_execution

from .models import Effect


def effect(seconds=0.0):
    """Leave one effect, then take some time."""
    execution = current_execution()
    with connection.cursor() as cursor:
        cursor.execute("SELECT node_id, status FROM sys_scheduler_execution WHERE id = %s", [execution.id])
        node, seen = cursor.fetchone() or (None, "missing")
    Effect.objects.create(
        execution=execution.id,
        task=execution.task_id,
        kind=execution.kind,
        fire_at=execution.fire_at,
        attempt=execution.attempt,
        node=str(node or "").replace("-", ""),
        seen=seen,
        pid=os.getpid(),
        at=timezone.now(),
    )
    if seconds:
        time.sleep(seconds)
    return "ended"


def first_attempt_hangs():
    """The first attempt takes longer than any test; the others end at once."""
    effect(60.0 if current_execution().attempt == 1 else 0.0)


def keeps_the_interpreter(seconds):
    """C code that runs for so long without letting any other thread of the process go on."""
    effect()
    ctypes.PyDLL(None).sleep(seconds)
