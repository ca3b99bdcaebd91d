"""Kind ``date``: once, at a given instant."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from . import words
from .arguments import Arguments
from .base import Trigger
from .errors import as_json, refused, shown
from .kind import TriggerKind


class DateTrigger(Trigger):
    def __init__(self, run_date: datetime, zone: ZoneInfo) -> None:
        super().__init__()
        self.run_date = run_date
        self.zone = zone

    def _following(self, after: datetime) -> datetime | None:
        return self.run_date if self.run_date > after else None

    def words(self) -> str:
        return words.zoned(_("Once at %(moment)s") % {"moment": words.moment(self.run_date, self.zone)}, self.zone)


def _build(args: Arguments) -> Trigger:
    zone = args.zone()
    run_date = args.moment("run_date", zone)
    if run_date is None:
        raise refused(
            _("Give run_date, an ISO date or datetime; for example %(example)s.") % {"example": as_json(KIND.example)}
        )
    return DateTrigger(run_date, zone)


def _never(args: Arguments) -> str:
    text = _("run_date %(given)s is in the past, or more than 100 years ahead.")
    return text % {"given": shown(args.given("run_date"))}


KIND = TriggerKind(
    name="date",
    label=gettext_lazy("Once"),
    arguments=("run_date", "timezone"),
    example={"run_date": "2099-01-31 09:00:00"},
    build=_build,
    never=_never,
)
