"""What a request says: its body as named values, and its texts as numbers, instants and words.

Whatever does not fit is a ValidationError at its name that says what was given and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.request import Request

from django_sched_tasks.api.errors import LONGEST_NAME
from django_sched_tasks.payload import clean_text
from django_sched_tasks.triggers.errors import nearest, shown

MAX_ID = 2**63 - 1
LONGEST_TEXT = 255
MAX_COUNT = 1000
DEFAULT_COUNT = 10
MOST_UNKNOWN = 10  # names that an answer tells

FIRST, LAST = datetime(1001, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)

# What these values look like, as JSON Schema.
ID: dict[str, Any] = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}
INSTANT: dict[str, Any] = {"type": "string", "format": "date-time"}
TEXT: dict[str, Any] = {"type": "string", "maxLength": LONGEST_TEXT, "pattern": r"^[^\x00]*$"}

_DIGITS = re.compile(r"[0-9]{1,19}")
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")


def refuse(name: str, text: str) -> NoReturn:
    raise ValidationError({clean_text(name, LONGEST_NAME): [text]})


def read_body(request: Request) -> dict[str, Any]:
    """The JSON object of the body; an empty one where there is no body."""
    data = request.data
    if not isinstance(data, dict):
        raise ParseError(_("The body must be a JSON object; %s was given.") % shown(data))
    return dict(data)


def read_fields(request: Request, allowed: Collection[str], required: Iterable[str] = ()) -> dict[str, Any]:
    """The JSON object of the body, with no other names than those allowed."""
    given = read_body(request)
    errors = {name: [_("This field is required.")] for name in required if name not in given}
    unknown = [name for name in given if name not in allowed][:MOST_UNKNOWN]
    errors |= {clean_text(name, LONGEST_NAME): [_unknown(name, allowed)] for name in unknown}
    if errors:
        raise ValidationError(errors)
    return given


def _unknown(name: str, allowed: Collection[str]) -> str:
    if guess := nearest(name, allowed):
        return _("There is no such field. Did you mean '%s'?") % guess[0]
    if allowed:
        return _("There is no such field. Known fields: %s.") % ", ".join(allowed)
    return _("There is no such field; the body must be empty.")


def read_parameter(request: Request, name: str) -> str | None:
    """A query parameter that can be given once; None where it is not given."""
    given = request.query_params.getlist(name)
    if len(given) > 1:
        refuse(name, _("It was given %d times; it can be given once.") % len(given))
    return given[0] if given else None


def read_id(text: str) -> int | None:
    """The id that a text stands for, None where no row can have it."""
    number = int(text) if _DIGITS.fullmatch(text) else 0
    return number if 0 < number <= MAX_ID else None


def read_text(name: str, text: str) -> str:
    """A text that every database can compare with."""
    if "\0" in text:
        refuse(name, _("A text with the character NUL was given, which nothing can hold."))
    if len(text) > LONGEST_TEXT:
        refuse(name, _("It has %(length)d characters; at most %(limit)d are allowed.") % _lengths(text))
    return text


def _lengths(text: str) -> dict[str, int]:
    return {"length": len(text), "limit": LONGEST_TEXT}


def read_word(name: str, word: object, words: Mapping[str, Any]) -> Any:
    """What one of the known words stands for."""
    if isinstance(word, str) and word in words:
        return words[word]
    text = _("%(given)s is not known here. Allowed: %(words)s.")
    refuse(name, text % {"given": shown(word), "words": ", ".join(words)})


def read_count(value: object) -> int:
    """How many fire times are asked for; the default where nothing is."""
    return DEFAULT_COUNT if value is None else read_whole("count", value, most=MAX_COUNT)


def read_whole(name: str, value: object, *, most: int) -> int:
    """A whole number from 1 to ``most``."""
    number = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if not 1 <= number <= most:
        text = _("%(given)s was given; it must be a whole number from 1 to %(most)d.")
        refuse(name, text % {"given": shown(value), "most": most})
    return number


def read_bool(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        refuse(name, _("%s was given; it must be true or false.") % shown(value))
    return value


def as_number(text: str | None) -> object:
    """A text of digits as the number it stands for; any other stays what it is, to be refused as given."""
    return int(text) if text is not None and _DIGITS.fullmatch(text) else text


def read_instant(name: str, value: object) -> datetime:
    """The instant of an ISO 8601 date or datetime, in UTC; without an offset it is in the site's time zone.

    One before or after all that every database can hold stands for the first or last of these.
    """
    moment = _parsed(value)
    if moment is None:
        text = _("%(given)s is not an ISO 8601 date or datetime such as '2027-01-31T09:00:00Z'.")
        refuse(name, text % {"given": shown(value)})
    aware = moment if moment.tzinfo else moment.replace(tzinfo=get_default_timezone())
    try:
        return min(max(aware.astimezone(UTC), FIRST), LAST)
    except OverflowError:
        return FIRST if aware.year < FIRST.year else LAST


def _parsed(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", value.strip()))  # a "+" in a query means a space
    except ValueError:
        return None
