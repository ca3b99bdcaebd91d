"""A job's pickle is data from outside: nothing that it names is imported or called."""

import pickle
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from django_sched_tasks.porting import unpickling
from django_sched_tasks.porting.apscheduler_triggers import trigger_of
from django_sched_tasks.porting.records import Refused

called = []


def misdeed(*args):
    called.append(args)


class Reducing:
    """Pickles as a call of something with arguments."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def state(value, protocol=pickle.HIGHEST_PROTOCOL):
    return pickle.dumps({"args": [value]}, protocol)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_a_job_may_hold(protocol):
    held = [1, "a", None, {"b": (2.5, True)}, datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1)]
    assert unpickling.load(state(held, protocol)) == {"args": [held]}
    assert unpickling.load(state(ZoneInfo("Asia/Tokyo"), protocol)) == {"args": [ZoneInfo("Asia/Tokyo")]}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_call_is_refused_and_not_made(protocol):
    for call in (Reducing(misdeed, 1), Reducing(eval, "1"), Reducing(exec, ""), Reducing(__import__, "antigravity")):
        with pytest.raises(Refused, match="cannot become a task"):
            unpickling.load(state(call, protocol))
    assert called == []
    assert "antigravity" not in sys.modules


def test_getattr_gives_nothing_but_the_maker_of_zones():
    for call in (
        Reducing(getattr, ZoneInfo, "__init__"),
        Reducing(getattr, datetime, "now"),
        Reducing(getattr, "", "format"),
    ):
        with pytest.raises(Refused):
            unpickling.load(state(call))


def test_a_zone_is_a_name():
    for name in ("../../etc/passwd", "Mars/Base", "/etc/localtime"):
        forged = pickle.dumps({"args": [1]}, 2).replace(b"K\x01a", b"czoneinfo\nZoneInfo\na")
        assert unpickling.load(forged)  # the class alone is harmless
        with pytest.raises(Refused, match="not a known time zone"):
            unpickling.load(state(Reducing(_maker_of_zones(), name, 1)))


def _maker_of_zones():
    return ZoneInfo("UTC").__reduce__()[0]


def test_a_trigger_is_a_stand_in():
    trigger = unpickling.load(state(DateTrigger(datetime(2026, 1, 1, tzinfo=UTC))))["args"][0]
    assert type(trigger).__module__ == unpickling.__name__
    assert trigger_of(trigger) == ("date", {"run_date": "2026-01-01T00:00:00+00:00"})


def test_the_class_that_a_combined_trigger_names_is_not_imported(monkeypatch):
    """APScheduler's own OrTrigger would import whatever stands there."""
    monkeypatch.setattr(OrTrigger, "__getstate__", lambda self: {"triggers": [("antigravity:fly", {})], "jitter": None})
    held = unpickling.load(state(OrTrigger([CronTrigger(hour=1)])))["args"][0]
    with pytest.raises(Refused, match="no trigger here for fly"):
        trigger_of(held)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("damaged", [b"", b"no pickle", state(1)[:-1], pickle.dumps([1]), b"(lp0\n."])
def test_what_is_no_state_of_a_job(damaged):
    with pytest.raises(Refused):
        unpickling.load(damaged)


def test_what_is_too_large():
    with pytest.raises(Refused, match="larger"):
        unpickling.load(state("x" * unpickling.LARGEST))


def test_references_to_outside_and_extensions_are_refused():
    for forged in (b"\x80\x02Pid0\n.", b"\x80\x02\x82\x01."):
        with pytest.raises(Refused):
            unpickling.load(forged)
