"""How soon a node tries again to give a sign of life."""

import pytest

from django_sched_tasks.engine.heartbeat import _pause


@pytest.mark.parametrize(("failures", "seconds"), [(0, 5.0), (1, 0.5), (2, 1.0), (5, 5.0), (100_000, 5.0)])
def test_it_tries_again_soon_and_for_ever(failures, seconds):
    assert _pause(failures) == seconds


def test_never_later_than_a_sign_of_life_is_due(settings):
    settings.SCHED_TASKS = {"HEARTBEAT_INTERVAL": 0.5}
    assert {_pause(failures) for failures in range(10)} == {0.5}
