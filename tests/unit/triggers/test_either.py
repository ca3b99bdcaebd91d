from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.triggers import build, preview, validate

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOURLY = {"trigger": "interval", "trigger_args": {"hours": 1}}
NIGHTLY = {"trigger": "cron", "trigger_args": {"hour": 2}}


def either(*triggers):
    return {"triggers": list(triggers)}


def nested(depth):
    return {"trigger": "or", "trigger_args": either(nested(depth - 1) if depth else NIGHTLY)}


def test_equal_instants_fire_once():
    times = preview("or", either(HOURLY, NIGHTLY, NIGHTLY), timezone="UTC", after=NOW, count=24)
    assert times == [NOW + timedelta(hours=number) for number in range(1, 25)]


def test_it_ends_with_the_last_of_its_triggers():
    once = {"trigger": "date", "trigger_args": {"run_date": "2026-03-02"}}
    ended = {"trigger": "cron", "trigger_args": {"hour": 2, "end_date": "2026-03-01 12:00"}}
    assert len(preview("or", either(once, ended), timezone="UTC", after=NOW)) == 2


def test_answers_kept_do_not_depend_on_the_order_of_questions():
    trigger = build("or", either(HOURLY, NIGHTLY), timezone="UTC", anchor=NOW + timedelta(minutes=7))
    moments = [NOW + timedelta(minutes=37 * number) for number in range(100)]
    forwards = [trigger.next_after(moment) for moment in moments]
    assert [trigger.next_after(moment) for moment in reversed(moments)] == forwards[::-1]


def test_the_jitter_is_its_own():
    assert build("or", {**either(HOURLY), "jitter": 5}).jitter == 5


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "triggers must be a list"),
        (either(), "triggers must be a list"),
        ({"triggers": "cron"}, "triggers must be a list"),
        (either(5), r"triggers\[0\]"),
        (either(NIGHTLY, {"trigger": "cron"}), r"triggers\[1\].*object"),
        (either({**NIGHTLY, "timezone": "UTC"}), "'timezone' is not a key"),
        (either({"trigger": "corn", "trigger_args": {}}), r"triggers\[0\].*'cron'"),
        (either({"trigger": "cron", "trigger_args": {"hour": 2, "jitter": 3}}), "beside triggers"),
        (either(*[NIGHTLY] * 21), "at most 20"),
        (either(*[{"trigger": "or", "trigger_args": either(*[NIGHTLY] * 9)}] * 3), "at most 20"),
        (either(nested(3)), "3 deep"),
        (either(NIGHTLY, {"trigger": "date", "trigger_args": {"run_date": "2020-01-01"}}), r"triggers\[1\].*past"),
    ],
)
def test_refused(args, words):
    with pytest.raises(InvalidTrigger, match=words) as caught:
        validate("or", args, now=NOW)
    assert list(caught.value.errors) == ["trigger_args"]


def test_nesting_has_room():
    validate("or", either(nested(1)), now=NOW)
