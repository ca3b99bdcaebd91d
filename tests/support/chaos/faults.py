"""Faults at the engine's seams, for the process whose environment asks for them.

    SCHED_FAULT=point:action[:n][,point:action[:n] …]

The n-th time (the first, unless said) that the process passes a point with something in its hands, the action is taken:
``kill`` (SIGKILL to itself), ``stop`` (SIGSTOP), ``sleep`` (for SCHED_FAULT_SECONDS), ``raise`` (a conflict of the
database). None of this is in the shipped package: the wrappers go around its functions from outside, and a point whose
function is gone ends the process at its start.
"""

import functools
import os
import signal
import sys
import time
from collections import Counter

from django.db import OperationalError, transaction

VARIABLE = "SCHED_FAULT"

# In the order of a fire time's journey. A "write" is inside the transaction, after its statements, before its commit.
POINTS = (
    "plan.write",
    "plan.commit",
    "claim.write",
    "claim.commit",
    "start.write",
    "start.commit",  # the function is called next
    "call.end",
    "finish.write",
    "finish.follow",  # committed; who waited for the slot has not been let in yet
    "finish.commit",
)


def _kill():
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(1)


def _stop():
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.2)  # another thread may take the signal, and this one would be past the point before it stands


def _sleep():
    time.sleep(float(os.environ.get("SCHED_FAULT_SECONDS", "3")))


def _raise():
    raise OperationalError("database is locked (a fault of the test)")


ACTIONS = {"kill": _kill, "stop": _stop, "sleep": _sleep, "raise": _raise}


class Faults:
    """What to do at which passage of which point."""

    def __init__(self, text):
        self._planned = dict(self._read(fault) for fault in text.split(",") if fault)
        self._passages = Counter()

    def __bool__(self):
        return bool(self._planned)

    def reach(self, point):
        self._passages[point] += 1
        action = self._planned.get((point, self._passages[point]))
        if action is not None:
            print(f"Fault: {action} at {point}", file=sys.stderr, flush=True)
            ACTIONS[action]()

    @staticmethod
    def _read(fault):
        point, action, *rest = fault.split(":")
        if point not in POINTS or action not in ACTIONS:
            raise ValueError(f"{VARIABLE}: {fault!r} is none of {POINTS} with one of {list(ACTIONS)}")
        return (point, int(rest[0]) if rest else 1), action


def install():
    """Wrap the seams, if the environment asks for a fault."""
    faults = Faults(os.environ.get(VARIABLE, ""))
    if not faults:
        return
    from django_sched_tasks import planning, recording, runner
    from django_sched_tasks.engine.claims import Claims
    from django_sched_tasks.models import postgresql, transitions
    from django_sched_tasks.planning import store

    _after(store, "write", lambda won: won and faults.reach("plan.write"))
    _after(planning, "_write", lambda won: won and faults.reach("plan.commit"))
    _after(transitions, "claim", lambda claims: claims and faults.reach("claim.write"))
    _before(Claims, "_resolve_all", lambda _self, claims, *_: claims and faults.reach("claim.commit"))
    _after(transitions, "start", lambda won: won and faults.reach("start.write"))
    _before(runner, "run", lambda *_: faults.reach("start.commit"))
    _after(runner, "run", lambda _outcome: faults.reach("call.end"))
    _after(transitions, "finish", lambda won: won and faults.reach("finish.write"))
    _inside(postgresql, "record", lambda rows: _reach_what_is_recorded(faults, rows))
    _before(recording, "_follow_up", lambda result, *_: result.ended and faults.reach("finish.follow"))
    _after(recording, "follow_up", lambda result: result.ended and faults.reach("finish.commit"))


def _reach_what_is_recorded(faults, rows):
    """The one statement of a whole group stands for both writes."""
    told = {what for what, *_ in rows}
    if "started" in told:
        faults.reach("start.write")
    if "finished" in told:
        faults.reach("finish.write")


def _inside(owner, name, look):
    """As ``_after``, for a statement that is its own transaction: it gets one in which there is a before the commit."""
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def wrapper(*args, using, **options):
        with transaction.atomic(using=using):
            answer = inner(*args, using=using, **options)
            look(answer)
            return answer

    setattr(owner, name, wrapper)


def _before(owner, name, look):
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def wrapper(*args, **options):
        look(*args)
        return inner(*args, **options)

    setattr(owner, name, wrapper)


def _after(owner, name, look):
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def wrapper(*args, **options):
        answer = inner(*args, **options)
        look(answer)
        return answer

    setattr(owner, name, wrapper)
