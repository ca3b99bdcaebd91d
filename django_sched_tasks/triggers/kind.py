"""What makes a kind of trigger; the table of kinds is in ``__init__``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from .arguments import Arguments
from .base import Trigger
from .errors import shown


def _never(args: Arguments) -> str:
    if args.given("end_date") is not None:
        return _("It has no fire time from now until end_date %(end)s.") % {"end": shown(args.given("end_date"))}
    return _("It has no fire time within the next 100 years.")


@dataclass(frozen=True, slots=True)
class TriggerKind:
    name: str
    label: str | Promise
    arguments: tuple[str, ...]
    # Valid trigger_args, for error messages and forms; nothing in it may depend on the day it is shown.
    example: Mapping[str, Any]
    build: Callable[[Arguments], Trigger]
    # Says why a trigger that could be built has no fire time ahead.
    never: Callable[[Arguments], str] = _never
