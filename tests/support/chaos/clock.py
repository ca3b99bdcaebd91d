"""A host whose clock is wrong: SCHED_CLOCK_SHIFT in the environment says by how many seconds.

libfaketime would be nearer to the truth, but it makes the waits of today's Python fail or never end.
"""

import os
from datetime import UTC, datetime, timedelta

VARIABLE = "SCHED_CLOCK_SHIFT"


def shift():
    seconds = float(os.environ.get(VARIABLE, "0"))
    if seconds:
        import time_machine

        time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True).start()
