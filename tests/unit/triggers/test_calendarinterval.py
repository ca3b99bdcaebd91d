from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.triggers import build, preview

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def days(args, count=4, after=NOW):
    times = preview("calendarinterval", args, timezone="UTC", after=after, count=count)
    return [(moment.year, moment.month, moment.day) for moment in times]


@given(
    st.fixed_dictionaries({}, optional={"years": st.integers(0, 2), "months": st.integers(0, 14),
                                        "weeks": st.integers(0, 5), "days": st.integers(0, 40)}),
    st.dates(datetime(2020, 1, 1).date(), datetime(2027, 1, 1).date()),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_the_dates_are_apschedulers(units, start):
    if not any(units.values()):
        return
    theirs = CalendarIntervalTrigger(**units, hour=9, start_date=start, timezone=UTC)
    expected, moment = [], None
    while len(expected) < 4:
        moment = theirs.get_next_fire_time(moment, NOW)
        if moment > NOW:
            expected.append(moment)
    args = {**units, "hour": 9, "start_date": start.isoformat()}
    assert preview("calendarinterval", args, timezone="UTC", after=NOW, count=4) == expected


def test_the_31st_skips_short_months():
    assert days({"months": 1, "start_date": "2026-01-31"}) == [
        (2026, 3, 31),
        (2026, 5, 31),
        (2026, 7, 31),
        (2026, 8, 31),
    ]


def test_the_leap_day_waits_for_leap_years():
    assert days({"years": 1, "start_date": "2024-02-29"}, 2) == [(2028, 2, 29), (2032, 2, 29)]


def test_it_counts_from_the_date_of_the_anchor_in_the_zone():
    anchor = datetime(2026, 3, 1, 20, tzinfo=UTC)  # already the 2nd in Shanghai
    times = preview(
        "calendarinterval", {"days": 7, "hour": 9}, timezone="Asia/Shanghai", after=NOW, anchor=anchor, count=2
    )
    assert times == [datetime(2026, 3, 2, 1, tzinfo=UTC), datetime(2026, 3, 9, 1, tzinfo=UTC)]


def test_a_bare_end_date_includes_its_day():
    args = {"days": 1, "hour": 23, "start_date": "2026-03-05", "end_date": "2026-03-05"}
    assert days(args) == [(2026, 3, 5)]


def test_asking_for_an_earlier_time_again_answers_the_same():
    trigger = build("calendarinterval", {"months": 1, "days": 3, "start_date": "2020-01-31"}, timezone="UTC")
    moments = [NOW + timedelta(days=40 * number) for number in range(20)]
    forwards = [trigger.next_after(moment) for moment in moments]
    assert [trigger.next_after(moment) for moment in reversed(moments)] == forwards[::-1]
    assert all(one <= other for one, other in pairwise(forwards))


@pytest.mark.parametrize(
    "args",
    [{}, {"hour": 3}, {"days": 0}, {"days": -1}, {"days": 1.5}, {"days": True}, {"days": "x"}, {"years": 101},
     {"days": 1, "hour": 24}, {"days": 1, "minute": "60"}, {"days": 1, "second": -1}, {"months": 10**30}],
)  # fmt: skip
def test_refused(args):
    with pytest.raises(InvalidTrigger):
        build("calendarinterval", args)
