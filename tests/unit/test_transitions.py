"""Every change of an execution's state, and what each of them guards against."""

import uuid
from dataclasses import replace

import pytest

from django_sched_tasks.models import ExecutionStatus, TaskExecution, transitions
from django_sched_tasks.models.transitions import Outcome, Room

ALL = set(ExecutionStatus)
ME, OTHER = uuid.uuid4(), uuid.uuid4()
ENDED = ALL - {"queued", "claimed", "dispatched", "running"}
USING = {"using": "default"}


@pytest.fixture
def execution(db, now):
    """One execution in the state named."""

    def execution(status, **changes):
        values = {"task_name": "T", "job_id": "j", "func": "f", "kind": "schedule", "fire_at": now, "run_at": now}
        values |= {"node_id": None if status == "queued" else ME, "finished_at": now if status in ENDED else None}
        values["claim_rank"] = 0 if status == "queued" else None
        return TaskExecution.objects.create(status=status, **(values | changes))

    return execution


def outcome(row, node=ME, status="succeeded"):
    return Outcome(execution_id=row.pk, task_id=None, job_id="j", node_id=node, status=status, result={"n": 1})


def ids(rows):
    return rows if not rows or isinstance(rows[0], int) else [row.execution_id for row in rows]


MOVES = {
    "hand_back": ({"claimed"}, "queued", lambda pk, now: transitions.hand_back([pk], ME, now, **USING)),
    "start": ({"claimed", "running"}, "running", lambda pk, now: transitions.start([pk], ME, now, **USING)),
    "miss": ({"claimed"}, "missed", lambda pk, now: transitions.miss([pk], ME, now, **USING)),
    "dispatch": (
        {"claimed", "dispatched"},
        "dispatched",
        lambda pk, now: transitions.dispatch({pk: "message"}, ME, now, **USING),
    ),
    "hand_over": ({"dispatched"}, "dispatched", lambda pk, now: transitions.hand_over([pk], ME, **USING)),
    "take_back": ({"dispatched"}, "queued", lambda pk, now: transitions.take_back([pk], ME, **USING)),
    "begin": (
        {"dispatched"},
        "running",
        lambda pk, now: [claim.id for claim in [transitions.begin(pk, "", "host:1", now, **USING)] if claim],
    ),
    "refuse": ({"dispatched"}, "queued", lambda pk, now: transitions.refuse(pk, "", now, **USING)),
    "discard": (
        {"dispatched"},
        "missed",
        lambda pk, now: transitions.discard(pk, "", now, status=ExecutionStatus.MISSED, reason="grace", **USING),
    ),
    "release": ({"claimed", "dispatched"}, "queued", lambda pk, now: transitions.release([ME], **USING)),
    "lose": (
        {"dispatched", "running"},
        "lost",
        lambda pk, now: transitions.lose([pk], now, reason="node_died", error="gone", **USING),
    ),
    "cancel": (
        {"queued", "claimed", "dispatched"},
        "cancelled",
        lambda pk, now: transitions.cancel(TaskExecution.objects.all(), now, reason="requested", **USING),
    ),
    "fail_unstarted": (
        {"queued", "claimed", "dispatched"},
        "failed",
        lambda pk, now: transitions.fail_unstarted([pk], now, reason="unresolved", error="no", **USING),
    ),
    "finish": (
        {"dispatched", "running", "lost"},
        "succeeded",
        lambda pk, now: transitions.finish([outcome(TaskExecution(pk=pk))], **USING),
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_made_from_its_own_states_only(execution, now, name):
    allowed, target, move = MOVES[name]
    for status in ALL:
        row = execution(status)
        won = move(row.pk, now)
        assert ids(won) == ([row.pk] if status in allowed else []), status
        assert TaskExecution.objects.get(pk=row.pk).status == (target if status in allowed else status)
        row.delete()


@pytest.mark.parametrize(
    "name", ["hand_back", "start", "miss", "dispatch", "hand_over", "take_back", "release", "finish"]
)
def test_a_move_of_the_node_is_made_by_that_node_only(execution, now, name):
    allowed, _, move = MOVES[name]
    for status in allowed:
        row = execution(status, node_id=OTHER)
        assert not move(row.pk, now)
        assert TaskExecution.objects.get(pk=row.pk).status == status


@pytest.mark.parametrize("move", ["begin", "refuse", "discard"])
def test_a_message_is_heeded_by_its_own_execution_only(execution, now, move):
    row = execution("dispatched", message_id="another")
    assert not MOVES[move][2](row.pk, now)
    assert TaskExecution.objects.get(pk=row.pk).status == "dispatched"


def test_what_is_handed_over_outlives_its_node(execution, now):
    row = execution("dispatched")
    transitions.hand_over([row.pk], ME, **USING)
    assert transitions.release([ME], **USING) == []
    assert transitions.begin(row.pk, "", "host:1", now, **USING).node_id is None


def test_what_is_queued_anew_is_dispatched_by_another_message(execution, now):
    row = execution("dispatched", message_id="first", dispatched_at=now)
    transitions.take_back([row.pk], ME, **USING)
    assert transitions.begin(row.pk, "first", "host:1", now, **USING) is None
    row.refresh_from_db()
    assert (row.message_id, row.dispatched_at, row.claim_rank) == ("", None, 0)


# Claiming.


def claim(now, limit=10, **options):
    return [c.fire_at for c in transitions.claim(ME, now, limit, executor="default", **USING, **options)]


def test_a_claim_takes_what_is_due_in_the_order_of_rank_and_time(execution, now, at):
    for seconds, rank in ((1, 0), (2, -5), (3, 0), (50, -9)):
        execution("queued", fire_at=at(seconds), run_at=at(seconds), claim_rank=rank)
    assert claim(at(10), limit=2) == [at(2), at(1)]
    assert claim(at(10)) == [at(3)]


@pytest.mark.parametrize(
    "changes",
    [
        {"claim_rank": None},
        {"queue": "slow"},
        {"executor": "gpu"},
        {"func": "gone:f"},
        {"status": "claimed", "claim_rank": None},
    ],
)
def test_what_a_claim_leaves(execution, now, at, changes):
    execution(**{"status": "queued", **changes})
    assert claim(at(1), queues=["default"], without_funcs=["gone:f"]) == []


def test_a_claimed_row_is_nobody_elses(execution, now):
    row = execution("queued", reason="")
    claim(now)
    row.refresh_from_db()
    assert (row.status, row.node_id, row.claim_rank) == ("claimed", ME, None)
    assert claim(now) == []


def test_what_is_handed_back_keeps_its_priority_and_the_time_of_its_first_hand_back(execution, now, at):
    row = execution("claimed", priority=7)
    transitions.hand_back([row.pk], ME, at(1), unresolved=True, **USING)
    TaskExecution.objects.update(status="claimed", node_id=ME)
    transitions.hand_back([row.pk], ME, at(9), unresolved=True, **USING)
    row.refresh_from_db()
    assert (row.claim_rank, row.node_id, row.handed_back_at) == (-7, None, at(1))


# Ends.


def test_a_finish_records_the_outcome(execution, now, at):
    row = execution("running")
    told = replace(outcome(row, status="failed"), error="e", traceback="t", duration=1.5, finished_at=at(2))
    assert transitions.finish([told], **USING) == [told]
    row.refresh_from_db()
    assert (row.status, row.error, row.traceback, row.duration, row.finished_at) == ("failed", "e", "t", 1.5, at(2))
    assert row.result == {"n": 1}


def test_a_late_finish_is_recorded_as_what_it_was(execution, at):
    row = execution("lost", reason="node_died", error="gone")
    (recorded,) = transitions.finish([replace(outcome(row), finished_at=at(9))], **USING)
    row.refresh_from_db()
    assert (row.status, row.reason, row.error, row.finished_at) == ("succeeded", "late", "", at(9))
    assert recorded.reason == "late"


def test_a_second_finish_changes_nothing(execution):
    row = execution("running")
    transitions.finish([replace(outcome(row), finished_at=row.fire_at)], **USING)
    assert transitions.finish([outcome(row, status="failed")], **USING) == []
    row.refresh_from_db()
    assert row.status == "succeeded"


def test_admit_lets_only_waiting_rows_in(execution):
    waiting = execution("queued", claim_rank=None, priority=3)
    running = execution("running")
    assert transitions.admit([waiting.pk, running.pk], **USING) == [waiting.pk]
    waiting.refresh_from_db()
    assert waiting.claim_rank == -3


def test_a_grace_is_for_fire_times_only(execution, at):
    row = execution("queued", misfire_grace_time=5)
    (taken,) = transitions.claim(ME, at(0), 1, executor="default", **USING)
    assert (taken.is_too_late(at(5)), taken.is_too_late(at(5.5))) == (False, True)
    assert not replace(taken, kind="manual").is_too_late(at(99))
    assert not replace(taken, misfire_grace_time=None).is_too_late(at(99))
    assert taken.id == row.pk


def test_the_idempotency_key_is_the_same_for_every_attempt(execution, at):
    execution("queued")
    (taken,) = transitions.claim(ME, at(0), 1, executor="default", **USING)
    assert taken.idempotency_key == replace(taken, attempt=2).idempotency_key == "j:schedule:2026-01-01T00:00:00+00:00"
    assert replace(taken, kind="manual", request="r").idempotency_key == "j:manual:r"


def test_of_a_queue_with_room_of_its_own_no_more_is_taken_and_the_others_are_not_held_up(execution, at):
    for seconds in range(6):
        execution("queued", fire_at=at(seconds), run_at=at(seconds), queue="etl" if seconds < 4 else "mail")
    assert claim(at(10), limit=4, room=Room({"etl": 1})) == [at(0), at(4), at(5)]
    assert claim(at(10), limit=4, room=Room({"etl": 0})) == []
    assert claim(at(10), limit=2, room=Room({"etl": 5})) == [at(1), at(2)]


def test_backfill_takes_no_more_than_its_room_and_holds_up_nothing_else(execution, at):
    for seconds in range(6):
        kind = "backfill" if seconds < 4 else "manual"
        execution("queued", fire_at=at(seconds), run_at=at(seconds), kind=kind, request="r")
    room = Room(backfill=1)
    assert claim(at(10), limit=4, room=room) == [at(0), at(4), at(5)]
    assert room.backfill == 1  # the caller takes off what has been committed
    assert claim(at(10), limit=4, room=Room(backfill=0)) == []
    assert claim(at(10), limit=2) == [at(1), at(2)]
