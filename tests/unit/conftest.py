"""A clock that stands at NOW, tasks made by the operation, and a scheduler without threads."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from django_sched_tasks import operations
from django_sched_tasks.models import SchedulerTask, TaskExecution
from django_sched_tasks.testing import ManualScheduler

ZOO = "tests.zoo.tasks:"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def at():
    """The instant so many seconds after NOW."""
    return lambda seconds: NOW + timedelta(seconds=seconds)


@pytest.fixture
def make(db):
    """A task that fires every minute from NOW on, with changes; ``func`` is the name of an animal of the zoo."""

    def make(func="ok", *, now=NOW, **changes):
        when = {"trigger": "interval", "trigger_args": {"minutes": 1}}
        return operations.add_task(**{"name": "Task", "func": ZOO + func, "now": now, **when, **changes})

    return make


@pytest.fixture
def node(db):
    """A scheduler without threads, whose clock stands at NOW."""
    return ManualScheduler(now=NOW)


@pytest.fixture
def rows(db):
    """What became of the fire times, oldest first: a list of tuples of the columns named."""

    def rows(*columns, **conditions):
        found = TaskExecution.objects.filter(**conditions).order_by("fire_at", "attempt", "pk")
        return list(found.values_list(*(columns or ("status", "reason", "covers")), flat=len(columns) == 1))

    return rows


@pytest.fixture
def two_connections(transactional_db):
    """For races: two threads need two connections that lock each other out, as servers give them."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite in memory has one writer and no row locks to race for")


@pytest.fixture
def stored():
    """The task as the database has it now."""
    return lambda task: SchedulerTask.objects.get(pk=task.pk)
