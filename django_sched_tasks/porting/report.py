"""What became of the rows of a source, or would become of them."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class Action(enum.StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"  # there is such a task, it differs, and --update was not given
    LEFT_OUT = "left out"  # no task is meant to come of it
    REFUSED = "refused"


TAKEN_OVER = (Action.CREATED, Action.UPDATED, Action.UNCHANGED, Action.KEPT)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source: what was done with it, why not by field, and how an existing task differs from it."""

    origin: str
    job_id: str
    name: str
    action: Action
    reasons: Mapping[str, Sequence[str]] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    remarks: Sequence[str] = ()
    when: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All rows of one import, what is to be said of the source as a whole, and how many were switched off there."""

    rows: Sequence[Row]
    remarks: Sequence[str] = ()
    switched_off: int = 0
    dry_run: bool = False

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(row.action for row in self.rows)
        return {action.value: found[action] for action in Action}

    @property
    def is_whole(self) -> bool:
        """Whether nothing was refused."""
        return all(row.action != Action.REFUSED for row in self.rows)
