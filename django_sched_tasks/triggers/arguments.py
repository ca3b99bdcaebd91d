"""The arguments of a trigger, read from JSON that may hold anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from .base import EARLIEST, LATEST, Trigger
from .errors import refused, shown
from .wallclock import resolve
from .zones import zone_named

if TYPE_CHECKING:
    from .kind import TriggerKind

MAX_JITTER = 366 * 86_400

_WHOLE = re.compile(r"-?[0-9]{1,12}")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_DEGREES = re.compile(rf"-?{_NUMBER.pattern}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    rf"{_DATE.pattern}([T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,6}})?)?(Z|[+-][0-9]{{2}}:[0-9]{{2}})?)?"
)


@dataclass(frozen=True, slots=True)
class Context:
    """What the arguments are read against."""

    zone: ZoneInfo
    anchor: datetime
    # Builds a trigger inside a trigger, with the checks of the whole: (trigger, trigger_args, context).
    nested: Callable[[object, object, Context], Trigger]
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Arguments:
    """Typed access to ``trigger_args``; whatever does not fit is refused with a sentence. null is "not given"."""

    kind: TriggerKind
    values: Mapping[str, object]
    context: Context

    def given(self, name: str) -> object:
        return self.values.get(name)

    def zone(self) -> ZoneInfo:
        name = self.given("timezone")
        return self.context.zone if name is None or name == "" else zone_named(name, field="trigger_args")

    def jitter(self) -> int:
        return self.whole("jitter", 0, MAX_JITTER)

    def whole(self, name: str, low: int, high: int, *, default: int | None = None) -> int:
        """A whole number, as a number or as digits; ``default``, else ``low``, when not given."""
        value = self.given(name)
        if value is None:
            return low if default is None else default
        number = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            text = _("%(name)s must be a whole number from %(low)s to %(high)s, not %(given)s.")
            raise refused(text % {"name": name, "low": low, "high": high, "given": shown(value)})
        return number

    def number(self, name: str) -> Decimal:
        """A number from 0, whole or fractional, read exactly as it is written; 0 when not given."""
        value = self.given(name)
        if value is None:
            return Decimal(0)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            return Decimal(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**12:
            return Decimal(repr(value))  # not Decimal(value): 0.1 means one tenth
        text = _("%(name)s must be a number such as 5 or 1.5, not negative and not absurdly large; %(given)s is not.")
        raise refused(text % {"name": name, "given": shown(value)})

    def degrees(self, name: str, most: int) -> Decimal | None:
        """An angle from -``most`` to ``most``, as a number or as digits; None when not given."""
        value = self.given(name)
        if value is None:
            return None
        angle: Decimal | None = None
        if isinstance(value, str) and _DEGREES.fullmatch(value):
            angle = Decimal(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and -most <= value <= most:
            angle = Decimal(repr(value))
        if angle is None or not -most <= angle <= most:
            text = _("%(name)s must be degrees from -%(most)s to %(most)s such as 52.52, not %(given)s.")
            raise refused(text % {"name": name, "most": most, "given": shown(value)})
        return angle

    def bounds(self, zone: ZoneInfo, *, bare_end: time = time.min) -> tuple[datetime | None, datetime | None]:
        """start_date and end_date, both inclusive."""
        start, end = self.moment("start_date", zone), self.moment("end_date", zone, bare=bare_end)
        if start is not None and end is not None and end < start:
            text = _("end_date %(end)s is before start_date %(start)s; it must be later.")
            given = {"end": shown(self.given("end_date")), "start": shown(self.given("start_date"))}
            raise refused(text % given)
        return start, end

    def moment(self, name: str, zone: ZoneInfo, *, bare: time = time.min) -> datetime | None:
        """The instant, in UTC, of an ISO datetime (naive: on the clocks of ``zone``) or date (at the time ``bare``)."""
        value = self.given(name)
        if value is None:
            return None
        moment = _parsed(value)
        if moment is None or not EARLIEST.year < moment.year < LATEST.year:
            text = _(
                "%(name)s must be an ISO date or datetime such as '2027-01-31' or '2027-01-31 09:00:00', not %(given)s."
            )
            raise refused(text % {"name": name, "given": shown(value)})
        if _DATE.fullmatch(str(value).strip()):
            moment = datetime.combine(moment, bare)
        return resolve(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC)


def _parsed(value: object) -> datetime | None:
    # The pattern first: fromisoformat() also takes week dates, any separator and, since Python 3.11, much else.
    if not isinstance(value, str) or not _MOMENT.fullmatch(value.strip()):
        return None
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:  # 30 February, 25:00
        return None


def local_date(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()
