"""A node's row, and what it sees of the others."""

import pytest
from django.db import connection

from django_sched_tasks.engine.node import SEEN
from django_sched_tasks.models import SchedulerNode
from django_sched_tasks.testing import ManualScheduler

SIGNS = {
    "loop_at": None,
    "slots_in_use": 1,
    "stuck_slots": 0,
    "problem": "",
    "has_session_lock": True,
    "clock_offset": 0.5,
}


@pytest.fixture
def others(db, now):
    return [ManualScheduler(now=now).node for _ in range(2)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="elsewhere two statements do it")
def test_a_sign_of_life_sees_of_the_others_what_a_look_of_its_own_sees(node, others):
    SchedulerNode.objects.filter(pk=others[0].id).update(has_session_lock=True)

    look = node.node.beat_and_look(**SIGNS)

    def seen(nodes):
        return sorted(tuple(getattr(node, name) for name in SEEN) for node in nodes)

    assert look.is_alive
    assert seen(look.others) == seen(node.node.others())
    assert {str(other) for other in look.others} == {str(other) for other in node.node.others()}
    row = SchedulerNode.objects.get(pk=node.node.id)
    assert (row.heartbeat_at, row.slots_in_use, row.clock_offset) == (look.now, 1, 0.5)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="elsewhere two statements do it")
def test_alone_it_sees_nobody_and_a_buried_one_hears_that_it_is_dead(node):
    assert node.node.beat_and_look(**SIGNS).others == []
    SchedulerNode.objects.update(state="dead")
    look = node.node.beat_and_look(**SIGNS)
    assert (look.is_alive, look.others) == (False, [])
