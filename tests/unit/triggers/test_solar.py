from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import perf_counter

import pytest
from django.utils import translation

from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.triggers import build, describe, preview, validate
from django_sched_tasks.triggers.solar import EVENTS

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BERLIN = {"latitude": 52.52, "longitude": 13.405}
PLACES = {
    "Berlin": (52.52, 13.405),
    "Quito": (-0.18, -78.47),
    "Sydney": (-33.87, 151.21),
    "Anadyr": (64.73, 177.51),
    "Honolulu": (21.31, -157.86),
    "Tromsø": (69.65, 18.96),
    "McMurdo": (-77.85, 166.67),
}


def fires(event, place, count, *, after=NOW, **more):
    args = {"event": event, "latitude": place[0], "longitude": place[1], **more}
    return preview("solar", args, after=after, count=count)


def of_celery(event, place, after, count):
    """What Celery's own schedule names, asked a second after each fire time as its beat would."""
    pytest.importorskip("celery", reason="CI has it beside SQLite")
    from celery import Celery
    from celery.schedules import solar

    now = after
    schedule = solar(event, *place, nowfun=lambda: now, app=Celery(set_as_current=False))
    times = []
    while len(times) < count:
        found = now + schedule.remaining_estimate(now)
        times.append(found)
        now = found + timedelta(seconds=1)
    return times


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("place", ["Berlin", "Quito", "Sydney", "Anadyr", "Honolulu"])
def test_fire_times_are_those_of_celery(event, place):
    ours, theirs = fires(event, PLACES[place], 100), of_celery(event, PLACES[place], NOW, 100)

    far = [(our, their) for our, their in zip(ours, theirs, strict=True) if abs(our - their) > timedelta(seconds=1)]
    assert far == []


@pytest.mark.parametrize("event", ["sunrise", "sunset", "dawn_civil", "dusk_civil", "solar_noon"])
@pytest.mark.parametrize("place", ["Tromsø", "McMurdo"])
def test_beyond_the_polar_circles_too(event, place):
    ours, theirs = fires(event, PLACES[place], 100), of_celery(event, PLACES[place], NOW, 100)

    far = [(our, their) for our, their in zip(ours, theirs, strict=True) if abs(our - their) > timedelta(seconds=1)]
    assert far == []


def test_the_polar_night_is_skipped():
    times = fires("sunrise", PLACES["Tromsø"], 300, after=datetime(2026, 8, 1, tzinfo=UTC))
    gaps = [(one, other) for one, other in pairwise(times) if other - one > timedelta(days=2)]

    assert [(f"{one:%m-%d}", f"{other:%m-%d}") for one, other in gaps] == [("11-27", "01-15"), ("05-17", "07-26")]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("event", ["sunrise", "dusk_astronomical", "solar_noon"])
def test_it_is_the_same_fire_time_whoever_asks_from_when(event, place):
    args = {"event": event, "latitude": PLACES[place][0], "longitude": PLACES[place][1]}
    trigger = build("solar", args)
    before, fire_at = preview("solar", args, after=NOW, count=2)

    for share in range(1, 200):
        assert trigger.next_after(before + (fire_at - before) * share / 200) == fire_at
    assert trigger.next_after(fire_at) > fire_at + timedelta(hours=12)


def test_times_are_whole_seconds():
    assert all(time.microsecond == 0 for time in fires("sunset", PLACES["Berlin"], 50))


@pytest.mark.parametrize("offset", [-1800, 5400])
def test_an_offset_moves_every_fire_time(offset):
    plain = fires("sunset", PLACES["Berlin"], 20)
    moved = fires("sunset", PLACES["Berlin"], 20, after=NOW + timedelta(seconds=offset), offset=offset)

    assert moved == [time + timedelta(seconds=offset) for time in plain]


def test_start_and_end_bound_it():
    times = fires("sunrise", PLACES["Berlin"], 10, start_date="2026-03-05", end_date="2026-03-07T23:00", timezone="UTC")

    assert [f"{time:%m-%d}" for time in times] == ["03-05", "03-06", "03-07"]


@pytest.mark.parametrize("latitude", [90, -90])
def test_where_the_sun_never_gets_it_is_refused_and_soon(latitude):
    began = perf_counter()
    with pytest.raises(InvalidTrigger, match="never gets there"):
        validate("solar", {"event": "sunrise", "latitude": latitude, "longitude": 0}, now=NOW)
    assert perf_counter() - began < 5


def test_at_the_equator_no_sun_is_too_low_for_any_event():
    for event in EVENTS:
        validate("solar", {"event": event, "latitude": 0, "longitude": "-180"}, now=NOW)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (BERLIN, "event must be"),
        ({**BERLIN, "event": "sunrize"}, "'sunrise'"),
        ({**BERLIN, "event": 5}, "dusk_civil"),
        ({**BERLIN, "event": ["sunset"]}, "a list"),
        ({"event": "sunset", "longitude": 5}, "Give latitude"),
        ({"event": "sunset", "latitude": 5}, "Give longitude"),
        ({"event": "sunset", "latitude": 91, "longitude": 5}, "-90 to 90"),
        ({"event": "sunset", "latitude": "52°N", "longitude": 5}, "'52°N'"),
        ({"event": "sunset", "latitude": True, "longitude": 5}, "true"),
        ({"event": "sunset", "latitude": float("nan"), "longitude": 5}, "nan"),
        ({"event": "sunset", "latitude": 5, "longitude": "181"}, "-180 to 180"),
        ({**BERLIN, "event": "sunset", "offset": 86_401}, "offset"),
        ({**BERLIN, "event": "sunset", "offset": 1.5}, "whole number"),
        ({**BERLIN, "event": "sunset", "altitude": 5}, "'latitude'"),
    ],
)
def test_refused(args, words):
    with pytest.raises(InvalidTrigger) as caught:
        build("solar", args)
    assert words in " ".join(caught.value.errors["trigger_args"])


def test_digits_are_numbers_too():
    texts = {"event": "sunset", "latitude": "52.52", "longitude": "-13.405", "offset": "-60"}
    numbers = {"event": "sunset", "latitude": 52.52, "longitude": -13.405, "offset": -60}

    assert preview("solar", texts, after=NOW, count=3) == preview("solar", numbers, after=NOW, count=3)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"event": "sunset"}, "Sunset at 52.52° N, 13.405° E"),
        ({"event": "dawn_civil", "offset": -5400}, "1 hour 30 minutes before: Civil dawn at 52.52° N, 13.405° E"),
        ({"event": "solar_noon", "offset": 60, "latitude": -10, "longitude": -20.5},
         "1 minute after: Solar noon at 10° S, 20.5° W"),
        ({"event": "sunrise", "end_date": "2027-01-01"},
         "Sunrise at 52.52° N, 13.405° E, until 2027-01-01 00:00 (UTC)"),
    ],
)  # fmt: skip
def test_words(more, sentence):
    with translation.override("en"):
        assert describe("solar", {**BERLIN, **more}, timezone="UTC") == sentence


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ephem", None)
    with pytest.raises(InvalidTrigger) as caught:
        build("solar", {**BERLIN, "event": "sunset"})
    assert "pip install 'django-sched-tasks[solar]'" in caught.value.errors["trigger"][0]


def test_it_may_be_part_of_an_or():
    parts = [{"trigger": "solar", "trigger_args": {**BERLIN, "event": event}} for event in ("sunrise", "sunset")]
    times = preview("or", {"triggers": parts}, after=NOW, count=4)

    assert [time.hour for time in times] == [5, 16, 5, 16]
