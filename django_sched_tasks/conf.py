"""The settings of this app: one dict ``SCHED_TASKS``, read live on every use, every key known here.

Nothing is cached, so ``override_settings`` and a changed settings module work without a signal. What a value must look
like stands beside its default; ``problems()`` compares the host's dict with that and is what the system checks show.
"""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

Queues = dict[str, int | None]

SETTING = "SCHED_TASKS"
SHORTEST_TOKEN = 16
LONGEST_ENVIRONMENT = 128
AUTO_START_VARIABLE = "SCHED_TASKS_AUTO_START"
RUN_COMMAND = "django_sched_tasks.commands:run_command"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the dict: its default, whether a value is right, and that in words.

    A key that is a dict itself has ``options``, each described like a key.
    """

    default: Any
    is_valid: Callable[[Any], bool]
    expected: str
    is_secret: bool = False
    options: Mapping[str, Key] = field(default_factory=dict)


def _is_dict(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_token(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) >= SHORTEST_TOKEN)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) and name for name in value)


def _is_level(value: Any) -> bool:
    return isinstance(value, str) and value in logging.getLevelNamesMapping()


def _is_slots(value: Any) -> bool:
    return value is None or (_is_count(value) and value > 0)


def _is_queues(value: Any) -> bool:
    if isinstance(value, Mapping):
        return _is_names(list(value)) and all(_is_slots(slots) for slots in value.values())
    return _is_names(value)


def _is_retention(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and set(value) <= {"days", "count"}
        and ("days" not in value or _is_positive(value["days"]))
        and ("count" not in value or (_is_count(value["count"]) and value["count"] > 0))
    )


def _is_executors(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and "default" in value
        and all(isinstance(alias, str) and isinstance(entry, Mapping) for alias, entry in value.items())
        and all(
            isinstance(entry.get("BACKEND"), str) and isinstance(entry.get("OPTIONS", {}), Mapping)
            for entry in value.values()
        )
        and all(set(entry) <= {"BACKEND", "OPTIONS"} for entry in value.values())
    )


DEFAULT_EXECUTORS = {
    "default": {"BACKEND": "django_sched_tasks.executors.ThreadExecutor", "OPTIONS": {"max_workers": 10}},
}

PROMETHEUS = {
    "TOKEN": Key(None, _is_token, "a secret text of at least 16 characters, or None", is_secret=True),
    "TASK_LABELS": Key(False, _is_bool, "True or False"),
    "MOST_TASKS": Key(500, _is_count, "a whole number, 0 or more"),
    "ADDRESS": Key("127.0.0.1", lambda value: isinstance(value, str), "an address to listen on, such as '0.0.0.0'"),
    "PORT": Key(
        None,
        lambda value: value is None or (_is_count(value) and 0 < value < 65_536),
        "a port from 1 to 65535, or None",
    ),
}

SENTRY = {
    "CHECK_INS": Key(True, _is_bool, "True or False"),
    "CHECKIN_MARGIN": Key(1, _is_count, "a whole number of minutes, 0 or more"),
    "MAX_RUNTIME": Key(60, lambda value: _is_count(value) and value > 0, "a whole number of minutes, 1 or more"),
}

ALERTS = {
    "INTERVAL": Key(15.0, _is_positive, "seconds, more than 0"),
    "FROM_REQUESTS": Key(False, _is_bool, "True or False"),
    "RESOLVE_AFTER": Key(60.0, _is_positive, "seconds, more than 0"),
    "EMAIL_WINDOW": Key(30.0, _is_positive, "seconds, more than 0"),
    "EMAIL_INTERVAL": Key(300.0, _is_positive, "seconds, more than 0"),
    "WEBHOOK_TIMEOUT": Key(10.0, _is_positive, "seconds, more than 0"),
    "WEBHOOK_RETRY_DELAY": Key(30.0, _is_positive, "seconds, more than 0"),
    "GIVE_UP_AFTER": Key(86_400.0, _is_positive, "seconds, more than 0"),
    "RETENTION_DAYS": Key(90, _is_positive, "days, more than 0"),
    "BASE_URL": Key(
        "",
        lambda value: isinstance(value, str) and (not value or value.startswith(("http://", "https://"))),
        "the site's address, such as 'https://example.org', or ''",
    ),
}

KEYS: dict[str, Key] = {
    "AUTO_START": Key(True, lambda value: isinstance(value, bool), "True or False"),
    "LOCK_FILE": Key(
        None,
        lambda value: value is None or (isinstance(value, str | os.PathLike) and bool(os.fspath(value))),
        "the path of a file, or None",
    ),
    "ENVIRONMENT": Key(
        None,
        lambda value: value is None or (isinstance(value, str) and 0 < len(value) <= LONGEST_ENVIRONMENT),
        "a name such as 'production', of at most 128 characters, or None",
    ),
    "TASK_MODULES": Key(
        ("tasks", "jobs", "sched_tasks", "module.*"), _is_names, "a list of module names such as 'tasks' or 'module.*'"
    ),
    "ALLOWED_FUNCS": Key((), _is_names, "a list of patterns such as 'shop.reports:daily' or 'shop.reports:*'"),
    "COMMANDS": Key((), _is_names, "a list of names of management commands such as 'clearsessions'"),
    "SYNC_AFTER_MIGRATE": Key(True, lambda value: isinstance(value, bool), "True or False"),
    "EXECUTORS": Key(
        DEFAULT_EXECUTORS,
        _is_executors,
        "a dict of aliases, 'default' among them, each with BACKEND (a dotted path) and OPTIONS (a dict)",
    ),
    "QUEUES": Key(
        None,
        lambda value: value is None or (_is_queues(value) and bool(value)),
        "a list of queue names, a dict of queue names and slots such as {'etl': 2, 'mail': None}, or None",
    ),
    "WEB_QUEUES": Key(
        None,
        lambda value: value is None or _is_queues(value),
        "a list of queue names, a dict of queue names and slots such as {'etl': 2, 'mail': None}, or None",
    ),
    "DEFAULTS": Key({}, lambda value: isinstance(value, Mapping), "a dict of policies for new tasks"),
    "POLL_INTERVAL": Key(1.0, _is_positive, "seconds, more than 0"),
    "HEARTBEAT_INTERVAL": Key(5.0, _is_positive, "seconds, more than 0"),
    "NODE_TIMEOUT": Key(30.0, _is_positive, "seconds, more than HEARTBEAT_INTERVAL"),
    "PREFETCH": Key(40, _is_count, "a whole number, 0 or more"),
    "SHUTDOWN_GRACE": Key(10.0, _is_positive, "seconds, more than 0"),
    "RETENTION": Key(
        {"days": 90},
        lambda value: value is None or _is_retention(value),
        "{'days': N}, {'count': N} with a whole number, or both; None keeps all",
    ),
    "OUTPUT_LIMIT": Key(
        65_536, lambda value: _is_count(value) and value >= 1_000, "a number of characters, 1000 or more"
    ),
    "OUTPUT_LEVEL": Key("INFO", _is_level, "the name of a level of logging, such as 'INFO'"),
    "REDACT": Key(
        ("password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "private_key", "credential"),
        _is_names,
        "a list of words such as 'password' or 'token'",
    ),
    "HEALTH_TOKEN": Key(
        None,
        _is_token,
        "a secret text of at least 16 characters, or None",
        is_secret=True,
    ),
    "PROMETHEUS": Key({}, _is_dict, "a dict of options", options=PROMETHEUS),
    "SENTRY": Key({}, _is_dict, "a dict of options", options=SENTRY),
    "ALERTS": Key({}, _is_dict, "a dict of options", options=ALERTS),
    "API_PERMISSION_CLASSES": Key(
        ("django_sched_tasks.api.permissions.SchedulerPermission",), _is_names, "a list of dotted paths"
    ),
}


def option(name: str, option: str) -> Any:
    """The value of an option of a key that is a dict itself, judged as :func:`get` judges the key."""
    key = KEYS[name].options[option]
    value = get(name).get(option, key.default)
    return value if key.is_valid(value) else key.default


def _given() -> Mapping[str, Any]:
    value = getattr(settings, SETTING, None)
    return value if isinstance(value, Mapping) else {}


def get(name: str) -> Any:
    """The value of a key: the host's, else the default.

    A value of the wrong shape counts as absent; the system check has said so.
    """
    kept = _kept
    if name not in kept:
        key = KEYS[name]
        value = _given().get(name, key.default)
        kept[name] = value if key.is_valid(value) else key.default
    return kept[name]


# Every run asks for some of them. The dict is never emptied but replaced: a thread that is reading the old settings
# must not leave what it finds in the new one.
_kept: dict[str, Any] = {}


def _forget(*, setting: str, **_others: Any) -> None:
    global _kept
    if setting == SETTING:
        _kept = {}


setting_changed.connect(_forget, dispatch_uid="django_sched_tasks.conf")


def problems() -> Iterator[tuple[str, str, str]]:
    """What is wrong with the host's dict, as (key, sentence, hint)."""
    value = getattr(settings, SETTING, {})
    if not isinstance(value, Mapping):
        yield SETTING, f"{SETTING} is a {type(value).__name__}; it must be a dict.", f"Write {SETTING} = {{...}}."
        return
    yield from _wrong_keys(SETTING, value, KEYS)
    for name, key in KEYS.items():
        if key.options:
            for _option, sentence, hint in _wrong_keys(f"{SETTING}[{name!r}]", get(name), key.options):
                yield name, sentence, hint
    if node_timeout() <= heartbeat_interval():
        yield (
            "NODE_TIMEOUT",
            f"NODE_TIMEOUT ({node_timeout()} s) is not above HEARTBEAT_INTERVAL ({heartbeat_interval()} s).",
            "A node would be declared dead between two signs of life; let it miss several.",
        )


def _wrong_keys(where: str, given: Mapping[str, Any], known: Mapping[str, Key]) -> Iterator[tuple[str, str, str]]:
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"Did you mean {nearest[0]!r}?" if nearest else f"Known keys: {', '.join(known)}."
            yield str(name), f"{where} has an unknown key {name!r}.", hint
        elif not known[name].is_valid(given[name]):
            shown = "not as it must be" if known[name].is_secret else repr(given[name])
            yield name, f"{where}[{name!r}] is {shown}.", f"It must be {known[name].expected}."


def auto_start() -> bool:
    """Whether a server process may start a scheduler by itself; the environment variable overrides the setting."""
    override = auto_start_override()
    return bool(get("AUTO_START")) if override is None else override


def auto_start_override() -> bool | None:
    """What the environment variable says: True or False where it is 1 or 0, None where it says nothing."""
    return {"0": False, "1": True}.get(os.environ.get(AUTO_START_VARIABLE, "").strip())


def lock_file() -> str | None:
    value = get("LOCK_FILE")
    return None if value is None else os.fspath(value)


def environment() -> str | None:
    """The name of the environment that this process belongs to."""
    value = get("ENVIRONMENT")
    return None if value is None else str(value)


def task_modules() -> tuple[str, ...]:
    return tuple(get("TASK_MODULES"))


def allowed_funcs() -> tuple[str, ...]:
    """Patterns of functions; the one that runs management commands is among them where any may be scheduled."""
    return (*get("ALLOWED_FUNCS"), *([RUN_COMMAND] if commands() else []))


def commands() -> tuple[str, ...]:
    """The management commands that may be scheduled."""
    return tuple(get("COMMANDS"))


def sync_after_migrate() -> bool:
    """Whether ``migrate`` makes and updates the rows of what ``@scheduled`` declares."""
    return bool(get("SYNC_AFTER_MIGRATE"))


def executors() -> dict[str, Mapping[str, Any]]:
    return dict(get("EXECUTORS"))


def queues() -> Queues | None:
    """The queues that a node of this site serves, each with its slots, None for all; None instead: every queue."""
    return as_queues(get("QUEUES"))


def web_queues() -> Queues | None:
    """The same for nodes that a server process hosts."""
    value = get("WEB_QUEUES")
    return queues() if value is None else as_queues(value)


def as_queues(value: Mapping[str, int | None] | Collection[str] | None) -> Queues | None:
    if value is None or isinstance(value, Mapping):
        return None if value is None else dict(value)
    return dict.fromkeys(value)


def defaults() -> dict[str, Any]:
    return dict(get("DEFAULTS"))


def poll_interval() -> float:
    return float(get("POLL_INTERVAL"))


def heartbeat_interval() -> float:
    return float(get("HEARTBEAT_INTERVAL"))


def node_timeout() -> float:
    return float(get("NODE_TIMEOUT"))


def prefetch() -> int:
    return int(get("PREFETCH"))


def shutdown_grace() -> float:
    return float(get("SHUTDOWN_GRACE"))


def retention_days() -> float | None:
    """How long ended executions are kept; None means for ever."""
    value = (get("RETENTION") or {}).get("days")
    return None if value is None else float(value)


def retention_count() -> int | None:
    """How many ended executions of each task are kept; None means all."""
    value: int | None = (get("RETENTION") or {}).get("count")
    return value


def output_limit() -> int:
    """How many characters of a run's output are kept."""
    return int(get("OUTPUT_LIMIT"))


def output_level() -> int:
    """The lowest level of log records that go to a run's output."""
    return logging.getLevelNamesMapping()[get("OUTPUT_LEVEL")]


def redact() -> tuple[str, ...]:
    """The words that make the name of an argument that of a secret."""
    return tuple(get("REDACT"))


def health_token() -> str | None:
    """What a monitor sends as ``Authorization: Bearer …`` to read the health without an account."""
    value = get("HEALTH_TOKEN")
    return None if value is None else str(value)


def api_permission_classes() -> tuple[str, ...]:
    return tuple(get("API_PERMISSION_CLASSES"))
