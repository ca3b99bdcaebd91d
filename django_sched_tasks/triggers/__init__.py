"""When a task runs: from ``trigger`` and ``trigger_args`` to fire times.

The public face of this room. Pure: no database, and the time is passed in. A kind is one module and one line of KINDS.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from django.utils.translation import gettext as _

from django_sched_tasks.exceptions import InvalidTrigger

from . import after, calendarinterval, cron, crontab, date, either, interval, solar
from .arguments import Arguments, Context
from .base import EARLIEST, Scan, Trigger, in_utc
from .errors import as_json, refused, shown, unknown_name
from .kind import TriggerKind
from .zones import zone_named

__all__ = ["KINDS", "Scan", "Trigger", "TriggerKind", "build", "describe", "preview", "validate"]

KINDS: dict[str, TriggerKind] = {
    "cron": cron.KIND,
    "crontab": crontab.KIND,
    "interval": interval.KIND,
    "date": date.KIND,
    "calendarinterval": calendarinterval.KIND,
    "solar": solar.KIND,
    "or": either.KIND,
    "after": after.KIND,
}


def validate(trigger: object, trigger_args: object, *, timezone: str = "", now: datetime) -> None:
    """Refuse, with InvalidTrigger, what cannot be built or would not fire within 100 years after ``now``."""

    def checked(trigger: object, trigger_args: object, context: Context) -> Trigger:
        args = _arguments(trigger, trigger_args, context)
        built = args.kind.build(args)
        if not built.follows and built.next_after(now) is None:
            text = _("This %(kind)s trigger never fires. %(why)s A right one: %(example)s.")
            values = {"kind": args.kind.name, "why": args.kind.never(args), "example": as_json(args.kind.example)}
            raise refused(text % values)
        return built

    zone = zone_named(timezone, field="timezone")
    checked(trigger, trigger_args, Context(zone, _whole_second(now), checked))


def build(
    trigger: str, trigger_args: Mapping[str, object], *, timezone: str = "", anchor: datetime | None = None
) -> Trigger:
    """The trigger of a stored definition; InvalidTrigger if it cannot be built. Whether it still fires is not asked."""
    anchor = _whole_second(datetime.now(UTC) if anchor is None else anchor)
    return _built(trigger, trigger_args, Context(zone_named(timezone, field="timezone"), anchor, _built))


def describe(trigger: str, trigger_args: Mapping[str, object], *, timezone: str = "") -> str:
    """A trigger in words for people, in the active language; a sentence also for a broken one."""
    try:
        return build(trigger, trigger_args, timezone=timezone, anchor=EARLIEST).words()
    except InvalidTrigger as error:
        texts = " ".join(text for texts in error.errors.values() for text in texts)
        return _("This trigger is not valid: %(errors)s") % {"errors": texts}


def preview(
    trigger: str,
    trigger_args: Mapping[str, object],
    *,
    timezone: str = "",
    after: datetime,
    count: int = 10,
    anchor: datetime | None = None,
) -> list[datetime]:
    """The next fire times strictly after ``after``, in UTC. An interval without an anchor counts from ``after``."""
    built = build(trigger, trigger_args, timezone=timezone, anchor=anchor or after)
    times: list[datetime] = []
    following = built.next_after(after)
    while following is not None and len(times) < count:
        times.append(following)
        following = built.next_after(following)
    return times


def _built(trigger: object, trigger_args: object, context: Context) -> Trigger:
    args = _arguments(trigger, trigger_args, context)
    return args.kind.build(args)


def _arguments(trigger: object, trigger_args: object, context: Context) -> Arguments:
    kind = KINDS.get(trigger) if isinstance(trigger, str) else None
    if kind is None:
        text = _("%(given)s is not a kind of trigger.") % {"given": shown(trigger)}
        raise unknown_name(trigger, KINDS, text=text, field="trigger")
    if not isinstance(trigger_args, Mapping):
        text = _("trigger_args must be an object such as %(example)s, not %(given)s.")
        raise refused(text % {"example": as_json(kind.example), "given": shown(trigger_args)})
    for name in trigger_args:
        if name not in kind.arguments:
            text = _("%(name)s is not an argument of the trigger '%(kind)s'.")
            values = {"name": shown(name), "kind": kind.name}
            raise unknown_name(name, kind.arguments, text=text % values, field="trigger_args")
    return Arguments(kind, trigger_args, context)


def _whole_second(moment: datetime) -> datetime:
    return in_utc(moment).replace(microsecond=0)
