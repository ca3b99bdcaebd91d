"""The storm (scenario 45 and the acceptance of the issue), judged by the independent verifier."""

import pytest

from tests.chaos.form import FULL
from tests.chaos.storm import Form, Storm

pytestmark = pytest.mark.chaos

# The short form blows on a busy machine; how much ran, and how soon, is for the long one.
SHORT = Form(tasks=20, seconds=15, lease=7, stop_for=9, slack=20)
LONG = Form(tasks=200, seconds=300)


def test_s45_nodes_are_killed_and_stopped_and_every_fire_time_is_told(database, make_site):
    form = LONG if FULL else SHORT
    storm = Storm(make_site(database, settings=form.settings), form)
    verdict = storm.run()
    print(f"\n{database.vendor}: {verdict.as_json()}, {storm.kills} kills, {storm.stops} stops")
    assert verdict.violations == [], verdict.as_json()
    assert verdict.silences == []
    assert storm.kills >= form.seconds / form.kill_every / 2
    assert storm.stops >= 1
    assert verdict.due >= form.tasks * form.seconds
    assert verdict.share >= (0.6 if FULL else 0.3), verdict.as_json()
