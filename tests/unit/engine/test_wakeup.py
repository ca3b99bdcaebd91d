"""The one statement of an idle poll."""

import pytest

from django_sched_tasks.engine.wakeup import peek
from django_sched_tasks.models import TaskExecution


@pytest.fixture
def queued(db, at):
    def queued(seconds, rank):
        return TaskExecution.objects.create(
            task_name="t", func="f:f", kind="manual", request=f"{seconds} {rank}", status="queued", fire_at=at(seconds),
            run_at=at(seconds), claim_rank=rank,
        )  # fmt: skip

    return queued


def test_nothing_is_due_where_nothing_is_queued(db):
    assert peek("default")[1:] == (None, None, ())


def test_the_earliest_run_is_found_whatever_its_rank(queued, at):
    for seconds, rank in ((50, -3), (40, -3), (30, 0), (90, 0), (20, 1000), (5, None)):
        queued(seconds, rank)
    assert peek("default").run_at == at(20)
    queued(10, -3)
    assert peek("default").run_at == at(10)
