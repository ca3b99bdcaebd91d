"""The long-running part: a node that plans, claims and runs."""

from django_sched_tasks.engine.scheduler import Scheduler

__all__ = ["Scheduler"]
