"""Does the verifier see what is wrong? Books in order, and each kind of lie put into them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.verifier import Books, verify

pytestmark = pytest.mark.chaos

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def execution(pk, beat, **changes):
    row = {
        "id": pk, "task_id": 1, "kind": "schedule", "fire_at": at(beat), "request": "", "attempt": 1, "covers": 1,
        "status": "succeeded", "reason": "", "node_id": "a", "queued_at": at(beat), "started_at": at(beat),
        "finished_at": at(beat + 0.5),
    }  # fmt: skip
    return row | changes


def effect(pk, beat, **changes):
    row = {"execution": pk, "task": 1, "kind": "schedule", "fire_at": at(beat), "attempt": 1, "node": "a"}
    return row | {"seen": "running", "pid": 7, "at": at(beat + 0.1)} | changes


@pytest.fixture
def books():
    """Eight fire times: run, run for two, skipped for two, lost, run, run."""
    born_finished = {"started_at": None, "node_id": None, "finished_at": at(4), "queued_at": at(4)}
    return Books(
        tasks=[
            {"id": 1, "name": "every", "trigger_args": {"seconds": 1}, "anchor": NOW, "next_run": at(9),
             "planned_through": at(8), "fire_count": 8, "purged_covers": 0, "on_crash": "lose"},
        ],
        executions=[
            execution(1, 1),
            execution(2, 3, covers=2),
            execution(3, 4, status="skipped", covers=2, **born_finished),
            execution(4, 6, status="lost"),
            execution(5, 7),
            execution(6, 8),
        ],
        nodes=[{"id": "a", "pid": 7, "state": "stopped"}],
        effects=[effect(1, 1), effect(2, 3), effect(4, 6), effect(5, 7), effect(6, 8)],
    )  # fmt: skip


def test_books_in_order(books):
    verdict = verify(books, silence=3, since=at(0), until=at(8))
    assert (verdict.violations, verdict.silences) == ([], [])
    assert (verdict.due, verdict.covered, verdict.ran, verdict.effects) == (8, 8, 5, 5)
    assert verdict.longest_silence == 3.0


LIES = {
    "called twice": ("effects", effect(1, 1)),
    "run twice for one fire time": ("executions", execution(9, 1)),
    "called without a row": ("effects", effect(99, 7)),
    "another row for what was skipped": ("executions", execution(9, 5)),
    "left open": ("executions", execution(9, 9, status="queued", started_at=None, finished_at=None)),
    "off the beat": ("executions", execution(9, 2.5)),
    "succeeded without a call": ("executions", execution(9, 9)),
    "a node dead for no reason": ("nodes", {"id": "b", "pid": 8, "state": "dead"}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_row_too_many_is_seen(books, lie):
    table, row = LIES[lie]
    assert verify(replace(books, **{table: [*getattr(books, table), row]})).violations


@pytest.mark.parametrize("number", range(6))
def test_a_row_too_few_is_seen(books, number):
    rows = [row for index, row in enumerate(books.executions) if index != number]
    assert verify(replace(books, executions=rows)).violations


CHANGES = [
    ("executions", 0, {"covers": 2}),
    ("executions", 1, {"covers": 1}),
    ("executions", 2, {"status": "succeeded"}),
    ("executions", 0, {"started_at": None}),
    ("executions", 0, {"status": "queued"}),
    ("executions", 0, {"node_id": "b"}),
    ("effects", 0, {"seen": "claimed"}),
    ("effects", 0, {"seen": "lost"}),
    ("effects", 2, {"execution": 5}),
    ("tasks", 0, {"fire_count": 9}),
    ("tasks", 0, {"planned_through": at(9)}),
    ("tasks", 0, {"next_run": at(10)}),
    ("tasks", 0, {"purged_covers": 1}),
]


@pytest.mark.parametrize(("table", "number", "change"), CHANGES, ids=str)
def test_a_wrong_value_is_seen(books, table, number, change):
    getattr(books, table)[number].update(change)
    assert verify(books).violations


def test_a_late_end_is_right_for_a_node_that_was_stopped(books):
    books.effects[0]["seen"] = "lost"
    assert verify(books, stopped=[7]).violations == []


def test_a_silence_is_seen(books):
    assert verify(books, silence=2.5, since=at(0), until=at(8)).silences
    assert verify(books, silence=3.5, since=at(0), until=at(12)).silences
