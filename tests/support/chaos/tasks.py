"""What the chaos suite runs."""

import ctypes
import os
import time

from django.db import connection
from django.utils import timezone

from django_sched_tasks import current_execution

# The engine's tables, read without the engine.
WITNESS = """
    INSERT INTO chaos_effect (execution, task, kind, fire_at, attempt, node, seen, pid, at)
    SELECT id, task_id, kind, fire_at, attempt, COALESCE(CAST(node_id AS CHAR(36)), ''), status, %s, %s
    FROM sys_scheduler_execution WHERE id = %s
"""


def effect(seconds=0.0):
    """Leave one effect, with what the execution's row says at that moment, then take some time."""
    execution = current_execution()
    at = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(WITNESS, [os.getpid(), at, execution.id])
        assert cursor.rowcount == 1, f"execution {execution.id} has no row"
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
