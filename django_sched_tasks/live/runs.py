"""One execution while it runs in this process."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django_sched_tasks import conf
from django_sched_tasks.exceptions import RunCancelled
from django_sched_tasks.live.buffer import HeadAndTail
from django_sched_tasks.payload import clean_text
from django_sched_tasks.redaction import Redactor

_formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


@dataclass(frozen=True, slots=True)
class Told:
    """What a run has told so far; None where it is as it was."""

    output: str | None
    progress: dict[str, Any] | None


class Run:
    """The live side of one execution: the function writes, the monitor reads, and the other way round for a cancel.

    Most runs are short and say nothing, so what is needed to say something is made on its first use.

    Args:
        execution_id: of the row.
        secrets: texts that nothing it leaves behind may show.
    """

    def __init__(self, execution_id: int, secrets: Collection[str] = ()) -> None:
        self.id = execution_id
        self.cancel_noticed = False  # has the function seen that it is to end?
        self._secrets = secrets
        self._lock = threading.RLock()  # a finalizer may print in the middle of anything
        self._output: HeadAndTail | None = None
        self._progress: dict[str, Any] | None = None
        self._told: tuple[int, dict[str, Any] | None] = (0, None)
        self._cancel_requested = False
        self._interrupt: Callable[[], None] | None = None
        self._is_open = True

    # What the function calls, from whatever thread.

    @property
    def cancel_requested(self) -> bool:
        self.cancel_noticed = self.cancel_noticed or self._cancel_requested
        return self._cancel_requested

    def set_progress(self, progress: dict[str, Any]) -> None:
        self._progress = progress

    # What the capture calls.

    @cached_property
    def log_level(self) -> int:
        """The lowest level of log records that go to the output."""
        return conf.output_level()

    def write(self, text: str) -> None:
        if self._is_open:
            self._kept_output().write(self._redactor.hide_values(text))

    def log(self, record: logging.LogRecord) -> None:
        try:
            line = _formatter.format(record)
        except Exception as error:  # its arguments do not fit its message; logging's own handlers say so as well
            line = f"{record.levelname} {record.name}: {record.msg!r} could not be formatted: {error}"
        self.write(line + "\n")

    # What the runner calls.

    def begin(self, interrupt: Callable[[], None] | None) -> None:
        """The function is about to be called; ``interrupt`` makes it end, quickly and from another thread.

        Raises RunCancelled where somebody has asked for the end already.
        """
        with self._lock:
            self._interrupt = interrupt
            if self._cancel_requested:
                raise RunCancelled

    def end(self) -> None:
        """The function has returned: there is nothing to interrupt any more."""
        with self._lock:
            self._interrupt = None

    def close(self) -> Told:
        """The last word; what is written later, by a thread that has been left behind, is not kept."""
        self.end()
        self._is_open = False
        return Told(self._text(), self._shown_progress(self._progress))

    def hide(self, text: str) -> str:
        """A text about the run without its secrets."""
        return self._redactor.hide(text)

    # What the monitor calls.

    @property
    def is_cancel_requested(self) -> bool:
        """As ``cancel_requested``, for those who are not the function."""
        return self._cancel_requested

    def request_cancel(self) -> None:
        with self._lock:
            if not self._cancel_requested:
                self._cancel_requested = True
                if self._interrupt is not None:
                    self._interrupt()

    def news(self) -> Told | None:
        """What has changed since it was asked last; None where nothing has."""
        now = (0 if self._output is None else self._output.length, self._progress)
        (length, progress), self._told = self._told, now
        if now == (length, progress):
            return None
        changed = self._progress if now[1] != progress else None
        return Told(self._text() if now[0] != length else None, self._shown_progress(changed))

    def forget_told(self) -> None:
        """What was told last did not arrive; tell it again."""
        self._told = (-1, None)

    def _text(self) -> str:
        return "" if self._output is None else self._clean(self._output.text())

    def _kept_output(self) -> HeadAndTail:
        if self._output is not None:
            return self._output
        with self._lock:
            if self._output is None:
                self._output = HeadAndTail(conf.output_limit())
            return self._output

    @cached_property
    def _redactor(self) -> Redactor:
        return Redactor(self._secrets)

    def _shown_progress(self, progress: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if progress is None else {**progress, "message": self._clean(progress["message"])}

    def _clean(self, text: str) -> str:
        return clean_text(self.hide(text), sys.maxsize)
