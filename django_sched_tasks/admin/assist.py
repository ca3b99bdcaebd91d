"""What the form of a task asks while it is filled in: the functions, and what the trigger typed so far would do.

Everything here only tells; what is saved goes through the form and the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, tzinfo
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext as _

from django_sched_tasks import database, definitions, operations, registry, triggers
from django_sched_tasks.admin import policies, show
from django_sched_tasks.exceptions import FunctionNotFound, InvalidTrigger
from django_sched_tasks.models import SchedulerTask
from django_sched_tasks.triggers import KINDS, Trigger
from django_sched_tasks.triggers.solar import LABELS as SUN_EVENTS
from django_sched_tasks.triggers.zones import zone_named

NEXT = 10


def functions() -> list[dict[str, Any]]:
    """Every function that may be scheduled, with the inputs for its arguments."""
    return [_as_json(known) | {"inputs": inputs_of(known.path)} for known in registry.functions()]


def function(path: str) -> dict[str, Any]:
    """One function described; of one that is not known here only its name."""
    found = (known for known in registry.functions() if known.path == path)
    described = next((_as_json(known) for known in found), None)
    return described or {"path": path, "name": path, "signature": "", "doc": ""}


def _as_json(known: Any) -> dict[str, Any]:
    return {name: getattr(known, name) for name in ("path", "name", "module", "signature", "summary", "doc")}


def inputs_of(path: str) -> list[dict[str, Any]] | None:
    """How to ask for a function's arguments; None where that is not known."""
    try:
        found = registry.inputs(registry.resolve(path))
    except FunctionNotFound:
        return None
    return None if found is None else [asdict(item) for item in found]


def preview(form: Any, task: SchedulerTask | None, *, now: datetime) -> dict[str, Any]:
    """The trigger of a form in words with its next fire times, or what is wrong with it; and the policies in words.

    ``form`` is a bound form whose fields are read one by one, so that what is not typed yet is in nobody's way.
    """
    read, errors = _read(form, definitions.TRIGGER_FIELDS)
    told, _unread = _read(form, definitions.POLICIES)
    answer: dict[str, Any] = {"policies": policies.sentences(told)}
    if not errors:
        try:
            return answer | _trigger({"exclusions": [], **told, **read}, task, now)
        except InvalidTrigger as error:
            errors = {name: [str(text) for text in texts] for name, texts in error.errors.items()}
    return answer | {"errors": errors}


def _read(form: Any, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name in (name for name in names if name in form.fields):
        field = form.fields[name]
        try:
            values[name] = field.clean(field.widget.value_from_datadict(form.data, form.files, form.add_prefix(name)))
        except ValidationError as error:
            errors[name] = list(error.messages)
    return values, errors


def _trigger(given: Mapping[str, Any], task: SchedulerTask | None, now: datetime) -> dict[str, Any]:
    kind, args, zone = given["trigger"], given["trigger_args"], given["timezone"]
    triggers.validate(kind, args, timezone=zone, now=now)
    anchor = None if task is None else task.anchor
    built = triggers.build(kind, args, timezone=zone, anchor=anchor or now)
    times = triggers.preview(kind, args, timezone=zone, after=now, count=NEXT, anchor=anchor)
    shown_in = zone_named(args.get("timezone") or zone, field="timezone")
    site = operations.site_exclusions(using=database.alias())
    excluded = operations.exclusions_for(kind, args, timezone=zone, own=given["exclusions"], site=site)
    return {
        "description": triggers.describe(kind, args, timezone=zone),
        "zone": str(shown_in),
        "times": fire_times(built, times, shown_in, now=now, excluded=operations.notes_of(excluded, times)),
    }


def fire_times(
    trigger: Trigger, times: list[datetime], zone: tzinfo, *, now: datetime, excluded: Mapping[datetime, str]
) -> list[dict[str, str]]:
    """Fire times as they stand on the clocks of a zone, each with what a change of the clocks does to it.

    ``excluded`` are those that will be skipped, with their notes.
    """
    return [
        {
            "iso": time.isoformat(),
            "text": f"{time.astimezone(zone):%Y-%m-%d %H:%M:%S}",
            "weekday": str(WEEKDAYS_ABBR[time.astimezone(zone).weekday()]),
            "zone": f"{time.astimezone(zone):%Z}",
            "until": show.until_text(time, now),
            "note": show.excluded(excluded.get(time))
            or trigger.clock_note(time)
            or _clocks_changed(before, time, zone),
        }
        for before, time in pairwise([now, *times])
    ]


def _clocks_changed(before: datetime, time: datetime, zone: tzinfo) -> str:
    if before.astimezone(zone).utcoffset() == time.astimezone(zone).utcoffset():
        return ""
    return _("The clocks change before this one: from here on they show %s.") % f"{time.astimezone(zone):%Z}"


def texts() -> dict[str, Any]:
    """All that the form's script says, in the reader's language."""
    return {
        "choose": _("Search for a function"),
        "noFunctions": _("No function fits. Others may be typed as package.module:function."),
        "arguments": _("Arguments"),
        "chooseFirst": _("Choose a function: what it takes is asked for here."),
        "noArguments": _("It takes no arguments."),
        "asJson": _("Edit as JSON"),
        "asFields": _("Edit as fields"),
        "required": _("required"),
        "default": _("default: %s"),
        "notJson": _("This is not JSON. Text stands in double quotes."),
        "moreByPosition": _("further arguments, a JSON list"),
        "moreByName": _("further arguments by name, a JSON object"),
        "unfit": _("These arguments do not fit the function; correct them here."),
        "nextTimes": _("Next fire times in %s"),
        "wouldFire": _("What this would do"),
        "unreachable": _("The server does not answer; the fire times cannot be shown now."),
        "limits": _("From, until, jitter"),
        "repeat": _("Repeat"),
        "everyDay": _("Every day"),
        "everyWeek": _("On days of the week"),
        "everyMonth": _("On a day of the month"),
        "everyHour": _("Every hour"),
        "ownFields": _("By all fields"),
        "at": _("At"),
        "days": _("Days"),
        "dayOfMonth": _("Day of the month"),
        "atMinute": _("At minute"),
        "expression": _("Expression"),
        "expressionHint": _("minute, hour, day of the month, month, day of the week"),
        "runDate": _("Date and time"),
        "every": _("Every"),
        "first": _("First day"),
        "triggersJson": _("The triggers, as a JSON list"),
        "followed": _("Job id of the other task"),
        "followedHint": _("It stands on the page of that task."),
        "outcome": _("When it has"),
        "outcomes": {"succeeded": _("succeeded"), "failed": _("failed"), "finished": _("ended, however")},
        "sunEvent": _("Event"),
        "sunEvents": {name: str(label) for name, label in SUN_EVENTS.items()},
        "latitude": _("Latitude"),
        "latitudeHint": _("degrees; north of the equator is positive"),
        "longitude": _("Longitude"),
        "longitudeHint": _("degrees; east of Greenwich is positive"),
        "offset": _("Offset, in seconds"),
        "offsetHint": _("-1800 is half an hour before"),
        "startDate": _("From"),
        "endDate": _("Until"),
        "jitter": _("Jitter, in seconds"),
        "jitterHint": _("Each fire time is put off by chance, by so much at most."),
        "isoHint": _("such as 2027-01-31 or 2027-01-31 09:00"),
        "weekdays": [str(WEEKDAYS[day]) for day in range(7)],
        "weekdaysShort": [str(WEEKDAYS_ABBR[day]) for day in range(7)],
        "names": {
            "year": _("year"),
            "month": _("month"),
            "day": _("day"),
            "week": _("week"),
            "day_of_week": _("day of week"),
            "hour": _("hour"),
            "minute": _("minute"),
            "second": _("second"),
            "years": _("years"),
            "months": _("months"),
            "weeks": _("weeks"),
            "days": _("days"),
            "hours": _("hours"),
            "minutes": _("minutes"),
            "seconds": _("seconds"),
        },
        "kindHints": {
            "cron": _("At set times: every day at eight, on Mondays, on the last day of the month."),
            "crontab": _("A line as in a crontab: five fields."),
            "interval": _("Again and again, with the same time between."),
            "date": _("A single time."),
            "calendarinterval": _("Every so many days, weeks or months, at one time of day."),
            "solar": _("At sunrise, sunset or another event of the sun, as seen from one place."),
            "or": _("Whenever one of several triggers fires."),
            "after": _("Whenever a run of another task, named by its job id, has ended."),
        },
    }


def kinds() -> list[dict[str, Any]]:
    return [
        {"name": kind.name, "label": str(kind.label), "example": kind.example, "arguments": kind.arguments}
        for kind in KINDS.values()
    ]


def config(urls: Mapping[str, str], task: SchedulerTask | None) -> dict[str, Any]:
    """What the form's script needs to begin with."""
    return {
        "urls": dict(urls),
        "task": None if task is None else task.pk,
        "kinds": kinds(),
        "texts": texts(),
        "zone": settings.TIME_ZONE,
        "now": f"{timezone.localtime():%Y-%m-%dT%H:%M}",
    }
