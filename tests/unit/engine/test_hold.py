"""What makes a node hold, and that one who holds leaves everything as it is."""

from datetime import timedelta

import pytest
from django.utils import timezone

from django_sched_tasks import operations
from django_sched_tasks.engine.hold import Hold
from django_sched_tasks.engine.housekeeping import Housekeeping
from django_sched_tasks.engine.wakeup import peek
from django_sched_tasks.models import SchedulerState
from tests.support.waiting import until


def look(hold):
    seen = peek("default", *hold.sql())
    return hold.look(*seen.extra, now=seen.now)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("recorded", "here", "holds"),
    [
        (None, None, False),
        (None, "staging", False),
        ("", None, False),
        ("production", "production", False),
        ("production", "staging", True),
        ("production", None, True),
        ("", "staging", False),
    ],
)
def test_another_environment_holds_once_a_name_was_recorded(settings, recorded, here, holds):
    settings.SCHED_TASKS = {} if here is None else {"ENVIRONMENT": here}
    if recorded is not None:
        SchedulerState.objects.create(environment=recorded)
    hold = Hold("default")

    assert look(hold) is hold.is_on is hold.is_elsewhere is holds
    assert bool(hold.problem) is holds
    if holds:
        assert "'production'" in hold.problem
        assert "environment --confirm" in hold.problem


@pytest.mark.django_db
def test_maintenance_holds_until_its_end_and_is_no_problem():
    hold = Hold("default")
    now = timezone.now()
    operations.start_maintenance(now + timedelta(minutes=5))

    assert look(hold)
    assert (hold.problem, hold.is_elsewhere) == ("", False)
    assert hold.seconds_left(now) == pytest.approx(300)
    assert not hold.read(now + timedelta(minutes=6))
    assert hold.seconds_left(now) is None
    assert hold.read(now)
    operations.end_maintenance()
    # SQLite's own clock counts whole milliseconds: within the one of the end, that still lies ahead.
    until(lambda: not look(hold), within=0.5, pause=0.002)
    assert not hold.is_on


@pytest.mark.django_db
def test_looking_costs_no_statement_of_its_own(django_assert_num_queries):
    hold = Hold("default")
    with django_assert_num_queries(1):
        look(hold)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("recorded", "here", "then"),
    [("", "production", "production"), ("production", "staging", "production"), ("", None, ""), ("x", None, "x")],
)
def test_only_the_first_name_is_recorded(settings, recorded, here, then):
    settings.SCHED_TASKS = {} if here is None else {"ENVIRONMENT": here}
    if recorded:
        SchedulerState.objects.create(environment=recorded)
    operations.record_environment(timezone.now(), using="default")
    operations.record_environment(timezone.now(), using="default")

    assert operations.scheduler_state().environment == then
    assert SchedulerState.objects.count() == bool(then)


def test_in_a_copy_nothing_is_purged(db, monkeypatch):
    purged = []
    monkeypatch.setattr(operations, "prune", lambda *args, **options: purged.append(args))
    for is_elsewhere in (True, False):
        Housekeeping(is_elsewhere=lambda is_elsewhere=is_elsewhere: is_elsewhere)._prune()

    assert len(purged) == 1
