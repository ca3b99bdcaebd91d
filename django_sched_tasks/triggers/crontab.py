"""Kind ``crontab``: a standard five-field cron expression, as Debian's cron reads it, parsed by ``cronsim``.

Allowed beyond the standard is what has one meaning only: ``L`` (last day of the month), ``LW`` (last weekday, Monday to
Friday, of the month), ``5L`` (last Friday), ``FRI#2`` or ``5#2`` (second Friday) and ``a/n`` (from a to the end of the
field). Refused are the sixth field, ``?``, ``W`` for the nearest weekday, and steps on anything but ranges, which
``cronsim`` drops without a word; so is a step wider than its range, which never takes place.
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from . import words
from .arguments import Arguments
from .base import EARLIEST, LATEST, Trigger
from .cron_words import crontab_words
from .errors import nearest, refused, shown
from .fields import MONTHS, WEEKDAYS
from .kind import TriggerKind
from .timetable import Days, Timetable, TimetableTrigger

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_LONGEST = 500
_YEARS = range(EARLIEST.year, LATEST.year)
_LIMITS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "day_of_week": (0, 7)}
_NAMES = {"month": MONTHS, "day_of_week": ("sun", *WEEKDAYS[:-1])}
_ELEMENT = re.compile(
    r"(?:\*|(?P<first>[0-9]{1,2}|[a-z]{3})(?:-(?P<last>[0-9]{1,2}|[a-z]{3}))?)(?:/(?P<step>[0-9]{1,2}))?"
)
_EXTRAS = {"day": re.compile(r"l|lw"), "day_of_week": re.compile(r"[0-7]l|([0-7]|[a-z]{3})#[1-5]")}


class CrontabTrigger(TimetableTrigger):
    def __init__(
        self,
        fields: dict[str, str],
        parsed: CronSim,
        zone: ZoneInfo,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        jitter: int = 0,
    ) -> None:
        self.fields, self.parsed = fields, parsed
        days = Days(_YEARS, parsed.months, parsed.match_day)
        super().__init__(
            Timetable(days, parsed.hours, parsed.minutes, (0,)),
            zone,
            wildcard=fields["minute"].startswith("*") or fields["hour"].startswith("*"),
            start=start,
            end=end,
            jitter=jitter,
        )

    def words(self) -> str:
        text = crontab_words(self.fields, self.parsed)
        return words.zoned(words.bounded(text, self.zone, self.start, self.end), self.zone)


def _build(args: Arguments) -> Trigger:
    fields, parsed = _parsed(args.given("expression"))
    zone = args.zone()
    start, end = args.bounds(zone)
    return CrontabTrigger(fields, parsed, zone, start=start, end=end, jitter=args.jitter())


def _parsed(given: object) -> tuple[dict[str, str], CronSim]:
    if not isinstance(given, str) or len(given) > _LONGEST:
        text = _("expression must be five cron fields such as '*/5 9-17 * * mon-fri', not %(given)s.")
        raise refused(text % {"given": shown(given)})
    expression = given.strip().lower()
    if expression.startswith("@"):
        expression = _nickname(expression)
    texts = expression.split()
    if len(texts) != len(_LIMITS):
        text = _(
            "expression: %(given)s has %(count)s fields. Give five: minute, hour, day of month, month and day of week, "
            "such as '*/5 9-17 * * mon-fri'. For seconds, years or weeks use the trigger 'cron'."
        )
        raise refused(text % {"given": shown(given), "count": len(texts)})
    fields = dict(zip(_LIMITS, texts, strict=True))
    for name, field in fields.items():
        _check(name, field)
    try:
        return fields, CronSim(expression, datetime(2000, 1, 1))
    except CronSimError as error:
        text = _(
            "expression: %(given)s is not valid (%(reason)s). A value is out of range, a range runs backwards, or the "
            "months never have that day. A right one: '*/5 9-17 * * mon-fri'."
        )
        raise refused(text % {"given": shown(given), "reason": error}) from None


def _nickname(expression: str) -> str:
    if expression in NICKNAMES:
        return NICKNAMES[expression]
    guess = nearest(expression, NICKNAMES)
    hint = _(" Did you mean '%(name)s'?") % {"name": guess[0]} if guess else ""
    text = _("expression: %(given)s is not a known nickname; there are %(names)s.")
    raise refused(text % {"given": shown(expression), "names": ", ".join(NICKNAMES)} + hint)


def _check(name: str, field: str) -> None:
    for element in field.split(","):
        extra = _EXTRAS.get(name)
        if extra is not None and extra.fullmatch(element):
            continue
        match = _ELEMENT.fullmatch(element)
        if match is None or not _step_fits(name, match):
            text = _(
                "expression: %(given)s is not valid for %(name)s. Allowed are %(low)s-%(high)s, *, */n, a-b, a-b/n "
                "with the step n within the range, and lists of these with commas."
            )
            low, high = _LIMITS[name]
            raise refused(text % {"given": shown(element), "name": name, "low": low, "high": high})


def _step_fits(name: str, match: re.Match[str]) -> bool:
    if match["step"] is None:
        return True
    low, high = _LIMITS[name]
    first = _number(name, match["first"], low)
    last = _number(name, match["last"], high)
    return 1 <= int(match["step"]) <= last - first


def _number(name: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    names = _NAMES.get(name, ())
    return names.index(text) + _LIMITS[name][0] if text in names else int(text) if text.isdigit() else default


KIND = TriggerKind(
    name="crontab",
    label=gettext_lazy("Crontab expression"),
    arguments=("expression", "start_date", "end_date", "timezone", "jitter"),
    example={"expression": "*/5 9-17 * * mon-fri"},
    build=_build,
)
