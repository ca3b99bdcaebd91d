"""Where the rest of this site finds the scheduler: `from scheduler.service import start_scheduler`."""

from django_sched_tasks.service import shutdown_scheduler, start_scheduler

__all__ = ["shutdown_scheduler", "start_scheduler"]
