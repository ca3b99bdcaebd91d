"""Fixtures for pytest, made of :mod:`django_sched_tasks.testing`; loaded by its entry point, without Django at first.

They all need pytest-django and its fixture ``db``. That they name it, instead of asking for it when they run, matters:
by the names pytest-django knows which databases a session tests, and leaves the site's own ones in peace.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from django_sched_tasks.models import TaskExecution
    from django_sched_tasks.testing import ManualClock, ManualScheduler

START = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday


@pytest.fixture
def sched_clock(db: None) -> Iterator[ManualClock]:
    """The scheduler's clock, which stands at 2026-01-01 00:00 UTC until the test moves it."""
    from django_sched_tasks.testing import ManualClock  # noqa: PLC0415 - Django is set up by now

    with ManualClock(START) as clock:
        yield clock


@pytest.fixture
def sched_scheduler(sched_clock: ManualClock) -> Iterator[ManualScheduler]:
    """A scheduler without threads, on the clock of ``sched_clock``."""
    from django_sched_tasks.testing import ManualScheduler  # noqa: PLC0415

    with ManualScheduler(sched_clock) as scheduler:
        yield scheduler


class RunDue(Protocol):
    """What the fixture ``run_due`` is."""

    def __call__(self, until: datetime | timedelta | None = None) -> list[TaskExecution]: ...


@pytest.fixture
def run_due(sched_scheduler: ManualScheduler) -> RunDue:
    """``run_due(until=…)`` runs all that falls due up to an instant, or in the time to come; answers what ran."""
    return sched_scheduler.run_due


@pytest.fixture
def sched_inline(sched_clock: ManualClock) -> Iterator[ManualScheduler]:
    """Whatever is queued during the test runs at once, in the thread that queues it."""
    from django_sched_tasks.testing import run_inline  # noqa: PLC0415

    with run_inline(sched_clock) as scheduler:
        yield scheduler
