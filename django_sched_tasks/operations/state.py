"""What holds for the whole scheduler of a database: the site's exclusions, maintenance, and its environment."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connections, transaction
from django.db.models import F
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from django_sched_tasks import conf, database, definitions, exclusions, signals
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import Reason, SchedulerState, SchedulerTask, TaskExecution, TaskStatus, transitions
from django_sched_tasks.models.state import THE_ROW
from django_sched_tasks.operations.commit import after_commit, transact, who

CHANNEL = "sys_scheduler"  # where nodes hear of changes, on PostgreSQL


@dataclass(frozen=True, slots=True)
class Environment:
    """Which environment the database belongs to, and which one this process says it is; "" says nothing."""

    recorded: str
    here: str

    @property
    def fits(self) -> bool:
        """Whether nodes like this process may work on the database."""
        return not self.recorded or self.recorded == self.here

    @property
    def problem(self) -> str:
        """Why nodes like this process hold; "" while they do not."""
        if self.fits:
            return ""
        here = f"'{self.here}'" if self.here else _("not set")
        text = _(
            "The database belongs to the environment '%(recorded)s', and SCHED_TASKS['ENVIRONMENT'] is %(here)s here. "
            "Nothing is planned or started until somebody confirms: manage.py schedtasks environment --confirm."
        )
        return text % {"recorded": self.recorded, "here": here}


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What :func:`confirm_environment` did: the executions it cancelled, the tasks whose past fire times it let go."""

    environment: Environment
    cancelled: int = 0
    let_go: int = 0


def scheduler_state() -> SchedulerState:
    """The row as it stands; one with nothing said where there is none yet."""
    return SchedulerState.objects.using(database.alias()).first() or SchedulerState()


def environment() -> Environment:
    return Environment(scheduler_state().environment, conf.environment() or "")


def why_held(now: datetime) -> str:
    """Why nodes plan and claim nothing, in words; "" while they do."""
    state = scheduler_state()
    problem = Environment(state.environment, conf.environment() or "").problem
    return problem or maintenance_in_words(state, now)


def maintenance_in_words(state: SchedulerState, now: datetime) -> str:
    """What somebody who wonders why nothing happens is told; "" without maintenance."""
    if state.maintenance_until is None or not state.is_in_maintenance(now):
        return ""
    text = _("Maintenance until %(until)s: nothing is planned, and nothing starts.")
    told = text % {"until": localtime(state.maintenance_until).isoformat(sep=" ", timespec="seconds")}
    about = ", ".join(part for part in (state.maintenance_note, state.maintenance_by) if part)
    return f"{told} ({about})" if about else told


def set_exclusions(value: Any, *, user: Any = None) -> SchedulerState:
    """Say which dates and windows are excluded for all tasks, in place of what was said before.

    Raises:
        InvalidDefinition: at ``exclusions``, what of it cannot be read.
    """
    exclusions.read(value)
    return _change("exclusions", user, exclusions=value)


def start_maintenance(
    until: datetime, *, note: str = "", user: Any = None, now: datetime | None = None
) -> SchedulerState:
    """Let nodes plan and claim nothing until an instant (aware); what runs goes on. Given again, it moves the end.

    Raises:
        InvalidDefinition: ``until`` is not in the future, or the note is none.
    """
    note = definitions.clean_note(note)
    if until <= (now or database.now(database.alias())):
        raise InvalidDefinition({"until": _("It lies in the past. Give the instant at which work is to go on.")})
    return _change(
        "maintenance_started", user, maintenance_until=until, maintenance_note=note, maintenance_by=who(user)
    )


def end_maintenance(*, user: Any = None, now: datetime | None = None) -> SchedulerState:
    """Let nodes go on; where no maintenance is, nothing happens."""
    instant = now or database.now(database.alias())
    state = scheduler_state()
    if not state.is_in_maintenance(instant):
        return state
    return _change("maintenance_ended", user, maintenance_until=instant)


def record_environment(now: datetime, *, using: str) -> None:
    """Let the database remember the name of this environment, if it has never heard one and this process has one."""
    name = conf.environment()

    def work() -> None:
        if not _the_row(using).environment:
            SchedulerState.objects.using(using).update(environment=name, updated_at=now)

    if name:
        transact(work, using)


def confirm_environment(*, user: Any = None, now: datetime | None = None) -> Confirmation:
    """Say that the database belongs to the environment of this process from now on.

    It is then most likely a copy, which must not repeat what the original has run: what is queued, claimed or running
    in it is cancelled, and the fire times that are past are let go, as those of a pause are.
    """
    using = database.alias()

    def work() -> tuple[Confirmation, list[int]]:
        state = _the_row(using)
        found = Environment(state.environment, conf.environment() or "")
        if found.fits:
            return Confirmation(found), []
        instant = now or database.now(using)
        text = _("It was open when the database of '%(recorded)s' was confirmed as that of '%(here)s'.")
        error = text % {"recorded": found.recorded, "here": found.here or _("not set")}
        cancelled = transitions.call_off(instant, using=using, reason=Reason.REQUESTED, error=error)
        # As if they had been paused and resumed: planned anew, from now on.
        due = SchedulerTask.objects.using(using).filter(status=TaskStatus.ACTIVE, plan_at__lte=instant)
        let_go = due.update(planned_trigger=None, next_run=None, planned_through=instant, version=F("version") + 1)
        state.environment = found.here
        _save(state, "environment_confirmed", user, using)
        return Confirmation(Environment(found.here, found.here), len(cancelled), let_go), cancelled

    confirmation, cancelled = transact(work, using)
    for execution in TaskExecution.objects.using(using).filter(pk__in=cancelled).order_by("pk").iterator():
        after_commit(using, signals.execution_finished, execution=execution)
    return confirmation


def _change(action: str, user: Any, **values: Any) -> SchedulerState:
    using = database.alias()

    def work() -> SchedulerState:
        state = _the_row(using)
        for name, value in values.items():
            setattr(state, name, value)
        _save(state, action, user, using)
        return state

    return transact(work, using)


def _the_row(using: str) -> SchedulerState:
    """The one row, locked. The first statement writes, so that SQLite locks now instead of failing later."""
    rows = SchedulerState.objects.using(using)
    if not rows.filter(pk=THE_ROW).update(id=THE_ROW):
        with suppress(IntegrityError), transaction.atomic(using=using):  # another was faster
            rows.create()
    return rows.select_for_update().get(pk=THE_ROW)


def _save(state: SchedulerState, action: str, user: Any, using: str) -> None:
    """Write it down, and let everybody hear of it: nodes by PostgreSQL at once, others with their next pass."""
    state.updated_by = who(user)
    state.save(using=using)
    if connections[using].vendor == "postgresql":
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, 'state')", [CHANNEL])

    def tell() -> None:
        signals.send(signals.schedule_changed, SchedulerTask)
        signals.send(signals.state_changed, SchedulerState, action=action, state=state, user=who(user))

    transaction.on_commit(tell, using=using, robust=True)
