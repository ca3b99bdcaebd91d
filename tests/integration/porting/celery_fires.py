"""When Celery fires a schedule, by Celery's own arithmetic: each fire is found from the one before, as beat does it."""

from contextlib import suppress
from datetime import UTC, timedelta
from itertools import islice


def crontab(schedule, after):
    """Fires of a crontab of django-celery-beat; its wall-clock arithmetic is Celery's own, clock changes included."""
    last = after.astimezone(schedule.tz)
    while True:
        start, delta, _now = schedule.remaining_delta(last)
        last = (start + delta).astimezone(UTC).astimezone(schedule.tz)
        yield last.astimezone(UTC)


def until_it_fails(schedule, after):
    """Celery looks no further than 2000 months for a day that all fields match."""
    with suppress(RuntimeError):
        yield from crontab(schedule, after)


def interval(schedule, last):
    while True:
        last += schedule.run_every
        yield last


def solar(schedule, after):
    """Beat asks from the time at which it ran, which is after the event; so does this, a minute later."""
    last = after
    while True:
        schedule.nowfun = lambda last=last: last
        last = last + schedule.remaining_estimate(last)
        yield last.astimezone(UTC)
        last += timedelta(minutes=1)


def first(count, fires):
    return list(islice(fires, count))
