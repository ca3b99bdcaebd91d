"""What due fire times become. Pure: no database, no clock."""

import itertools
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest

from django_sched_tasks import exclusions
from django_sched_tasks.planning import decision as decision_room
from django_sched_tasks.planning.decision import (
    Active,
    LastRow,
    Merge,
    TaskRow,
    When,
    broken,
    decide,
)

ACTIVE, PAUSED, FINISHED = 1, 0, 2
START = datetime(2026, 1, 1, tzinfo=UTC)
IDLE = Active()


def after(seconds):
    return START + timedelta(seconds=seconds)


def when(trigger="interval", status=ACTIVE, timezone="UTC", **args):
    return When(trigger, json.dumps(args or {"minutes": 1}), timezone, status)


def task(**changes):
    """A task planned at START that fires every minute from then on."""
    base = TaskRow(
        id=1,
        version=1,
        when=when(),
        planned=when(),
        next_run=after(60),
        planned_through=START,
        anchor=START,
        misfire_grace_time=86_400,
        coalesce=True,
        max_catch_up=3,
        max_instances=1,
        overlap="skip",
        concurrency_key="",
    )
    return replace(base, **changes)


def new(**changes):
    """A task that has never been planned."""
    return task(**{"planned": None, "next_run": None, "planned_through": None, "anchor": None, **changes})


def told(decision):
    return [(str(part.status), str(part.reason), part.covers) for part in decision.segments]


def fire_times(decision):
    return [(part.fire_at - START).total_seconds() for part in decision.segments]


# The first look at a task.


def test_a_new_task_is_planned_from_now_on():
    decision = decide(new(), after(0.7), IDLE, None)
    assert decision.segments == []
    assert (decision.anchor, decision.next_run, decision.planned_through) == (START, after(60), after(0.7))
    assert decision.when == when()


@pytest.mark.parametrize("status", [PAUSED, FINISHED])
def test_a_new_task_that_is_not_active_has_no_next_run(status):
    decision = decide(new(when=when(status=status)), START, IDLE, None)
    assert (decision.next_run, decision.when.status) == (None, status)


def test_a_new_task_without_a_fire_time_left_is_finished():
    decision = decide(new(when=when("interval", minutes=1, end_date="2025-01-01")), START, IDLE, None)
    assert (decision.next_run, decision.when.status) == (None, FINISHED)


def test_before_its_time_nothing_happens():
    decision = decide(task(), after(59), IDLE, None)
    assert (decision.segments, decision.next_run, decision.planned_through) == ([], after(60), START)


def test_a_fire_time_is_queued_at_its_very_instant():
    decision = decide(task(), after(60), IDLE, None)
    (part,) = decision.segments
    assert (part.status, part.fire_at, part.run_at, part.covers, part.admitted) == (
        "queued",
        after(60),
        after(60),
        1,
        True,
    )
    assert (decision.next_run, decision.planned_through) == (after(120), after(60))


def test_a_trigger_whose_library_is_missing_is_an_error_of_the_task(monkeypatch):
    monkeypatch.setitem(sys.modules, "ephem", None)
    solar = when("solar", event="sunset", latitude=12.25, longitude=13.75)
    decision = decide(task(when=solar, planned=solar), after(60), IDLE, None)
    assert (decision.segments, decision.next_run) == ([], None)
    assert "django-sched-tasks[solar]" in decision.schedule_error


# Policies: what is late.

LATE = after(600)  # ten fire times are due


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ({}, [("queued", "", 10)]),
        ({"misfire_grace_time": None}, [("queued", "", 10)]),
        ({"misfire_grace_time": 120}, [("missed", "grace", 7), ("queued", "", 3)]),
        ({"misfire_grace_time": 1}, [("missed", "grace", 9), ("queued", "", 1)]),
        ({"coalesce": False}, [("missed", "catch_up", 7), *[("queued", "", 1)] * 3]),
        ({"coalesce": False, "max_catch_up": 10}, [("queued", "", 1)] * 10),
        (
            {"coalesce": False, "misfire_grace_time": 240},
            [("missed", "grace", 5), ("missed", "catch_up", 2), *[("queued", "", 1)] * 3],
        ),
    ],
)
def test_an_outage(policies, expected):
    assert told(decide(task(**policies), LATE, IDLE, None)) == expected


def test_a_coalesced_run_carries_its_latest_fire_time_and_a_missed_row_its_first():
    decision = decide(task(misfire_grace_time=120), LATE, IDLE, None)
    assert fire_times(decision) == [60, 600]
    assert decision.next_run == after(660)


def test_an_outage_that_ends_between_two_fire_times_misses_only_the_old_ones():
    decision = decide(task(misfire_grace_time=10), after(650), IDLE, None)
    assert told(decision) == [("missed", "grace", 10)]
    assert decision.next_run == after(660)


def test_a_fire_time_exactly_as_old_as_the_grace_still_runs():
    assert told(decide(task(misfire_grace_time=30), after(90), IDLE, None)) == [("queued", "", 1)]
    assert told(decide(task(misfire_grace_time=30), after(90.001), IDLE, None)) == [("missed", "grace", 1)]


def test_every_due_fire_time_is_covered_once_whatever_the_policies():
    table = itertools.product(
        [True, False], [None, 1, 90, 600], ["skip", "queue", "replace"], [0, 1, 5], [60, 600, 601, 7261]
    )
    for coalesce, grace, overlap, busy, late in table:
        row = task(coalesce=coalesce, misfire_grace_time=grace, overlap=overlap)
        decision = decide(row, after(late), Active(busy, min(busy, 2)), None)
        assert decision.covered() == late // 60
        assert decision.next_run == after((late // 60 + 1) * 60)
        assert len(set(fire_times(decision))) == len(decision.segments)


# Policies: what overlaps.

BUSY = Active(open=1)
FULL = Active(open=4, queued=3)


@pytest.mark.parametrize(
    ("policies", "active", "expected"),
    [
        ({"overlap": "skip"}, BUSY, [("skipped", "overlap", 10)]),
        ({"overlap": "queue"}, BUSY, [("queued", "", 10)]),
        ({"overlap": "queue"}, FULL, [("skipped", "queue_full", 10)]),
        ({"overlap": "replace"}, FULL, [("queued", "", 10)]),
        ({"overlap": "skip", "coalesce": False}, BUSY, [("missed", "catch_up", 7), ("skipped", "overlap", 3)]),
        ({"overlap": "queue", "coalesce": False}, BUSY, [("missed", "catch_up", 7), *[("queued", "", 1)] * 3]),
        (
            {"overlap": "queue", "coalesce": False},
            Active(open=2, queued=1),
            [("missed", "catch_up", 7), *[("queued", "", 1)] * 2, ("skipped", "queue_full", 1)],
        ),
        (
            {"overlap": "replace", "coalesce": False},
            BUSY,
            [("missed", "catch_up", 7), ("skipped", "replaced", 2), ("queued", "", 1)],
        ),
    ],
)
def test_a_busy_task(policies, active, expected):
    assert told(decide(task(**policies), LATE, active, None)) == expected


def test_only_the_policy_replace_replaces_what_waits():
    assert [decide(task(overlap=name), LATE, BUSY, None).replaces_waiting for name in ("skip", "queue", "replace")] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("limit", "active", "admitted"),
    [
        (1, IDLE, [True, False, False]),
        (2, IDLE, [True, True, False]),
        (2, BUSY, [True, False, False]),
        (None, Active(open=50, queued=50), [True, True, True]),
    ],
)
def test_as_many_may_go_at_once_as_the_limit_has_room_for(limit, active, admitted):
    decision = decide(task(coalesce=False, max_instances=limit), after(180), active, None)
    assert [part.admitted for part in decision.segments] == admitted


def test_room_under_a_shared_key_is_never_granted_by_the_planner():
    (part,) = decide(task(concurrency_key="printer"), after(60), IDLE, None).segments
    assert not part.admitted


# Exclusions.


def window(begin, end):
    """From ``begin`` to ``end``, in seconds after START."""
    return {"from": f"{after(begin):%Y-%m-%d %H:%M:%S}", "until": f"{after(end):%Y-%m-%d %H:%M:%S}"}


def excluding(*items, **changes):
    return task(exclusions=json.dumps(items), **changes)


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ({}, [("skipped", "excluded", 4), ("queued", "", 6)]),
        ({"misfire_grace_time": 120}, [("missed", "grace", 3), ("skipped", "excluded", 4), ("queued", "", 3)]),
        (
            {"coalesce": False, "max_catch_up": 4},
            [("missed", "catch_up", 2), ("queued", "", 1), ("skipped", "excluded", 4), *[("queued", "", 1)] * 3],
        ),
        ({"coalesce": False, "max_runs": 2, "max_catch_up": 9}, [("queued", "", 1)] * 2),
        ({"max_runs": 1}, [("skipped", "excluded", 4), ("queued", "", 6)]),
    ],
)
def test_excluded_fire_times_are_skipped_and_the_rest_is_as_ever(policies, expected):
    decision = decide(excluding(window(240, 480), **policies), LATE, IDLE, None)
    assert told(decision) == expected
    assert fire_times(decision) == sorted(fire_times(decision))


def test_what_is_excluded_for_the_site_is_excluded_for_its_tasks():
    decision = decide(excluding(window(0, 61)), LATE, IDLE, None, json.dumps([window(540, 9999)]))
    assert told(decision) == [("skipped", "excluded", 1), ("queued", "", 7), ("skipped", "excluded", 2)]
    assert decision.next_run == after(660)


def test_they_are_read_on_the_clocks_of_the_trigger():
    midnight = {"from_time": "00:00", "until_time": "00:02"}
    for zone, expected in (("UTC", [("skipped", "excluded", 1)]), ("Asia/Tokyo", [("queued", "", 1)])):
        at_zone = when(timezone=zone)
        assert told(decide(excluding(midnight, when=at_zone, planned=at_zone), after(60), IDLE, None)) == expected
        own = When("interval", json.dumps({"minutes": 1, "timezone": zone}), "America/New_York", ACTIVE)
        assert told(decide(excluding(midnight, when=own, planned=own), after(60), IDLE, None)) == expected


@pytest.mark.parametrize(
    ("last", "merges"), [(LastRow(7, "skipped", "excluded"), True), (LastRow(7, "skipped", "overlap"), False)]
)
def test_consecutive_excluded_fire_times_share_a_row(last, merges):
    decision = decide(excluding(window(0, 9999)), after(60), IDLE, last)
    assert (told(decision), decision.merge) == ([("skipped", "excluded", 1)], Merge(7, 0) if merges else None)


def test_a_year_of_excluded_seconds_is_settled_at_once():
    every_second = when(seconds=1)
    row = excluding(window(0, 366 * 86_400), when=every_second, planned=every_second, next_run=after(1))
    began = perf_counter()
    decision = decide(row, after(365 * 86_400), IDLE, None)
    assert perf_counter() - began < 0.5
    assert told(decision) == [("skipped", "excluded", 365 * 86_400)]
    assert decision.next_run == after(365 * 86_400 + 1)


@pytest.mark.parametrize("every", [when(seconds=1), when("cron", second="*")])
@pytest.mark.parametrize("items", [[{"from_time": "22:00", "until_time": "06:00"}], [{"weekdays": ["sat", "sun"]}]])
def test_passes_are_bounded_and_account_for_every_fire_time(every, items, monkeypatch):
    monkeypatch.setattr(decision_room, "STRETCHES", 7)
    row = excluding(*items, when=every, planned=every, next_run=after(1), misfire_grace_time=None)
    now = after(30 * 86_400) if every.trigger == "interval" else after(43_200)
    covered, passes = 0, 0
    while row.next_run <= now:
        decision = decide(row, now, IDLE, None)
        covered += decision.covered()
        assert decision.next_run > row.next_run
        row = replace(row, next_run=decision.next_run)
        passes += 1
    assert covered == (now - START).total_seconds()
    assert passes > 1


def test_a_run_that_gathers_stays_the_latest_row_of_a_pass(monkeypatch):
    monkeypatch.setattr(decision_room, "SETTLE_LIMIT", 500)
    items = [window(minute * 60, minute * 60 + 30) for minute in range(1, 100, 2)]
    every_second = when("cron", second="*")
    row = excluding(*items, when=every_second, planned=every_second, next_run=after(1), misfire_grace_time=None)
    now, runs = after(5_999), 0
    last, active = None, IDLE
    while row.next_run <= now:
        decision = decide(row, now, active, last)
        latest = decision.segments[-1]
        assert latest.status == "queued"
        runs += decision.new_runs
        last, active = LastRow(7, "queued", str(latest.reason)), Active(1, 1)
        row = replace(row, next_run=decision.next_run)
    assert (runs, last.reason) == (1, "")


def naive(row, now, items):
    """Fire time by fire time."""
    excluded = exclusions.build(items, zone=ZoneInfo("UTC"))
    times = [after(60 * number) for number in range(1, int((now - START).total_seconds()) // 60 + 1)]
    return sum(excluded.at(time)[0] for time in times), len(times)


def test_every_fire_time_is_covered_once_with_exclusions_too():
    windows = [[], [window(100, 200)], [window(0, 9999)], [window(500, 700), window(60, 61)], [window(540, 9999)]]
    table = itertools.product(
        windows, [True, False], [None, 1, 90, 600], ["skip", "queue", "replace"], [0, 1], [60, 600, 601, 7261]
    )
    for items, coalesce, grace, overlap, busy, late in table:
        row = excluding(*items, coalesce=coalesce, misfire_grace_time=grace, overlap=overlap)
        decision = decide(row, after(late), Active(busy, busy), None)
        excluded = sum(part.covers for part in decision.segments if part.reason == "excluded")
        assert (excluded, decision.covered()) == naive(row, after(late), items)
        assert decision.next_run == after((late // 60 + 1) * 60)
        assert len(set(fire_times(decision))) == len(decision.segments)


@pytest.mark.parametrize("text", ["{}", '[{"date": 5}]', "[", "5"])
def test_exclusions_that_other_hands_have_broken_are_an_error_of_the_task(text):
    decision = decide(task(exclusions=text), after(60), IDLE, None)
    assert (decision.segments, decision.next_run) == ([], None)
    assert "exclusions" in decision.schedule_error


# A limit of runs.


@pytest.mark.parametrize(
    ("policies", "expected", "through"),
    [
        ({"max_runs": 1}, [("queued", "", 10)], 600),
        ({"max_runs": 1, "misfire_grace_time": 120}, [("missed", "grace", 7), ("queued", "", 3)], 600),
        ({"max_runs": 2, "coalesce": False}, [("missed", "catch_up", 7), *[("queued", "", 1)] * 2], 540),
        ({"max_runs": 5, "planned_runs": 4, "coalesce": False}, [("missed", "catch_up", 7), ("queued", "", 1)], 480),
        ({"max_runs": 3, "coalesce": False}, [("missed", "catch_up", 7), *[("queued", "", 1)] * 3], 600),
    ],
)
def test_the_last_run_of_the_limit_ends_the_schedule(policies, expected, through):
    decision = decide(task(**policies), LATE, IDLE, None)
    assert told(decision) == expected
    assert (decision.next_run, decision.when.status, decision.planned_through) == (None, FINISHED, after(through))
    assert policies.get("planned_runs", 0) + decision.new_runs == policies["max_runs"]


@pytest.mark.parametrize("policies", [{"max_runs": 2}, {"max_runs": 4, "coalesce": False}, {"max_runs": None}])
def test_below_the_limit_it_goes_on(policies):
    decision = decide(task(**policies), LATE, IDLE, None)
    assert (decision.next_run, decision.when.status) == (after(660), ACTIVE)
    assert decision.new_runs == sum(status == "queued" for status, *_ in told(decision))


@pytest.mark.parametrize(
    ("policies", "active", "expected"),
    [
        ({"overlap": "skip"}, BUSY, [("skipped", "overlap", 10)]),
        ({"misfire_grace_time": 1}, IDLE, [("missed", "grace", 10)]),
        ({"overlap": "queue"}, FULL, [("skipped", "queue_full", 10)]),
    ],
)
def test_what_does_not_run_does_not_count(policies, active, expected):
    decision = decide(task(max_runs=1, **policies), after(659), active, None)
    assert (told(decision), decision.new_runs) == (expected, 0)
    assert (decision.next_run, decision.when.status) == (after(660), ACTIVE)


def test_a_limit_that_other_hands_have_lowered_ends_the_schedule_at_its_next_fire_time():
    decision = decide(task(max_runs=3, planned_runs=5), after(61), IDLE, None)
    assert (told(decision), decision.next_run, decision.when.status) == ([], None, FINISHED)
    assert decision.new_runs == 0


def test_a_new_trigger_does_not_lift_the_limit():
    decision = decide(task(when=when(minutes=2), next_run=None, max_runs=3, planned_runs=3), after(61), IDLE, None)
    assert (decision.next_run, decision.when.status) == (None, FINISHED)


def test_a_run_that_gathers_over_several_passes_counts_once(monkeypatch):
    monkeypatch.setattr(decision_room, "SETTLE_LIMIT", 4)
    every_second = when("cron", second="*")
    row = task(when=every_second, planned=every_second, next_run=after(1), max_runs=1)
    first = decide(row, after(6), IDLE, None)
    assert (told(first), first.new_runs, first.when.status) == ([("queued", "coalescing", 4)], 1, ACTIVE)
    row = replace(row, next_run=first.next_run, planned_runs=1)
    second = decide(row, after(6), Active(1, 1), LastRow(7, "queued", "coalescing"))
    assert (told(second), second.merge, second.new_runs) == ([("queued", "", 2)], Merge(7, 0), 0)
    assert (second.next_run, second.when.status) == (None, FINISHED)


# Rows that go on.


@pytest.mark.parametrize(
    ("last", "merges"),
    [
        (LastRow(7, "skipped", "overlap"), True),
        (LastRow(7, "skipped", "queue_full"), False),
        (LastRow(7, "missed", "grace"), False),
        (LastRow(7, "succeeded", ""), False),
        (LastRow(7, "queued", ""), False),
        (None, False),
    ],
)
def test_consecutive_skips_share_one_row(last, merges):
    decision = decide(task(), after(60), BUSY, last)
    assert decision.merge == (Merge(row=7, part=0) if merges else None)


def test_a_gap_that_goes_on_is_one_missed_row():
    decision = decide(task(misfire_grace_time=5), after(90), IDLE, LastRow(7, "missed", "grace"))
    assert (decision.merge, told(decision)) == (Merge(7, 0), [("missed", "grace", 1)])


# More than one pass settles.

SECONDLY = when("cron", second="*")
SETTLE_LIMIT = 20
LONG = after(SETTLE_LIMIT + 10)


@pytest.fixture
def _short_passes(monkeypatch):
    monkeypatch.setattr(decision_room, "SETTLE_LIMIT", SETTLE_LIMIT)


def lagging(**changes):
    return task(**{"when": SECONDLY, "planned": SECONDLY, "next_run": after(1), **changes})


@pytest.mark.usefixtures("_short_passes")
def test_a_pass_settles_a_bounded_number_and_gathers_the_rest_into_the_same_run():
    first = decide(lagging(), LONG, IDLE, None)
    assert told(first) == [("queued", "coalescing", SETTLE_LIMIT)]
    assert not first.segments[0].admitted
    assert first.next_run == after(SETTLE_LIMIT + 1)
    gathering = LastRow(7, "queued", "coalescing")
    second = decide(lagging(next_run=first.next_run), LONG, Active(1, 1), gathering)
    assert (second.merge, told(second)) == (Merge(7, 0), [("queued", "", 10)])
    assert second.segments[0].fire_at == LONG
    assert second.segments[0].admitted


@pytest.mark.usefixtures("_short_passes")
def test_an_edit_waits_until_all_that_was_due_before_it_is_settled():
    edited = lagging(when=when(status=PAUSED))
    first = decide(edited, LONG, IDLE, None)
    assert (first.when, first.next_run) == (SECONDLY, after(SETTLE_LIMIT + 1))
    last = decide(replace(edited, next_run=first.next_run), LONG, Active(1, 1), LastRow(7, "queued", "coalescing"))
    assert (last.when, last.next_run) == (edited.when, None)
    assert first.covered() + last.covered() == SETTLE_LIMIT + 10


@pytest.mark.usefixtures("_short_passes")
def test_without_coalescing_all_but_the_last_are_missed_pass_by_pass():
    slow = lagging(coalesce=False)
    first = decide(slow, LONG, IDLE, None)
    assert told(first) == [("missed", "catch_up", SETTLE_LIMIT)]
    second = decide(replace(slow, next_run=first.next_run), LONG, IDLE, LastRow(7, "missed", "catch_up"))
    assert second.merge == Merge(7, 0)
    assert told(second) == [("missed", "catch_up", 7), *[("queued", "", 1)] * 3]


@pytest.mark.usefixtures("_short_passes")
@pytest.mark.parametrize(
    ("changes", "active", "merge", "lets_go"),
    [
        ({"misfire_grace_time": 5}, Active(1, 1), Merge(7, 1), None),  # the next pass came late
        ({"coalesce": False}, Active(1, 1), Merge(7, 1), None),  # edited in between
        ({}, Active(2, 1), None, 7),  # something else has started in between
        ({"planned": when(minuts=5)}, Active(1, 1), None, 7),
    ],
)
def test_a_run_that_has_gathered_goes_on_or_is_let_go(changes, active, merge, lets_go):
    behind = lagging(next_run=after(SETTLE_LIMIT + 1), **changes)
    decision = decide(behind, LONG, active, LastRow(7, "queued", "coalescing"))
    assert (decision.merge, decision.lets_go) == (merge, lets_go)
    assert merge is None or decision.segments[merge.part].status == "queued"


def test_a_long_outage_of_an_interval_costs_no_more_than_a_short_one():
    month = after(30 * 86_400)
    secondly = when(seconds=1)
    decision = decide(task(when=secondly, planned=secondly, misfire_grace_time=60), month, IDLE, None)
    assert told(decision) == [("missed", "grace", 30 * 86_400 - 61 - 59), ("queued", "", 61)]


# Edits of the when.


def test_an_edit_first_settles_what_was_due_and_then_plans_from_now_on():
    decision = decide(task(when=when(hours=1)), after(150), IDLE, None)
    assert told(decision) == [("queued", "", 2)]
    assert (decision.when, decision.next_run, decision.planned_through) == (when(hours=1), after(3600), after(150))


def test_an_edit_keeps_the_phase_of_an_interval():
    decision = decide(task(when=when(seconds=90)), after(100), IDLE, None)
    assert (decision.anchor, decision.next_run) == (START, after(180))


def test_a_pause_settles_what_was_due_and_stops():
    decision = decide(task(when=when(status=PAUSED)), after(150), IDLE, None)
    assert told(decision) == [("queued", "", 2)]
    assert (decision.next_run, decision.when.status) == (None, PAUSED)


def test_paused_time_is_not_made_up():
    paused = when(status=PAUSED)
    decision = decide(task(planned=paused, next_run=None, planned_through=after(60)), after(630), IDLE, None)
    assert (decision.segments, decision.next_run) == ([], after(660))


@pytest.mark.parametrize(
    ("planned", "edited", "status"),
    [
        (when(status=FINISHED), when(hours=1), ACTIVE),
        (when(status=FINISHED), when(hours=1, status=FINISHED), ACTIVE),
        (when(), when(status=FINISHED), FINISHED),
        (when(minutes=1, end_date="2025-01-01", status=FINISHED), when(minutes=1, end_date="2025-01-01"), FINISHED),
        (when(status=PAUSED), when(hours=1, status=PAUSED), PAUSED),
    ],
)
def test_an_edit_makes_a_task_what_its_trigger_allows(planned, edited, status):
    next_run = after(60) if planned.status == ACTIVE else None
    decision = decide(task(when=edited, planned=planned, next_run=next_run), after(30), IDLE, None)
    assert (decision.when.status, decision.next_run is None) == (status, status != ACTIVE)


def test_the_last_fire_time_finishes_the_task():
    once = when("date", run_date="2026-01-01T00:01:00")
    decision = decide(task(when=once, planned=once, misfire_grace_time=None), after(90_000), IDLE, None)
    assert told(decision) == [("queued", "", 1)]
    assert (decision.when.status, decision.next_run) == (FINISHED, None)


def test_a_date_that_came_by_sql_a_moment_ahead_still_fires():
    once = when("date", run_date="2026-01-01T00:01:00")
    for row in (new(when=once), task(when=once, next_run=after(3600), planned=when(hours=1))):
        decision = decide(row, after(61), IDLE, None)
        assert (decision.next_run, decision.when.status) == (after(60), ACTIVE)


def test_a_date_that_has_been_planned_never_fires_again():
    once = when("date", run_date="2026-01-01T00:01:00")
    done = task(when=once, planned=once._replace(status=FINISHED), next_run=None, planned_through=after(60))
    decision = decide(done, after(61), IDLE, None)
    assert (decision.next_run, decision.when.status) == (None, FINISHED)


@pytest.mark.parametrize("edited", [when(), when(seconds=20)])
def test_when_the_clock_goes_back_nothing_is_planned_again(edited):
    ahead = task(when=edited, planned=when(), next_run=after(660), planned_through=after(600))
    decision = decide(ahead, after(30), IDLE, None)
    assert decision.segments == []
    assert decision.next_run > after(600)
    assert decision.planned_through >= after(600)


# What cannot be planned.


@pytest.mark.parametrize(
    "bad", [when("lunar"), when(minuts=5), When("interval", "{", "UTC", ACTIVE), when(timezone="Mars/Base")]
)
def test_a_broken_trigger_stands_still_and_says_why(bad):
    decision = decide(task(when=bad), after(60), IDLE, None)
    assert told(decision) == [("queued", "", 1)]  # under the definition before
    assert decision.next_run is None
    assert decision.schedule_error
    assert decision.when == bad


def test_a_corrected_trigger_goes_on():
    decision = decide(task(planned=when(minuts=5), next_run=None, planned_through=START), after(90), IDLE, None)
    assert (decision.schedule_error, decision.next_run) == ("", after(120))


def test_broken_keeps_what_was_planned():
    decision = broken(task(), LATE, "KeyError: 'x'")
    assert (decision.next_run, decision.planned_through, decision.schedule_error) == (None, START, "KeyError: 'x'")


# Jitter and clock changes.


def test_jitter_moves_the_start_and_never_the_fire_time():
    jittery = when(minutes=1, jitter=3600)
    decision = decide(task(when=jittery, planned=jittery, coalesce=False, max_catch_up=100), after(3600), IDLE, None)
    delays = [(part.run_at - part.fire_at).total_seconds() for part in decision.segments]
    assert all(0 <= delay < 60 for delay in delays)
    assert len(set(delays)) > 50
    assert decision.next_run == after(3660)
    assert decision == decide(
        task(when=jittery, planned=jittery, coalesce=False, max_catch_up=100), after(3600), IDLE, None
    )


@pytest.mark.parametrize(
    ("day", "args", "count"),
    [
        (datetime(2026, 3, 29, tzinfo=UTC), {"hour": 2, "minute": 30}, 1),  # 02:30 does not exist that day
        (datetime(2026, 10, 25, tzinfo=UTC), {"hour": 2, "minute": 30}, 1),  # 02:30 comes twice
        (datetime(2026, 10, 25, tzinfo=UTC) - timedelta(hours=2), {"minute": 30}, 25),
    ],
)
def test_a_clock_change_neither_doubles_nor_drops_a_fixed_time(day, args, count):
    berlin = When("cron", json.dumps(args), "Europe/Berlin", ACTIVE)
    first = decide(new(when=berlin), day, IDLE, None)
    row = task(when=berlin, planned=berlin, next_run=first.next_run, planned_through=day)
    end = datetime(day.year, day.month, day.day + (day.hour > 0), 22, 59, tzinfo=UTC)
    assert decide(row, end, IDLE, None).covered() == count
