"""Scheduled tasks for Django that people can see and steer."""

from django_sched_tasks.context import current_execution
from django_sched_tasks.registry import schedulable, scheduled

__all__ = ["__version__", "current_execution", "schedulable", "scheduled"]

__version__ = "0.1.0"
