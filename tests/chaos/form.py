"""How long the suite takes: short, as CI runs it, or with CHAOS=full in the environment as the acceptance asks for."""

import itertools
import os

import pytest

from tests.support.databases import vendors

FULL = os.environ.get("CHAOS", "") == "full"

_turns = itertools.cycle(range(6))  # of the short form, so that no database has all the work


def each(*faults):
    """Each fault on every database in the full form, on one of them in turn in the short one."""
    chosen = vendors()
    pairs = [
        (vendor, fault) for fault in faults for vendor in (chosen if FULL else [chosen[next(_turns) % len(chosen)]])
    ]
    return pytest.mark.parametrize(("database", "fault"), pairs, indirect=["database"])


def some(*wanted):
    """These databases in the full form, one of them in turn in the short one."""
    at_hand = [vendor for vendor in wanted if vendor in vendors()]
    chosen = at_hand if FULL or not at_hand else [at_hand[next(_turns) % len(at_hand)]]
    return pytest.mark.parametrize("database", chosen, indirect=True)
