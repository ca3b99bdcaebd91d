"""The state of an APScheduler job, out of its pickle, without running anything of it.

A pickle names what it wants called, so whoever can write to the table of jobs could run code here. None of the names in
it is imported: classes of APScheduler become stand-ins that hold their attributes and do nothing, time zones are looked
up by their names, dates and times are built by us. Any other name is refused. Not even so is this for a web process.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.utils.translation import gettext as _

from django_sched_tasks.porting.records import Refused

LARGEST = 1024 * 1024
_KINDS = {
    "apscheduler.triggers.cron": ("CronTrigger",),
    "apscheduler.triggers.interval": ("IntervalTrigger",),
    "apscheduler.triggers.date": ("DateTrigger",),
    "apscheduler.triggers.calendarinterval": ("CalendarIntervalTrigger",),
    "apscheduler.triggers.combining": ("OrTrigger", "AndTrigger"),
    "apscheduler.triggers.cron.fields": ("BaseField", "WeekField", "DayOfMonthField", "DayOfWeekField", "MonthField"),
    "apscheduler.triggers.cron.expressions": (
        *("AllExpression", "RangeExpression", "MonthRangeExpression", "WeekdayRangeExpression"),
        *("WeekdayPositionExpression", "LastDayOfMonthExpression"),
    ),
}


class StandIn:
    """In place of an object of APScheduler: the name of its class, and its state."""

    kind = ""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def __new__(cls, *_args: Any) -> StandIn:
        made = super().__new__(cls)
        made.state = {}
        return made

    def __setstate__(self, state: Any) -> None:
        parts = state if isinstance(state, tuple) else (state,)  # with __slots__: (attributes, slots)
        for part in parts:
            if isinstance(part, dict):
                self.state.update(part)


def load(state: bytes) -> dict[str, Any]:
    """What a job's pickle holds; Refused where it is damaged or holds anything but a job of JSON values."""
    if len(state) > LARGEST:
        raise Refused(_("Its state is larger than %d bytes.") % LARGEST)
    try:
        loaded = _Unpickler(io.BytesIO(state)).load()
    except Refused:
        raise
    except Exception as error:  # whatever a damaged pickle makes the unpickler or a constructor raise
        raise Refused(_("Its state cannot be read: %s") % error) from error
    if not isinstance(loaded, dict):
        raise Refused(_("Its state is not that of a job."))
    return loaded


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = _KNOWN.get((module, name))
        if found is None:
            text = _("It holds %(name)s, which cannot become a task: arguments here are plain JSON.")
            raise Refused(text % {"name": f"{module}.{name}"})
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise Refused(_("Its state refers to something outside."))


class _ZoneClass:
    """In place of ``zoneinfo.ZoneInfo``."""


def _zone(name: object, *_rest: object) -> ZoneInfo:
    if not isinstance(name, str) or name not in available_timezones():
        raise Refused(_("%r is not a known time zone.") % name)
    return ZoneInfo(name)


def _utc(*_args: object) -> tzinfo:
    return UTC


def _attribute(owner: object, name: object) -> Callable[..., ZoneInfo]:
    """In place of ``getattr``, for the one thing that a pickled time zone asks it for."""
    if owner is not _ZoneClass or name not in ("_unpickle", "no_cache"):
        raise Refused(
            _("It holds %(name)s, which cannot become a task: arguments here are plain JSON.") % {"name": name}
        )
    return _zone


def _reconstructed(kind: Any, _base: object, _state: object) -> Any:
    """In place of ``copyreg._reconstructor``, of the oldest protocols."""
    if not (isinstance(kind, type) and issubclass(kind, StandIn)):
        raise Refused(_("Its state is not that of a job."))
    return kind()


def _encoded(text: object, encoding: object = "latin1") -> bytes:
    """In place of ``codecs.encode``, by which the oldest protocols write the bytes of a date."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused(_("Its state is not that of a job."))
    return text.encode("latin1")


def _stand_in(name: str) -> type[StandIn]:
    return type(name, (StandIn,), {"kind": name})


_KNOWN: dict[tuple[str, str], Any] = {
    **{(module, name): _stand_in(name) for module, names in _KINDS.items() for name in names},
    **{("datetime", kind.__name__): kind for kind in (datetime, date, time, timedelta, timezone)},
    **dict.fromkeys([("zoneinfo", "ZoneInfo"), ("zoneinfo._zoneinfo", "ZoneInfo")], _ZoneClass),
    **dict.fromkeys([("backports.zoneinfo", "ZoneInfo"), ("backports.zoneinfo._czoneinfo", "ZoneInfo")], _ZoneClass),
    **dict.fromkeys([("builtins", "getattr"), ("__builtin__", "getattr")], _attribute),
    **dict.fromkeys([("builtins", "object"), ("__builtin__", "object")], object),
    **dict.fromkeys([("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor")], _reconstructed),
    ("_codecs", "encode"): _encoded,
    ("pytz", "_p"): _zone,
    ("pytz", "_UTC"): _utc,
}
