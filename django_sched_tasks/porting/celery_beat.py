"""The periodic tasks of django-celery-beat, read through its own models.

A row becomes a task that fires when Celery beat would fire it, as far as Celery keeps to its own schedule: an interval
counts from the last run there, where Celery's drifts by the lateness of each run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, router
from django.utils.translation import gettext as _

from django_sched_tasks import operations
from django_sched_tasks.models import TaskStatus
from django_sched_tasks.porting.celery_cron import FIELDS, cron_args
from django_sched_tasks.porting.celery_functions import CeleryFunctions
from django_sched_tasks.porting.records import FunctionMap, Record, Refused, UnreadableSource, iso, short_name

APP = "django_celery_beat"
ROUTING = ("queue", "exchange", "routing_key", "priority")
_SCHEDULES = ("interval", "crontab", "solar", "clocked")
_SECOND = timedelta(seconds=1)
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class _When:
    """The when of a row, and the fields of a task that say the rest of it."""

    trigger: str
    args: dict[str, Any]
    fields: dict[str, Any] = field(default_factory=dict)


def read(mapped: FunctionMap) -> list[Record]:
    """A record for each row, in the order of their ids."""
    rows = _periodic_tasks().select_related(*_SCHEDULES).order_by("pk")
    functions, executor = CeleryFunctions(mapped), _celery_executor()
    try:
        return [_record(row, functions, executor) for row in rows]
    except DatabaseError as error:
        raise UnreadableSource(_("The tables of %(app)s cannot be read: %(error)s") % _told(error)) from error


def database() -> str:
    return str(router.db_for_write(_model("PeriodicTask")))


def switch_off(keys: Collection[Any]) -> int:
    """Disable rows, and tell a beat that is running; ``last_run_at`` stays, so that going back is possible."""
    switched_off = _periodic_tasks().filter(pk__in=keys, enabled=True).update(enabled=False)
    if switched_off:
        _model("PeriodicTasks").update_changed()
    return int(switched_off)


def _model(name: str) -> Any:
    if not apps.is_installed(APP):
        raise UnreadableSource(_("%s is not in INSTALLED_APPS: its rows are read through its own models.") % APP)
    return apps.get_model(APP, name)


def _periodic_tasks() -> Any:
    return _model("PeriodicTask")._base_manager.using(database())


def _told(error: Exception) -> dict[str, str]:
    return {"app": APP, "error": str(error).strip()}


def _celery_executor() -> str | None:
    """The first alias of the site that sends runs to Celery."""
    found = (info.alias for info in operations.executors() if info.backend.endswith(".CeleryExecutor"))
    return next(found, None)


def _record(row: Any, functions: CeleryFunctions, executor: str | None) -> Record:
    origin, job_id = _("periodic task %s") % row.pk, f"celery-beat-{row.pk}"
    remarks: list[str] = []
    fields: dict[str, Any] = {"name": short_name(row.name, remarks)}
    if row.task.startswith("celery."):
        text = _("%s is Celery's own housekeeping; Celery needs it as long as it keeps results.")
        return Record(origin, job_id, fields, left_out=text % row.task)
    try:
        when = _when(row)
        fields |= {
            "func": functions.path_of(row.task),
            "trigger": when.trigger,
            "trigger_args": when.args,
            "args": _json("args", row.args, list),
            "kwargs": _json("kwargs", row.kwargs, dict),
            "description": row.description,
            **when.fields,
            **_limits(row),
            **_routes(row, executor, remarks),
        }
    except Refused as refusal:
        return Record(origin, job_id, fields, refusal=str(refusal), remarks=remarks)
    status = TaskStatus.ACTIVE if row.enabled else TaskStatus.PAUSED
    note = "" if row.enabled else _("It was disabled in Celery beat.")
    return Record(origin, job_id, fields, status=status, pause_note=note, remarks=remarks, key=row.pk)


def _when(row: Any) -> _When:
    readers: dict[str, Callable[[Any], _When]] = {
        "interval": _interval,
        "crontab": _crontab,
        "solar": _solar,
        "clocked": _clocked,
    }
    kinds = [name for name in _SCHEDULES if getattr(row, f"{name}_id") is not None]
    if len(kinds) != 1:
        text = _("It has %(count)d schedules (%(names)s); Celery beat cannot run it either.")
        raise Refused(text % {"count": len(kinds), "names": ", ".join(kinds) or "-"})
    if row.one_off and row.total_run_count > 0:
        raise Refused(_("It was to run once and has done so."))
    return readers[kinds[0]](row)


def _interval(row: Any) -> _When:
    every, period = row.interval.every, row.interval.period
    if period == "microseconds":
        if every < _MICROSECONDS:
            raise Refused(_("It fires every %d microseconds; an interval here is at least 1 second.") % every)
        every, period = every / _MICROSECONDS, "seconds"
    return _When("interval", {period: every, "start_date": iso(_anchor(row)), **_end(row)})


def _anchor(row: Any) -> datetime:
    """From when on Celery counts: the last run; of a row that has not run its start, else its latest edit."""
    counted: datetime = row.last_run_at or row.date_changed
    return row.start_time if row.start_time and (not row.last_run_at or row.start_time > counted) else counted


def _crontab(row: Any) -> _When:
    crontab = row.crontab
    try:
        schedule = crontab.schedule
    except ValueError as error:  # of Celery's, ParseException among them
        raise Refused(_("Celery itself cannot read its crontab: %s") % error) from error
    texts = {theirs: getattr(crontab, theirs) for _name, theirs, _low, _high in FIELDS}
    numbers = {theirs: getattr(schedule, theirs) for theirs in texts}
    args = {**cron_args(texts, numbers), **_start(row), **_end(row)}
    # Only so does django-celery-beat heed the zone of a row.
    is_aware = getattr(settings, "DJANGO_CELERY_BEAT_TZ_AWARE", True)
    return _When("cron", args, {"timezone": str(crontab.timezone if is_aware else schedule.app.timezone)})


def _solar(row: Any) -> _When:
    solar = row.solar
    place = {"latitude": float(solar.latitude), "longitude": float(solar.longitude)}
    return _When("solar", {"event": solar.event, **place, **_start(row), **_end(row)})


def _clocked(row: Any) -> _When:
    moment: datetime = row.clocked.clocked_time
    if row.expires is not None and row.expires <= moment:
        raise Refused(_("It expires before its only time."))
    if row.last_run_at is not None and row.last_run_at >= moment:
        raise Refused(_("It was to run once and has done so."))
    return _When("date", {"run_date": iso(moment)})


def _start(row: Any) -> dict[str, str]:
    return {"start_date": iso(row.start_time)} if row.start_time is not None else {}


def _end(row: Any) -> dict[str, str]:
    """``end_date`` is the last instant that fires, ``expires`` the first that does not."""
    if row.expires is None:
        return {}
    if row.expires <= datetime.now(UTC):
        raise Refused(_("It expired at %s.") % iso(row.expires))
    return {"end_date": iso(row.expires - _SECOND)}


def _limits(row: Any) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if row.one_off and row.clocked_id is None:
        limits["max_runs"] = 1
    if row.expire_seconds is not None:
        limits["misfire_grace_time"] = row.expire_seconds
    return limits


def _routes(row: Any, executor: str | None, remarks: list[str]) -> dict[str, Any]:
    options = {name: value for name in ROUTING if (value := getattr(row, name)) not in (None, "")}
    if headers := _json("headers", row.headers, dict):
        options["headers"] = headers
    if executor is not None:
        return {"executor": executor, "executor_options": options}
    if options:
        text = _("Not taken over, since no executor of this site sends to Celery: %s")
        remarks.append(text % ", ".join(options))
    return {}


def _json(name: str, text: str, kind: type) -> Any:
    try:
        value = json.loads(text or json.dumps(kind()))
    except ValueError as error:
        raise Refused(_("%(name)s is not JSON: %(error)s") % {"name": name, "error": error}) from error
    if not isinstance(value, kind):
        wanted = _("a list") if kind is list else _("an object")
        raise Refused(_("%(name)s is not %(wanted)s of JSON.") % {"name": name, "wanted": wanted})
    if any("__type__" in part for part in _objects(value)):
        raise Refused(_("%s has a value of Celery's own notation; arguments here are plain JSON.") % name)
    return value


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(item)
