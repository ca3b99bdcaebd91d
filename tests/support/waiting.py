"""Waiting for what other processes do, no longer than it takes."""

import time


def until(condition, *, within, what=None, pause=0.05):
    """Ask ``condition`` again and again until it answers something true, and return that."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {within} s: {what or condition}; the last answer was {answer!r}")
        time.sleep(pause)
