"""Everything this package raises on purpose, below one base class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.functional import Promise

_TEXT = (str, Promise)


class SchedTasksError(Exception):
    """Something about a scheduled task is not as it should be."""

    def __init__(self, message: str | Promise | None = None) -> None:
        super().__init__((self.__doc__ or type(self).__name__) if message is None else message)


class InvalidDefinition(SchedTasksError):
    """The definition of a task is not valid.

    ``errors`` maps a field of the task (``func``, ``args``, ``kwargs``, ``trigger``, ``trigger_args``, ``timezone``, …)
    to the sentences that say what was given, what is allowed and what to do.
    """

    def __init__(self, errors: Mapping[str, str | Promise | Sequence[str | Promise]]) -> None:
        self.errors: dict[str, list[str]] = {
            field: [str(texts)] if isinstance(texts, _TEXT) else [str(text) for text in texts]
            for field, texts in errors.items()
        }
        super().__init__("; ".join(f"{field}: {' '.join(texts)}" for field, texts in self.errors.items()))


class InvalidTrigger(InvalidDefinition):
    """The trigger of a task is not valid."""


class InvalidFunction(InvalidDefinition):
    """The function of a task, or the arguments for it, are not valid."""


class FunctionNotFound(SchedTasksError):
    """This process cannot resolve the function: its module or its name is missing here, or it may not be scheduled."""


class StateConflict(SchedTasksError):
    """The state of the task or execution forbids this."""


class SchedulerUnavailable(SchedTasksError):
    """A scheduler cannot run in this process."""


class RolledBack(SchedTasksError):
    """What a transactional run wrote was not committed: its execution had been given up, or it asked for a rollback."""


class WorkerDied(SchedTasksError):
    """The process that ran a function ended before the function returned."""


class RunLost(SchedTasksError):
    """Whether the run has ended is not known: its node or worker died, or gave no sign of life."""


class RunTimedOut(BaseException):
    """The run has taken longer than its timeout.

    Raised inside the running function. It is no ``Exception``, so a function that catches those does not go on by
    accident; clean up in ``finally``.
    """


class RunCancelled(BaseException):
    """Somebody has asked that the run ends.

    Raised inside the running function; a function that looks at ``current_execution().cancel_requested`` may raise it
    itself. Like :class:`RunTimedOut` it is no ``Exception``.
    """
