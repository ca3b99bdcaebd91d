"""A scheduler in the foreground: how it ends when its process does."""

import atexit
import threading

import pytest

from django_sched_tasks import engine, service


class FakeScheduler:
    """One whose start takes as long as the test wants."""

    def __init__(self, **kwargs):
        self.calls = []
        self.began, self.goes_on = threading.Event(), threading.Event()
        FakeScheduler.made = self

    def start(self, *, passes):
        self.began.set()
        assert self.goes_on.wait(10)
        self.calls.append("started")

    def shutdown(self, grace, force=None):
        self.calls.append("shut down")
        return True


@pytest.fixture
def at_exit(monkeypatch):
    """Calls what was registered for the end of the process."""
    registered = []
    monkeypatch.setattr(atexit, "register", lambda act, *args: registered.append((act, args)))

    def end():
        for act, args in reversed(registered):
            act(*args)

    return end


def test_a_process_that_ends_during_the_start_waits_until_the_node_has_stopped(monkeypatch, at_exit):
    """Under a reloader the scheduler runs in another thread than the one that ends the process."""
    monkeypatch.setattr(engine, "Scheduler", FakeScheduler)
    thread = threading.Thread(target=service.run_scheduler, daemon=True)
    thread.start()
    while not (made := getattr(FakeScheduler, "made", None)) or not made.began.wait(0.1):
        pass
    threading.Timer(0.2, made.goes_on.set).start()

    at_exit()

    assert made.calls == ["started", "shut down"]
    thread.join(5)
