from __future__ import annotations

from datetime import UTC, datetime

import pytest

from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.triggers import build, preview

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("run_date", "expected"),
    [
        ("2027-01-31", datetime(2027, 1, 30, 16, tzinfo=UTC)),
        ("2027-01-31 09:00", datetime(2027, 1, 31, 1, tzinfo=UTC)),
        ("2027-01-31T09:00:05.25", datetime(2027, 1, 31, 1, 0, 5, 250_000, tzinfo=UTC)),
        ("2027-01-31T09:00:00Z", datetime(2027, 1, 31, 9, tzinfo=UTC)),
        ("2027-01-31T09:00:00-05:00", datetime(2027, 1, 31, 14, tzinfo=UTC)),
    ],
)
def test_once(run_date, expected):
    assert preview("date", {"run_date": run_date}, timezone="Asia/Shanghai", after=NOW) == [expected]


def test_the_site_has_the_last_word_on_the_zone(settings):
    settings.TIME_ZONE = "America/New_York"
    args = {"run_date": "2027-01-31"}
    assert preview("date", args, after=NOW) == [datetime(2027, 1, 31, 5, tzinfo=UTC)]
    assert preview("date", args, timezone="UTC", after=NOW) == [datetime(2027, 1, 31, tzinfo=UTC)]
    args["timezone"] = "Asia/Tokyo"
    assert preview("date", args, timezone="UTC", after=NOW) == [datetime(2027, 1, 30, 15, tzinfo=UTC)]


def test_a_stored_one_whose_time_is_past_can_still_be_built():
    assert build("date", {"run_date": "2020-01-01"}).next_after(NOW) is None


@pytest.mark.parametrize(
    "run_date",
    [None, 5, True, "", "tomorrow", "2027-02-30", "2027-01-31 25:00", "20270131", "2027-W05-1", "2027-1-5",
     "0001-01-01", "9999-12-31T23:59:59-12:00", "2027-01-31x09:00", "2027-01-31 09:00+99:00", "２０２７-01-31"],
)  # fmt: skip
def test_refused(run_date):
    with pytest.raises(InvalidTrigger, match="run_date"):
        build("date", {"run_date": run_date})
