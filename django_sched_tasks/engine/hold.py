"""Whether this node holds: somebody has asked for maintenance, or the database is that of another environment.

A node that holds plans and claims nothing; what runs goes on. In the database of another environment, most likely a
copy, it does not judge other nodes either, since those that the copy tells of run elsewhere.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db import connections

from django_sched_tasks import conf, database
from django_sched_tasks.models import SchedulerState
from django_sched_tasks.operations import Environment

logger = logging.getLogger(__name__)


class Hold:
    """What the last look at the scheduler's state has told."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._environment = Environment("", "")
        self._until: datetime | None = None

    @property
    def is_on(self) -> bool:
        return self._until is not None or self.is_elsewhere

    @property
    def is_elsewhere(self) -> bool:
        """Whether the database is that of another environment."""
        return not self._environment.fits

    @property
    def problem(self) -> str:
        """Why nothing happens, where somebody must do something about it: maintenance is wanted, and no problem."""
        return self._environment.problem

    def sql(self) -> tuple[str, str]:
        """Two expressions that ride on a statement which is sent anyway."""
        quote = connections[self._using].ops.quote_name
        table = quote(SchedulerState._meta.db_table)
        return f"(SELECT environment FROM {table})", f"(SELECT maintenance_until FROM {table})"

    def look(self, environment: str | None, maintenance_until: Any, now: datetime) -> bool:
        """Take over what the expressions have told; answers whether to hold."""
        was_elsewhere, was_until = self.is_elsewhere, self._until
        self._environment = Environment(environment or "", conf.environment() or "")
        until = None if maintenance_until is None else database.as_instant(maintenance_until)
        self._until = until if until is not None and until > now else None
        if self.is_elsewhere and not was_elsewhere:
            logger.error("%s", self.problem)
        elif was_elsewhere and not self.is_elsewhere:
            logger.warning("The environment of the database is confirmed; scheduling goes on.")
        if self._until is not None and was_until is None:
            logger.warning("Maintenance until %s: nothing is planned, and nothing starts.", self._until.isoformat())
        elif self._until is None and was_until is not None:
            logger.warning("Maintenance has ended; scheduling goes on.")
        return self.is_on

    def read(self, now: datetime) -> bool:
        """The same by a query of its own, before there are passes."""
        state = SchedulerState.objects.using(self._using).first() or SchedulerState()
        return self.look(state.environment, state.maintenance_until, now)

    def seconds_left(self, now: datetime) -> float | None:
        """Until maintenance ends; None where it is not that."""
        return None if self._until is None else (self._until - now).total_seconds()
