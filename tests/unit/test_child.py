"""What a child process and its parent say to each other."""

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta, timezone

from django_sched_tasks import child
from django_sched_tasks.models.transitions import Claim, Outcome
from tests.unit.test_runner import claim as make_claim


def test_a_claim_arrives_as_it_was():
    claim = dataclasses.replace(
        make_claim("ok", 1, "é\udc80", key={"deep": [None, 1.5, 10**30]}),
        fire_at=datetime(2026, 1, 1, 2, 3, 4, 567891, tzinfo=UTC),
        run_at=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8))),
    )
    assert child.revive(Claim, child.decode(child.encode(dataclasses.asdict(claim)))) == claim


def test_an_outcome_arrives_as_it_was():
    outcome = Outcome(
        execution_id=1,
        task_id=None,
        job_id="j",
        node_id=uuid.uuid4(),
        status="succeeded",
        result={"a": [1, None]},
        output="line\n",
        duration=0.25,
        finished_at=datetime(2026, 1, 1, tzinfo=UTC),
        is_recorded=True,
    )
    line = child.encode({field.name: getattr(outcome, field.name) for field in dataclasses.fields(outcome)})
    assert line.count(b"\n") == 1
    assert child.revive(Outcome, child.decode(line)) == outcome


def test_a_worker_outside_the_nodes_has_no_node():
    claim = dataclasses.replace(make_claim("ok"), node_id=None)
    assert child.revive(Claim, child.decode(child.encode(dataclasses.asdict(claim)))).node_id is None
