"""What a task's definition must look like, whatever face it comes from; every error at its field, all at once."""

from __future__ import annotations

import builtins
import difflib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from django_sched_tasks import conf, exclusions, registry, triggers
from django_sched_tasks.exceptions import InvalidDefinition, InvalidTrigger
from django_sched_tasks.models import OnCrash, SchedulerTask
from django_sched_tasks.payload import problem

REQUIRED = ("name", "func", "trigger", "trigger_args")
POLICIES = (
    "misfire_grace_time",
    "coalesce",
    "max_catch_up",
    "max_instances",
    "overlap",
    "concurrency_key",
    "timeout",
    "max_retries",
    "retry_delay",
    "retry_backoff",
    "retry_jitter",
    "retry_on",
    "transactional",
    "on_crash",
    "pause_on_failure",
    "priority",
    "exclusions",
    "max_runs",
    "retention_days",
    "retention_count",
)
# What people may give; all else of a task is told by the engine, or by its verbs.
FIELDS = (
    *REQUIRED,
    "job_id",
    "description",
    "args",
    "kwargs",
    "timezone",
    "queue",
    "executor",
    "executor_options",
    *POLICIES,
)
TRIGGER_FIELDS = ("trigger", "trigger_args", "timezone")
FUNCTION_FIELDS = ("func", "args", "kwargs")
CALL_FIELDS = (*FUNCTION_FIELDS, "transactional")
JSON_FIELDS: dict[str, type] = {
    **dict.fromkeys(("trigger_args", "kwargs", "executor_options"), dict),
    **dict.fromkeys(("args", "retry_on", "exclusions"), list),
}
NEEDED_TEXT = ("name", "job_id", "queue", "executor")
IDEMPOTENCY_KEY_LENGTH = 64
LARGEST_VALUE = 64 * 1024  # characters of text, or of the JSON of a field
MOST_UNKNOWN = 10  # unknown names that are told one by one

Errors = dict[str, list[str]]


def clean_new(given: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """The fields of a new task, with the site's defaults for what was left out; raises InvalidDefinition."""
    defaults = {name: value for name, value in conf.defaults().items() if name in POLICIES}
    if given.get("trigger") == "date":
        defaults["misfire_grace_time"] = None  # a single date is late rather than never
    if given.get("transactional"):
        defaults.pop("on_crash", None)  # it says so itself
    values = {**defaults, **_with_stored_secrets(given.get("func"), given, [], {})}
    if not values.get("job_id"):
        values.pop("job_id", None)
    errors: Errors = {name: [_("This field is required.")] for name in REQUIRED if name not in given}
    return _clean(values, SchedulerTask(), set(values), errors, now)


def clean_changes(stored: SchedulerTask, changes: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
    """The changed fields of a stored task; what repeats the stored value passes as it is."""
    changes = _with_stored_secrets(changes.get("func", stored.func), changes, stored.args, stored.kwargs)
    touched = {name for name, value in changes.items() if not _repeats(stored, name, value)}
    return _clean(changes, stored, touched, {}, now)


def _with_stored_secrets(func: Any, given: Mapping[str, Any], args: Any, kwargs: Any) -> Mapping[str, Any]:
    """A secret is shown as ``*****``; whoever gives that back means the stored one."""
    return registry.restored_arguments(func, dict(given), args, kwargs) if {"args", "kwargs"} & given.keys() else given


def default(name: str) -> Any:
    """What a field of a new task is when nobody gives it: the site's default of a policy, else the model's."""
    defaults = conf.defaults()
    if name in POLICIES and name in defaults:
        return defaults[name]
    field: Any = SchedulerTask._meta.get_field(name)
    return field.get_default()


def _repeats(stored: SchedulerTask, name: str, value: Any) -> bool:
    return name in FIELDS and is_same(value, getattr(stored, name))


def is_same(one: Any, other: Any) -> bool:
    """Whether two values of a field are the same as JSON has it: 1 is not true, at any depth."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | dict):
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    return bool(one == other)


def _clean(
    values: Mapping[str, Any], base: SchedulerTask, touched: set[str], errors: Errors, now: datetime
) -> dict[str, Any]:
    """Clean the touched fields one by one, then those that only make sense together."""
    cleaned: dict[str, Any] = {}
    unknown = [name for name in values if name not in FIELDS]
    errors.update((name, [_unknown(name)]) for name in unknown[:MOST_UNKNOWN])
    for name, value in values.items():
        if name not in FIELDS:
            continue
        if name in touched:
            _clean_field(name, value, base, cleaned, errors)
        else:
            cleaned[name] = value

    def now_has(name: str) -> Any:
        return cleaned.get(name, getattr(base, name))

    if touched & set(TRIGGER_FIELDS) and not errors.keys() & set(TRIGGER_FIELDS):
        _check_trigger(now_has, errors, now)
    if touched & set(CALL_FIELDS) and "func" not in errors:
        _check_function(now_has, errors)
    if touched & {"transactional", "on_crash"} and now_has("transactional") is True:
        _imply_retry(touched, cleaned, errors)
    if errors:
        raise InvalidDefinition(errors)
    return cleaned


def _unknown(name: str) -> str:
    nearest = difflib.get_close_matches(name, FIELDS, n=1)
    hint = _("Did you mean %r?") % nearest[0] if nearest else _("Known fields: %s.") % ", ".join(FIELDS)
    return _("There is no such field. %s") % hint


def _clean_field(name: str, value: Any, base: SchedulerTask, cleaned: dict[str, Any], errors: Errors) -> None:
    field: Any = SchedulerTask._meta.get_field(name)
    complaint = problem(value) or _wrong_type(name, field, value) or _too_large(name, value)
    if complaint:
        errors[name] = [complaint]
        return
    if name == "retry_on" and (complaint := _wrong_exceptions(value)):
        errors[name] = [complaint]
        return
    if name == "exclusions" and (complaints := _wrong_exclusions(value)):
        errors[name] = complaints
        return
    if name in JSON_FIELDS or name in ("trigger", "func"):
        cleaned[name] = value  # checked as a whole, by the rooms that know them
        return
    try:
        cleaned[name] = field.clean(value, base)
    except ValidationError as error:
        errors[name] = list(error.messages)
        return
    complaint = _wrong_choice(name, cleaned[name])
    if complaint:
        errors[name] = [complaint]


def _wrong_type(name: str, field: Any, value: Any) -> str | None:
    wanted = _wanted(name, field, value)
    return (
        None
        if wanted is None
        else _("%(given)s was given; it must be %(wanted)s.")
        % {
            "given": _kind_of(value),
            "wanted": wanted,
        }
    )


def _wanted(name: str, field: Any, value: Any) -> str | None:
    """What the value should have been, where its JSON type is wrong; None where it is right.

    ``trigger``, ``trigger_args`` and ``func`` are left to the rooms that know them and answer with examples.
    """
    if name in ("trigger", "trigger_args", "func"):
        return None
    if name in JSON_FIELDS:
        wanted = _("a JSON object") if JSON_FIELDS[name] is dict else _("a JSON list")
        return None if isinstance(value, JSON_FIELDS[name]) else wanted
    if isinstance(field, models.CharField | models.TextField):
        return None if isinstance(value, str) else _("text")
    if value is None:
        return None  # the column knows whether it may be
    if isinstance(field, models.BooleanField):
        return None if isinstance(value, bool) else _("true or false")
    if isinstance(field, models.IntegerField):
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return None if is_whole and not isinstance(value, bool) else _("a whole number")
    return None if isinstance(value, int | float) and not isinstance(value, bool) else _("a number")


def _too_large(name: str, value: Any) -> str | None:
    if name in FUNCTION_FIELDS:
        return None  # the registry limits them together
    size = len(value) if isinstance(value, str) else len(json.dumps(value)) if isinstance(value, list | dict) else 0
    if size <= LARGEST_VALUE:
        return None
    return _("It has %(size)d characters; at most %(limit)d are kept. Store large data elsewhere and name it here.") % {
        "size": size,
        "limit": LARGEST_VALUE,
    }


def _kind_of(value: Any) -> str:
    names = {dict: _("an object"), list: _("a list"), bool: _("true or false"), type(None): _("null"), str: _("text")}
    return str(names.get(type(value), _("a number")))


def _wrong_choice(name: str, value: Any) -> str | None:
    if name in NEEDED_TEXT and not value.strip():
        return _("This field may not be blank.")
    if name == "executor" and value not in conf.executors():
        known = ", ".join(sorted(conf.executors()))
        return _("There is no executor %(name)r. Known are: %(known)s; SCHED_TASKS['EXECUTORS'] names them.") % {
            "name": value,
            "known": known,
        }
    return None


def _wrong_exceptions(names: list[Any]) -> str | None:
    for name in names:
        given = name if isinstance(name, str) else json.dumps(name)
        if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
            text = _("%(given)s is not the name of an exception, such as 'OSError' or 'requests.exceptions.Timeout'.")
            return text % {"given": repr(given)}
        if "." not in name and not _is_builtin_exception(name):
            text = _("%(given)s is no exception of Python's own; write others with their module.%(hint)s")
            nearest = difflib.get_close_matches(name, filter(_is_builtin_exception, dir(builtins)), n=1)
            hint = _(" Did you mean '%(name)s'?") % {"name": nearest[0]} if nearest else ""
            return text % {"given": repr(given), "hint": hint}
    return None


def _wrong_exclusions(value: Any) -> list[str]:
    try:
        exclusions.read(value)
    except InvalidDefinition as error:
        return error.errors["exclusions"]
    return []


def _is_builtin_exception(name: str) -> bool:
    found = getattr(builtins, name, None)
    return isinstance(found, type) and issubclass(found, BaseException)


def _check_trigger(now_has: Any, errors: Errors, now: datetime) -> None:
    try:
        triggers.validate(now_has("trigger"), now_has("trigger_args"), timezone=now_has("timezone"), now=now)
    except InvalidTrigger as error:
        errors.update(error.errors)


def _check_function(now_has: Any, errors: Errors) -> None:
    try:
        function = registry.check(now_has("func"))
        if function.takes_context:
            text = _(
                "It takes the context of Django's tasks, which a run here does not have: schedule a plain function."
            )
            raise InvalidDefinition({"func": text})
        if function.is_async and now_has("transactional"):
            text = _("%s is async; a transaction belongs to a thread, so only a plain function can be transactional.")
            raise InvalidDefinition({"transactional": text % function.path})
        if not errors.keys() & {"args", "kwargs"}:
            registry.check_arguments(function, now_has("args"), now_has("kwargs"))
    except InvalidDefinition as error:
        errors.update(error.errors)


def _imply_retry(touched: set[str], cleaned: dict[str, Any], errors: Errors) -> None:
    """Effects happen exactly once only where a crash, which rolls them back, is followed by another run."""
    if "on_crash" in touched and cleaned.get("on_crash") == OnCrash.LOSE:
        text = _("A transactional task is run again after a crash, which has rolled its writes back: give 'retry'.")
        errors["on_crash"] = [text]
        return
    cleaned["on_crash"] = OnCrash.RETRY.value


def clean_note(note: Any) -> str:
    limit = SchedulerTask._meta.get_field("pause_note").max_length or 255
    if not isinstance(note, str):
        raise InvalidDefinition({"note": _("%s was given; it must be text.") % _kind_of(note)})
    complaint = problem(note)
    if complaint:
        raise InvalidDefinition({"note": complaint})
    if len(note) > limit:
        raise InvalidDefinition(
            {"note": _("It has %(length)d characters; at most %(limit)d fit.") % {"length": len(note), "limit": limit}}
        )
    return note.strip()


def clean_idempotency_key(key: Any) -> str:
    complaint = problem(key) if isinstance(key, str) else _("It must be text.")
    if not complaint and len(key) > IDEMPOTENCY_KEY_LENGTH:
        complaint = _("It has %(length)d characters; at most %(limit)d are allowed.") % {
            "length": len(key),
            "limit": IDEMPOTENCY_KEY_LENGTH,
        }
    if complaint:
        raise InvalidDefinition({"Idempotency-Key": complaint})
    return str(key)
