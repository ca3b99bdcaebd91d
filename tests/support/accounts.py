"""Promise 1 and 2, checked from outside: each fire time once, and all of them accounted for."""

import itertools
from collections import Counter
from datetime import timedelta


def check_accounts(site):
    """``covers`` sums to the fire times from each interval's first to the last that was planned.

    For tasks whose *when* was never edited and that were never paused.
    """
    for task in site.accounts():
        assert task["covers"] + task["purged_covers"] == task["fire_count"], task
        if "seconds" not in task["trigger_args"]:
            continue
        period = timedelta(seconds=task["trigger_args"]["seconds"])
        fire_times = (task["planned_through"] - task["anchor"]) // period if task["planned_through"] else 0
        assert task["fire_count"] == fire_times, task


def check_nothing_ran_twice(site):
    """No effect twice for one task, fire time and attempt."""
    calls = Counter((effect["label"], effect["fire_at"], effect["attempt"]) for effect in site.effects())
    assert {call: times for call, times in calls.items() if times > 1} == {}


def gaps(executions, seconds=1):
    """The pairs of neighbouring fire times that are not ``seconds`` apart."""
    times = [execution["fire_at"] for execution in executions]
    return [(a, b) for a, b in itertools.pairwise(times) if b - a != timedelta(seconds=seconds)]
