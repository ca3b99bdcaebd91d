"""Time zones by their IANA names."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.utils.translation import gettext as _

from django_sched_tasks.exceptions import InvalidTrigger

from .errors import nearest, refused, shown


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    # The list, not ZoneInfo's own lookup: that one reads any path below its folders ("right/UTC" counts leap
    # seconds), ignores case where the file system does, and raises half a dozen kinds of errors.
    return frozenset(available_timezones())


def zone_named(name: object, *, field: str) -> ZoneInfo:
    """The zone of this IANA name; "" and None stand for the site's TIME_ZONE."""
    if name is None or name == "":
        name = settings.TIME_ZONE
    if isinstance(name, str) and name in _names():
        return ZoneInfo(name)
    raise _unknown(name, field)


def _unknown(name: object, field: str) -> InvalidTrigger:
    guess = nearest(name, _names())
    if not guess and isinstance(name, str):  # "shanghai", "GMT/Berlin": the city alone is often right
        cities = {zone.rpartition("/")[2].lower(): zone for zone in sorted(_names())}
        guess = [cities[city] for city in get_close_matches(name[-64:].rpartition("/")[2].lower(), cities, n=1)]
    hint = _(" Did you mean '%(name)s'?") % {"name": guess[0]} if guess else ""
    text = _("%(given)s is not a known time zone. Use an IANA name such as 'Asia/Shanghai' or 'UTC'.")
    return refused(text % {"given": shown(name)} + hint, field=field)
