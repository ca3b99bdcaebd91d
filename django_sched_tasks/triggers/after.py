"""Kind ``after``: whenever another task's run has ended. It has no fire times of its own ahead."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .arguments import Arguments
from .base import Trigger
from .errors import as_json, refused, shown
from .kind import TriggerKind

OUTCOMES = ("succeeded", "failed", "finished")
LONGEST_JOB_ID = 64


class AfterTrigger(Trigger):
    def __init__(self, job_id: str, outcome: str) -> None:
        super().__init__()
        self.follows = job_id
        self.outcome = outcome

    def _following(self, after: datetime) -> datetime | None:
        return None

    def words(self) -> str:
        texts = {
            "succeeded": _("After %(task)s has succeeded"),
            "failed": _("After %(task)s has failed"),
            "finished": _("After %(task)s has ended"),
        }
        return texts[self.outcome] % {"task": self.follows}


def _build(args: Arguments) -> Trigger:
    job_id, outcome = args.given("job_id"), args.given("outcome")
    if args.context.depth:
        raise refused(_("'after' cannot be part of another trigger: make a task of its own for it."))
    if not isinstance(job_id, str) or not 0 < len(job_id) <= LONGEST_JOB_ID or "\0" in job_id:
        text = _("Give job_id, the job id of the task to follow; for example %(example)s, not %(given)s.")
        raise refused(text % {"example": as_json(KIND.example), "given": shown(job_id)})
    if outcome is not None and outcome not in OUTCOMES:
        text = _("outcome %(given)s is not known. Allowed: %(words)s.")
        raise refused(text % {"given": shown(outcome), "words": ", ".join(OUTCOMES)})
    return AfterTrigger(job_id, OUTCOMES[0] if outcome is None else str(outcome))


KIND = TriggerKind(
    name="after",
    label=gettext_lazy("After another task"),
    arguments=("job_id", "outcome"),
    example={"job_id": "nightly-import", "outcome": "succeeded"},
    build=_build,
)
