"""SIGTERM where the server would let it end the process without a word: drain first, then let it.

Most servers end by ``sys.exit()``, and :mod:`atexit` is all that a scheduler needs there. Two kinds do not. waitress,
``runserver --noreload`` and others leave SIGTERM to the system, which ends the process at once. uvicorn catches it,
stops serving, and then raises it again for the system to end the process.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

# Their C code handles signals, unseen by Python, and Python's end is orderly there.
EMBEDDING_SERVERS = ("uwsgi", "mod_wsgi")


class Farewell:
    """What stands before SIGTERM's own end of this process.

    The first signal begins to drain, while the server goes on as it would: uvicorn stops serving, any other serves to
    the last. When the drain is over, the signal ends the process. A second signal does so at once: a stop never takes
    longer than whoever asks for it will wait.

    Args:
        begin_to_drain: must return at once.
    """

    def __init__(self, begin_to_drain: Callable[[], None]) -> None:
        self._begin_to_drain = begin_to_drain
        self._pid = os.getpid()
        self._previous: Callable[[int, FrameType | None], object] | None = None
        self._came = False
        self._over = False
        self._prepared = False
        self._server_is_gone = False
        self._forking = threading.local()

    def prepare(self, server: str) -> None:
        """Stand before the signal, if this is a process that would end without asking us."""
        if server in EMBEDDING_SERVERS or not hasattr(signal, "pthread_sigmask"):  # the latter is Windows
            return
        if threading.current_thread() is not threading.main_thread():
            return
        handler = signal.getsignal(signal.SIGTERM)
        if callable(handler) and _is_of_uvicorn(handler):
            self._previous = handler
        elif handler is not signal.SIG_DFL:
            return
        signal.signal(signal.SIGTERM, self._handle)
        self._prepared = True

    def hold(self, server: str) -> None:
        """The process is ending in good order: SIGTERM, however often, waits for the drain, and that for no signal.

        The main process of hypercorn sends it to workers that are ending already, twice.
        """
        self._server_is_gone = not self._came
        self.prepare(server)

    @property
    def is_awaited(self) -> bool:
        """Whether SIGTERM has come, and waits for the drain to end."""
        return self._came

    def end(self) -> None:
        """The drain is over, or has taken too long: a signal that has come may do its work, and so may a later one."""
        self._over = True
        if self._came:
            os.kill(self._pid, signal.SIGTERM)

    def withdraw(self) -> None:
        """Leave the signal to whom it was before; what we hold back does its work now. In the main thread."""
        if not self._prepared or threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, self._previous or signal.SIG_DFL)
        if self._came:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def before_fork(self) -> None:
        """Python in a new child forgets the signals that came before it was ready, so SIGTERM must wait that long."""
        if self._prepared:
            self._forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def after_fork(self) -> None:
        """In both processes; the child dies of SIGTERM as if we had never been."""
        mask = self._forking.__dict__.pop("mask", None)
        if mask is None:
            return
        if os.getpid() != self._pid and signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, self._previous or signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """Python calls it in the main thread."""
        again, self._came = self._came, True  # before the look at _over: end() does it the other way round
        insists = again and not self._server_is_gone
        if insists or self._over or os.getpid() != self._pid:  # forked past Python, a child has nothing to drain
            self.withdraw()
            self._pass_on(number, frame)
            return
        if self._previous is not None:
            # uvicorn will raise the signal again in this very thread, where it waits until we let go. Sent from outside
            # it still reaches the other threads.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            self._previous(number, frame)
        self._begin_to_drain()

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if self._previous is not None:
            self._previous(number, frame)
            return
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _is_of_uvicorn(handler: Callable[..., object]) -> bool:
    return (getattr(handler, "__module__", None) or "").partition(".")[0] == "uvicorn"
