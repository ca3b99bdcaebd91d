"""Kind ``solar``: when the sun rises, sets, stands highest or passes a depth of twilight, seen from one place.

The events, horizons and what counts as rising are those of Celery's ``solar``, on the same library, ``ephem``. It
finds an event by approximation, so that its answer depends a little on where the search begins. Here the search of a
day always begins at the same instant, far from where the event can be: a fire time is the same whoever asks from when.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from . import words
from .arguments import Arguments
from .base import EARLIEST, Trigger
from .errors import as_json, refused, shown, unknown_name
from .kind import TriggerKind

# The sun's path repeats every year, but for the leap years: what does not occur in this many days never does.
SEARCHED_DAYS = 1_461
MAX_OFFSET = 86_400

_DAY = timedelta(days=1)
_FULL_TURN = 360


@dataclass(frozen=True, slots=True)
class _Event:
    """How ``ephem`` is asked, and the hour of mean local time at which the search of a day begins."""

    method: str
    horizon: str
    from_hour: int
    centre: bool = False


# Between the sun's lowest stand and its highest it rises, so the search begins in the middle of its other half.
_RISING, _SETTING, _TRANSIT = ("next_rising", 18), ("next_setting", 6), ("next_transit", 0)
EVENTS = {
    "dawn_astronomical": _Event(_RISING[0], "-18", _RISING[1], centre=True),
    "dawn_nautical": _Event(_RISING[0], "-12", _RISING[1], centre=True),
    "dawn_civil": _Event(_RISING[0], "-6", _RISING[1], centre=True),
    "sunrise": _Event(_RISING[0], "-0:34", _RISING[1]),
    "solar_noon": _Event(_TRANSIT[0], "0", _TRANSIT[1]),
    "sunset": _Event(_SETTING[0], "-0:34", _SETTING[1]),
    "dusk_civil": _Event(_SETTING[0], "-6", _SETTING[1], centre=True),
    "dusk_nautical": _Event(_SETTING[0], "-12", _SETTING[1], centre=True),
    "dusk_astronomical": _Event(_SETTING[0], "-18", _SETTING[1], centre=True),
}


class SolarTrigger(Trigger):
    def __init__(
        self,
        event: str,
        latitude: Decimal,
        longitude: Decimal,
        zone: ZoneInfo,
        *,
        offset: timedelta = timedelta(0),
        start: datetime | None = None,
        end: datetime | None = None,
        jitter: int = 0,
    ) -> None:
        super().__init__(start=start, end=end, jitter=jitter)
        self.event = event
        self.latitude, self.longitude = latitude, longitude
        self.zone = zone
        self.shift = offset
        hour = EVENTS[event].from_hour - float(longitude) * 24 / _FULL_TURN
        self._first_day = EARLIEST + timedelta(hours=hour) - _DAY

    def _following(self, after: datetime) -> datetime | None:
        wanted = after - self.shift
        day = (wanted - self._first_day) // _DAY
        for number in range(day, day + SEARCHED_DAYS):
            found = _occurrence(self.event, self.latitude, self.longitude, self._first_day + number * _DAY)
            if found is not None and found > wanted:
                return found + self.shift
        return None

    def words(self) -> str:
        place = _("%(latitude)s, %(longitude)s") % {
            "latitude": _degrees(self.latitude, _("%s° N"), _("%s° S")),
            "longitude": _degrees(self.longitude, _("%s° E"), _("%s° W")),
        }
        text = _("%(event)s at %(place)s") % {"event": self._event_in_words(), "place": place}
        if self.start is None and self.end is None:  # no wall clock, no zone
            return text
        return words.zoned(words.bounded(text, self.zone, self.start, self.end), self.zone)

    def _event_in_words(self) -> str:
        event = str(LABELS[self.event])
        if not self.shift:
            return event
        text = _("%(period)s before: %(event)s") if self.shift < timedelta(0) else _("%(period)s after: %(event)s")
        return text % {"period": words.span(abs(self.shift)), "event": event}


LABELS = {
    "dawn_astronomical": gettext_lazy("Astronomical dawn"),
    "dawn_nautical": gettext_lazy("Nautical dawn"),
    "dawn_civil": gettext_lazy("Civil dawn"),
    "sunrise": gettext_lazy("Sunrise"),
    "solar_noon": gettext_lazy("Solar noon"),
    "sunset": gettext_lazy("Sunset"),
    "dusk_civil": gettext_lazy("Civil dusk"),
    "dusk_nautical": gettext_lazy("Nautical dusk"),
    "dusk_astronomical": gettext_lazy("Astronomical dusk"),
}


def _degrees(value: Decimal, positive: str, negative: str) -> str:
    return (negative if value < 0 else positive) % format(abs(value).normalize(), "f")


@lru_cache(maxsize=4096)
def _occurrence(event: str, latitude: Decimal, longitude: Decimal, begin: datetime) -> datetime | None:
    """The event of the day that begins at ``begin``, in whole seconds; None where the sun does not get there."""
    ephem, rule = _ephem(), EVENTS[event]
    observer = ephem.Observer()
    observer.lat, observer.lon = format(latitude, "f"), format(longitude, "f")
    observer.elev = observer.pressure = 0
    observer.horizon = rule.horizon
    search = getattr(observer, rule.method)
    options = {"use_center": True} if rule.centre else {}
    try:
        found = search(ephem.Sun(), start=ephem.Date(begin.replace(tzinfo=None)), **options).datetime()
    except ephem.CircumpolarError:
        return None
    instant: datetime = (found + timedelta(milliseconds=500)).replace(microsecond=0, tzinfo=UTC)
    return instant if begin <= instant < begin + _DAY else None


def _ephem() -> Any:
    try:
        import ephem  # noqa: PLC0415 - an extra that most sites do not need
    except ImportError:
        text = _(
            "The trigger 'solar' needs the library ephem, which is not installed here. Install it, on every node and "
            "web server, with: pip install 'django-sched-tasks[solar]'."
        )
        raise refused(text, field="trigger") from None
    return ephem


def _build(args: Arguments) -> Trigger:
    _ephem()
    event = args.given("event")
    if not isinstance(event, str) or event not in EVENTS:
        text = _("event must be an event of the sun such as 'sunrise', not %(given)s.") % {"given": shown(event)}
        raise unknown_name(event, EVENTS, text=text, field="trigger_args")
    latitude, longitude = _coordinate(args, "latitude", 90), _coordinate(args, "longitude", 180)
    offset = args.whole("offset", -MAX_OFFSET, MAX_OFFSET, default=0)
    zone = args.zone()
    start, end = args.bounds(zone)
    return SolarTrigger(
        event, latitude, longitude, zone, offset=timedelta(seconds=offset), start=start, end=end, jitter=args.jitter()
    )


def _coordinate(args: Arguments, name: str, most: int) -> Decimal:
    value = args.degrees(name, most)
    if value is None:
        text = _("Give %(name)s, in degrees from -%(most)s to %(most)s; for example %(example)s.")
        raise refused(text % {"name": name, "most": most, "example": as_json(KIND.example)})
    return value


def _never(args: Arguments) -> str:
    if args.given("end_date") is not None:
        return _("It has no fire time from now until end_date %(end)s.") % {"end": shown(args.given("end_date"))}
    return _("At this latitude the sun never gets there.")


KIND = TriggerKind(
    name="solar",
    label=gettext_lazy("By the sun"),
    arguments=("event", "latitude", "longitude", "offset", "start_date", "end_date", "timezone", "jitter"),
    example={"event": "sunset", "latitude": 52.52, "longitude": 13.405},
    build=_build,
    never=_never,
)
