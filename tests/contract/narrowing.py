"""What JSON Schema cannot say of a valid request: which functions exist, what they take, which triggers ever fire,
which days there are, and which instants are still to come.

The schema narrowed by that is one by which every generated request must be accepted.
"""

import copy

FUNC = "warehouse.jobs:anything"
TEXT = {"type": "string", "maxLength": 40, "pattern": r"^[^\x00]*$"}
VALUE = {"anyOf": [TEXT, {"type": "integer"}, {"type": "boolean"}, {"type": "array", "items": TEXT, "maxItems": 3}]}
ARGS = {"type": "array", "items": VALUE, "maxItems": 4}
KWARGS = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-z]{1,12}$"},
    "additionalProperties": VALUE,
    "maxProperties": 4,
}
PAST = "2026-01-01T00:00:00Z"
FUTURE = ("2098-01-01T00:00:00Z", "2099-12-31T23:59:59.5+08:00")


def _object(required=(), **properties):
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "required": list(required or properties),
    }


def _one_of(*values):
    return {"type": "string", "enum": list(values)}


def _whole(low, high):
    return {"type": "integer", "minimum": low, "maximum": high}


def _exclusion(**keys):
    return _object(keys, **keys, note=TEXT)


_WINDOW = {"from_time": _one_of("22:00", "08:30:15"), "until_time": _one_of("06:00", "12:00")}
_WEEKDAYS = {"type": "array", "items": _one_of("mon", "sat", "sun"), "minItems": 1, "maxItems": 3}
EXCLUSIONS = {
    "type": "array",
    "maxItems": 4,
    "items": {
        "anyOf": [
            _exclusion(date=_one_of("2026-12-25", "2028-02-29")),
            _exclusion(
                **{
                    "from": _one_of("2026-12-24", "2026-12-24 18:00"),
                    "until": _one_of("2027-01-01", "2026-12-31T12:00:00Z"),
                }
            ),
            _exclusion(weekdays=_WEEKDAYS),
            _exclusion(**_WINDOW),
            _exclusion(**_WINDOW, weekdays=_WEEKDAYS),
        ]
    },
}
_HOUR = _object(hour={"anyOf": [_whole(0, 23), _one_of("*", "*/2", "1,2", "8-18")]})
TRIGGERS = {
    "cron": _object(["minute"], minute=_whole(0, 59), second=_whole(0, 59), day_of_week=_one_of("0", "mon-fri", "sun")),
    "crontab": _object(expression=_one_of("*/5 9-17 * * mon-fri", "0 0 1 * *", "@daily", "@hourly")),
    "interval": _object(["hours"], hours=_whole(1, 1000), minutes=_whole(0, 60), jitter=_whole(0, 60)),
    "date": _object(run_date=_one_of("2099-01-01", "2098-12-31T23:59:59+08:00")),
    "calendarinterval": _object(["days"], days=_whole(1, 31), hour=_whole(0, 23)),
    "or": _object(
        triggers={
            "type": "array",
            "minItems": 1,
            "maxItems": 3,
            "items": _object(trigger=_one_of("cron"), trigger_args=_HOUR),
        }
    ),
}


def narrowed(schema, tasks, executions):
    """A copy of the schema for a site with these ids."""
    schema = copy.deepcopy(schema)
    parts = schema["components"]["schemas"]
    for name in ("ScheduledTaskDefinition", "PatchedScheduledTaskDefinition"):
        parts[name] = _with_triggers(_definition(parts[name]), optional="required" not in parts[name])
    parts["TriggerPreview"]["properties"] |= {
        "timezone": _one_of("", "UTC", "Asia/Shanghai"),
        "exclusions": EXCLUSIONS,
    }
    parts["TriggerPreview"] = _with_triggers(parts["TriggerPreview"])
    parts["TaskRun"]["properties"] |= {"args": ARGS, "kwargs": KWARGS}
    parts["TaskBackfill"]["properties"] |= {"start": _one_of(PAST), "end": _one_of(PAST)}
    parts["SchedulerExclusionsRequest"]["properties"]["exclusions"] = EXCLUSIONS
    parts["SchedulerMaintenanceRequest"]["properties"]["until"] = _one_of(*FUTURE)
    for address, operations in schema["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and "/nodes/" not in address:
                    ids = executions if "/executions/{" in address else tasks
                    parameter["schema"] = {"type": "integer", "enum": ids}
    return schema


def _definition(found):
    own = {
        "func": _one_of(FUNC),
        "timezone": _one_of("", "UTC", "Asia/Shanghai", "America/New_York"),
        "retry_on": {"type": "array", "items": _one_of("OSError", "requests.exceptions.Timeout"), "maxItems": 2},
        "transactional": {"type": "boolean", "enum": [False]},  # it binds on_crash
        "exclusions": EXCLUSIONS,
        "args": ARGS,
        "kwargs": KWARGS,
        "executor_options": KWARGS,
    }
    properties = found["properties"]
    properties |= {name: told for name, told in own.items() if name in properties}
    del properties["job_id"]  # which must not be taken
    return found


def _with_triggers(found, optional=False):
    """One alternative for each kind of trigger; where a request may do without, one without."""
    needed = list({*found.get("required", ()), "trigger", "trigger_args"})
    alternatives = []
    for kind, args in TRIGGERS.items():
        properties = {**found["properties"], "trigger": _one_of(kind), "trigger_args": args}
        alternatives.append({**found, "properties": properties, "required": needed})
    if optional:
        properties = {
            name: told for name, told in found["properties"].items() if name not in ("trigger", "trigger_args")
        }
        alternatives.append({**found, "properties": properties})
    return {"anyOf": alternatives}
