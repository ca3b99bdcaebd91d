"""The jobs of django-apscheduler, read from its table."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from django.apps import apps
from django.db import DatabaseError, router
from django.utils.translation import gettext as _

from django_sched_tasks import conf
from django_sched_tasks.models import SchedulerTask, TaskStatus
from django_sched_tasks.payload import MAX_DEPTH, problem
from django_sched_tasks.porting.apscheduler_triggers import trigger_of
from django_sched_tasks.porting.records import FunctionMap, Record, Refused, UnreadableSource, short_name
from django_sched_tasks.porting.unpickling import load
from django_sched_tasks.registry.arguments import MAX_ARGUMENTS

APP = "django_apscheduler"
# APScheduler's own default, which nobody chose: it drops what is a second late.
UNCHOSEN_GRACE = 1

_LONGEST_JOB_ID = SchedulerTask._meta.get_field("job_id").max_length or 64


def read(mapped: FunctionMap) -> list[Record]:
    """A record for each job, in the order of their ids."""
    try:
        return [_record(job, mapped) for job in _jobs().order_by("pk")]
    except DatabaseError as error:
        text = _("The tables of %(app)s cannot be read: %(error)s") % {"app": APP, "error": str(error).strip()}
        raise UnreadableSource(text) from error


def database() -> str:
    return str(router.db_for_write(_model()))


def switch_off(keys: Collection[Any]) -> int:
    """Pause jobs there: their scheduler takes up what has a time in this column."""
    return int(_jobs().filter(pk__in=keys, next_run_time__isnull=False).update(next_run_time=None))


def _model() -> Any:
    if not apps.is_installed(APP):
        raise UnreadableSource(_("%s is not in INSTALLED_APPS: its rows are read through its own models.") % APP)
    return apps.get_model(APP, "DjangoJob")


def _jobs() -> Any:
    return _model()._base_manager.using(database())


def job_id_of(pk: str) -> str:
    job_id = f"apscheduler-{pk}"
    if len(job_id) <= _LONGEST_JOB_ID:
        return job_id
    digest = hashlib.sha256(pk.encode()).hexdigest()[:12]
    return f"{job_id[: _LONGEST_JOB_ID - len(digest) - 1]}-{digest}"


def _record(job: Any, mapped: FunctionMap) -> Record:
    origin, job_id = _("job %r") % job.pk, job_id_of(job.pk)
    remarks: list[str] = []
    try:
        fields = _fields(load(bytes(job.job_state)), mapped, remarks)
    except Refused as refusal:
        return Record(origin, job_id, {"name": job.pk}, refusal=str(refusal), remarks=remarks)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        text = _("Its state is not one that APScheduler 3 writes: %s") % error
        return Record(origin, job_id, {"name": job.pk}, refusal=text, remarks=remarks)
    is_paused = job.next_run_time is None
    note = _("It was paused in APScheduler.") if is_paused else ""
    status = TaskStatus.PAUSED if is_paused else TaskStatus.ACTIVE
    return Record(origin, job_id, fields, status=status, pause_note=note, remarks=remarks, key=job.pk)


def _fields(state: Mapping[str, Any], mapped: FunctionMap, remarks: list[str]) -> dict[str, Any]:
    trigger, trigger_args = trigger_of(state["trigger"])
    func = str(state["func"])
    return {
        "name": short_name(str(state["name"]), remarks),
        "func": mapped(func) or func,
        "trigger": trigger,
        "trigger_args": trigger_args,
        "args": _plain("args", state["args"]),
        "kwargs": _plain("kwargs", state["kwargs"]),
        "coalesce": bool(state["coalesce"]),
        "max_instances": state["max_instances"],
        **_grace(state["misfire_grace_time"]),
        **_executor(str(state["executor"]), remarks),
    }


def _plain(name: str, value: Any) -> Any:
    """Tuples become lists; whatever JSON does not know is refused."""
    plain = _Listing().of(value)
    if wrong := problem(plain):
        raise Refused(f"{name}: {wrong}")
    return plain


class _Listing:
    """One walk over one value, which may hold itself, or shared parts that make it far larger than its pickle."""

    def __init__(self) -> None:
        self._room = MAX_ARGUMENTS

    def of(self, value: Any, depth: int = 0) -> Any:
        self._room -= 1
        if self._room < 0 or depth > MAX_DEPTH:
            raise Refused(_("Its arguments are too large, or nested too deep."))
        if isinstance(value, list | tuple):
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {key: self.of(item, depth + 1) for key, item in value.items()}
        return value


def _grace(seconds: int | None) -> dict[str, int | None]:
    return {} if seconds == UNCHOSEN_GRACE else {"misfire_grace_time": seconds}


def _executor(alias: str, remarks: list[str]) -> dict[str, str]:
    if alias == "default" or alias in conf.executors():
        return {"executor": alias}
    remarks.append(_("This site has no executor %r; the task has the default one.") % alias)
    return {}
