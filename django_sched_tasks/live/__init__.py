"""The live side of runs: what they print, how far they are, and whether somebody wants them to end.

A run tells and is told these things while it goes on, wherever it runs: in a node, in a child process of one, in a
Celery worker. Each such process has Django and the database, so each has one monitor thread that looks after all of
the process's runs about once a second; while no run is open there is no thread, no connection and no query.

The modules here, from the ground up: buffer, runs, capture, monitor.
"""

from django_sched_tasks.live.monitor import cancel, close_run, give_up, open_run, unwatch, watch
from django_sched_tasks.live.runs import Run, Told

__all__ = ["Run", "Told", "cancel", "close_run", "give_up", "open_run", "unwatch", "watch"]
