"""SIGTERM: drained first, then passed on. What it does to a whole server, tests/e2e/test_servers_stop.py tells."""

import os
import signal
import threading

import pytest

from django_sched_tasks.autostart.farewell import Farewell


class OfUvicorn:
    def __init__(self):
        self.came = []

    def handle_exit(self, number, frame):
        self.came.append(number)


OfUvicorn.handle_exit.__module__ = "uvicorn.server"


@pytest.fixture
def server():
    """A server whose handler of SIGTERM is there; in the end all is as it was."""
    before = signal.getsignal(signal.SIGTERM)
    server = OfUvicorn()
    signal.signal(signal.SIGTERM, server.handle_exit)
    yield server
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def drains():
    return []


@pytest.fixture
def farewell(server, drains):
    farewell = Farewell(lambda: drains.append("begun"))
    farewell.prepare("uvicorn")
    return farewell


def is_held():
    return signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_the_first_signal_begins_the_drain_and_reaches_the_server_at_once(farewell, server, drains):
    signal.raise_signal(signal.SIGTERM)
    assert drains == ["begun"]
    assert server.came == [signal.SIGTERM]
    assert farewell.is_awaited


def test_what_the_server_raises_then_waits_for_the_drain(farewell, server):
    signal.raise_signal(signal.SIGTERM)
    assert is_held()
    signal.raise_signal(signal.SIGTERM)
    assert len(server.came) == 1
    farewell.withdraw()
    assert len(server.came) == 2
    assert signal.getsignal(signal.SIGTERM) == server.handle_exit


def test_after_the_drain_it_is_not_held_any_more(farewell):
    farewell.end()
    signal.raise_signal(signal.SIGTERM)
    assert not is_held()


@pytest.mark.parametrize("started_by", ["uwsgi", "mod_wsgi"])
def test_servers_with_handlers_that_python_does_not_see_are_left_alone(server, drains, started_by):
    Farewell(lambda: drains.append("begun")).prepare(started_by)
    assert signal.getsignal(signal.SIGTERM) == server.handle_exit


def test_a_handler_of_any_other_server_is_left_alone(server, drains):
    def own(number, frame):
        """Such as gunicorn's, which ends by sys.exit()."""

    signal.signal(signal.SIGTERM, own)
    Farewell(lambda: drains.append("begun")).prepare("gunicorn")
    assert signal.getsignal(signal.SIGTERM) is own


def test_outside_the_main_thread_nothing_is_touched(server, drains):
    farewell = Farewell(lambda: drains.append("begun"))
    thread = threading.Thread(target=farewell.prepare, args=("uvicorn",))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == server.handle_exit


def test_a_fork_has_the_signal_wait_and_leaves_the_mask_as_it_was(farewell):
    assert not is_held()
    farewell.before_fork()
    assert is_held()
    farewell.after_fork()
    assert not is_held()
    assert signal.getsignal(signal.SIGTERM) == farewell._handle
    assert os.getpid() == farewell._pid
