"""Words for people that several kinds of trigger share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext


def listed(texts: Iterable[str]) -> str:
    return pgettext("between the items of a list", ", ").join(texts)


def zoned(text: str, zone: ZoneInfo) -> str:
    return _("%(text)s (%(zone)s)") % {"text": text, "zone": zone.key}


def bounded(text: str, zone: ZoneInfo, start: datetime | None, end: datetime | None) -> str:
    if start is not None:
        text = _("%(text)s, from %(moment)s") % {"text": text, "moment": moment(start, zone)}
    if end is not None:
        text = _("%(text)s, until %(moment)s") % {"text": text, "moment": moment(end, zone)}
    return text


def moment(instant: datetime, zone: ZoneInfo) -> str:
    here = instant.astimezone(zone)
    return f"{here:%Y-%m-%d} {clock(here.time())}"


def clock(at: time) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def every(units: Mapping[str, Decimal | int]) -> str:
    """ "Every 90 seconds", "Every day", "Every 1 month 2 weeks"."""
    counts = {name: count for name, count in units.items() if count}
    if list(counts.values()) == [1]:
        return _single(next(iter(counts)))
    return _("Every %(period)s") % {"period": " ".join(_counted(name, count) for name, count in counts.items())}


def span(length: timedelta) -> str:
    """ "1 hour 30 minutes"; whole seconds."""
    rest, parts = int(length.total_seconds()), []
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(_counted(unit, count))
    return " ".join(parts)


def _single(unit: str) -> str:
    return {
        "years": _("Every year"),
        "months": _("Every month"),
        "weeks": _("Every week"),
        "days": _("Every day"),
        "hours": _("Every hour"),
        "minutes": _("Every minute"),
        "seconds": _("Every second"),
    }[unit]


def _counted(unit: str, count: Decimal | int) -> str:
    shown = format(Decimal(count).normalize(), "f")
    # Plural rules are for whole numbers; a fraction takes the general plural.
    plural = int(count) if count == int(count) else 5
    text = {
        "years": ngettext("%(n)s year", "%(n)s years", plural),
        "months": ngettext("%(n)s month", "%(n)s months", plural),
        "weeks": ngettext("%(n)s week", "%(n)s weeks", plural),
        "days": ngettext("%(n)s day", "%(n)s days", plural),
        "hours": ngettext("%(n)s hour", "%(n)s hours", plural),
        "minutes": ngettext("%(n)s minute", "%(n)s minutes", plural),
        "seconds": ngettext("%(n)s second", "%(n)s seconds", plural),
    }[unit]
    return text % {"n": shown}


def skipped_by_the_clocks() -> str:
    return _("The clocks skip the time that is wanted: it runs as soon as they go on.")


def shown_twice(which: int, *, runs_twice: bool) -> str:
    """For a time that comes twice because the clocks are set back."""
    if not runs_twice:
        return _("The clocks are set back and show this time twice: it runs the first time.")
    if which == 1:
        return _("The clocks are set back and show this time twice: this is the first time.")
    return _("The clocks are set back and show this time twice: this is the second time.")
