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
    """The neighbours between which a fire time is missing: neither run nor folded into the later one."""
    return [
        (earlier["fire_at"], later["fire_at"])
        for earlier, later in itertools.pairwise(executions)
        if later["fire_at"] - earlier["fire_at"] != timedelta(seconds=seconds * later["covers"])
    ]


def check_hardly_any_folded(rows):
    """Each fire time has a run of its own, but for what a node cannot help.

    A task of every second may be made just before a fire time, and be seen a poll of a second later, when the next one
    is due too; and a busy machine may hold a node up for a moment. Those two fire times are then one run, by
    ``coalesce``.
    """
    folded = [row for row in rows if row["covers"] > 1]
    told = [(str(row["fire_at"]), str(row["queued_at"]), str(row["started_at"]), row["covers"]) for row in rows]
    assert len(folded) <= 2, told
    assert all(row["covers"] == 2 for row in folded), told


def most_at_once(executions):
    """How many of these ran at the same time at most, by their own times."""
    moments = [(row["started_at"], 1) for row in executions] + [(row["finished_at"], -1) for row in executions]
    running = itertools.accumulate(step for _moment, step in sorted(moments))
    return max(running, default=0)
