"""Celery's crontab fields as arguments of the trigger ``cron``; pure.

Celery's crontab is not cron's: day of month *and* day of the week must match, as in ``cron`` here, not one of them. It
is handed over by the numbers that Celery itself reads from a field, so that nothing hangs on its grammar.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from django_sched_tasks.triggers.fields import WEEKDAYS

# The field here, that of a row there, the lowest and the highest number.
FIELDS = (
    ("month", "month_of_year", 1, 12),
    ("day", "day_of_month", 1, 31),
    ("day_of_week", "day_of_week", 0, 6),
    ("hour", "hour", 0, 23),
    ("minute", "minute", 0, 59),
)

_STEPS = re.compile(r"\*/([0-9]+)")


def cron_args(texts: Mapping[str, str], numbers: Mapping[str, Collection[int]]) -> dict[str, str]:
    """Trigger arguments for the fields of a row: how they are written, and which numbers Celery reads from them."""
    args = {}
    for name, theirs, low, high in FIELDS:
        matched, text = sorted(numbers[theirs]), texts[theirs].replace(" ", "")
        if len(matched) == high - low + 1:
            args[name] = "*"
        elif name == "day_of_week":
            args[name] = _listed(sorted((number - 1) % 7 for number in matched), WEEKDAYS)
        elif _is_plain_step(text, low, high):
            args[name] = text  # also since a time that begins with * keeps its rhythm when the clocks change
        else:
            args[name] = _listed(matched)
    return {name: text for name, text in args.items() if text != "*" or name == "minute"}


def _is_plain_step(text: str, low: int, high: int) -> bool:
    match = _STEPS.fullmatch(text)
    return match is not None and 1 <= int(match[1]) <= high - low


def _listed(numbers: Sequence[int], names: Sequence[str] = ()) -> str:
    """Numbers as a list, three and more in a row as a range."""

    def word(number: int) -> str:
        return names[number] if names else str(number)

    parts: list[str] = []
    for first, last in _runs(numbers):
        if last - first > 1:
            parts.append(f"{word(first)}-{word(last)}")
        else:
            parts += [word(number) for number in range(first, last + 1)]
    return ",".join(parts)


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = numbers[0]
    for number, following in zip(numbers, [*numbers[1:], None], strict=True):
        if following != number + 1:
            yield first, number
            first = following if following is not None else number
