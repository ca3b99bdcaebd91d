"""Ending what the main thread runs, by a signal."""

import signal
import threading
import time

import pytest

from django_sched_tasks.alarms import Alarms, are_possible
from django_sched_tasks.exceptions import RunCancelled, RunTimedOut

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers that send signals here")


@pytest.fixture
def alarms():
    before = signal.getsignal(signal.SIGALRM)
    yield Alarms()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def sleep_within(limit, seconds=20.0):
    began = time.monotonic()
    with limit:
        time.sleep(seconds)
    return time.monotonic() - began


def test_a_sleeping_call_is_woken_at_the_limit(alarms):
    began = time.monotonic()
    with pytest.raises(RunTimedOut):
        sleep_within(alarms.limit(0.2))
    assert 0.2 <= time.monotonic() - began < 5


def test_what_swallows_the_exception_gets_another(alarms, monkeypatch):
    monkeypatch.setattr("django_sched_tasks.alarms.AGAIN", 0.1)
    met = 0
    with alarms.limit(0.1):
        while met < 3:
            try:
                time.sleep(20)
            except RunTimedOut:
                met += 1


def test_another_thread_ends_it(alarms):
    threading.Timer(0.2, alarms.interrupt).start()
    with pytest.raises(RunCancelled):
        sleep_within(alarms.limit(10))


def test_it_may_be_ended_later(alarms):
    began = time.monotonic()
    alarms_limit = alarms.limit(None)
    threading.Timer(0.01, alarms.interrupt, [0.3]).start()
    with pytest.raises(RunCancelled):
        sleep_within(alarms_limit)
    assert time.monotonic() - began >= 0.3


def test_a_signal_that_comes_too_late_ends_nothing(alarms):
    assert sleep_within(alarms.limit(5), 0.01) < 5
    alarms.interrupt()
    signal.raise_signal(signal.SIGALRM)
    assert sleep_within(alarms.limit(None), 0.01) < 5  # nor the next run


def test_only_the_main_thread_can_be_woken():
    answers = []
    thread = threading.Thread(target=lambda: answers.append(are_possible()))
    thread.start()
    thread.join()
    assert answers == [False]
    assert are_possible()
