"""What a run prints, kept up to a limit: its beginning and its end."""

from __future__ import annotations

import threading
from collections import deque


class HeadAndTail:
    """Text of any length in bounded memory; one half of the limit is for the beginning, the other for the end.

    ``limit`` is in characters. Written to by any thread.
    """

    def __init__(self, limit: int) -> None:
        self.length = 0  # characters written so far, kept or not
        self._lock = threading.RLock()  # a finalizer may print in the middle of this
        self._head: list[str] = []
        self._head_room = limit // 2
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._tail_limit = limit - limit // 2

    def write(self, text: str) -> None:
        with self._lock:
            self.length += len(text)
            if self._head_room:
                self._head.append(text[: self._head_room])
                text = text[self._head_room :]
                self._head_room -= len(self._head[-1])
            if text:
                self._write_tail(text)

    def _write_tail(self, text: str) -> None:
        text = text[-self._tail_limit :]
        self._tail.append(text)
        self._tail_size += len(text)
        while self._tail_size - len(self._tail[0]) >= self._tail_limit:
            self._tail_size -= len(self._tail.popleft())

    def text(self) -> str:
        with self._lock:
            head, tail = "".join(self._head), "".join(self._tail)[-self._tail_limit :]
            left_out = self.length - len(head) - len(tail)
        return f"{head}\n[… {left_out} characters left out …]\n{tail}" if left_out else head + tail
