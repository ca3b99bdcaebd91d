"""Kind ``or``: whenever one of several triggers fires; where they coincide, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from django_sched_tasks.exceptions import InvalidTrigger

from .arguments import Arguments
from .base import Trigger
from .errors import as_json, refused, shown, unknown_name
from .kind import TriggerKind

MAX_DEPTH = 3
MAX_TRIGGERS = 20

_KEYS = ("trigger", "trigger_args")


class OrTrigger(Trigger):
    def __init__(self, triggers: Sequence[Trigger], *, jitter: int = 0) -> None:
        super().__init__(jitter=jitter)
        self.triggers = tuple(triggers)
        # What each answered last, as (asked, answer): one that fires rarely is not asked again at every step.
        self._answers: list[tuple[datetime, datetime | None] | None] = [None] * len(self.triggers)

    def _following(self, after: datetime) -> datetime | None:
        found = [self._answer(index, after) for index in range(len(self.triggers))]
        return min((moment for moment in found if moment is not None), default=None)

    def _answer(self, index: int, after: datetime) -> datetime | None:
        known = self._answers[index]
        # None stays None: what does not fire within 100 years is not asked again.
        if known is not None and known[0] <= after and (known[1] is None or after < known[1]):
            return known[1]
        answer = self.triggers[index].next_after(after)
        self._answers[index] = (after, answer)
        return answer

    def clock_note(self, fire_at: datetime) -> str:
        """That of the trigger that fires then."""
        just_before = fire_at - timedelta(seconds=1)
        firing = (trigger for trigger in self.triggers if trigger.next_after(just_before) == fire_at)
        return next((note for trigger in firing if (note := trigger.clock_note(fire_at))), "")

    def words(self) -> str:
        texts = pgettext("between sentences", "; ").join(trigger.words() for trigger in self.triggers)
        return _("Any of: %(triggers)s") % {"triggers": texts}


def _build(args: Arguments) -> Trigger:
    given = args.given("triggers")
    if not isinstance(given, list | tuple) or not given:
        text = _("triggers must be a list such as %(example)s, not %(given)s.")
        raise refused(text % {"example": as_json(KIND.example["triggers"]), "given": shown(given)})
    if args.context.depth >= MAX_DEPTH:
        raise refused(_("'or' may be nested at most %(depth)s deep.") % {"depth": MAX_DEPTH})
    if args.context.depth == 0 and _count(given, MAX_DEPTH) > MAX_TRIGGERS:
        raise refused(_("'or' takes at most %(count)s triggers, nested ones counted.") % {"count": MAX_TRIGGERS})
    jitter = args.jitter()
    return OrTrigger([_nested(args, index, item) for index, item in enumerate(given)], jitter=jitter)


def _nested(args: Arguments, index: int, item: object) -> Trigger:
    try:
        if not isinstance(item, Mapping):
            raise refused(
                _("must be an object such as %(example)s.") % {"example": as_json(KIND.example["triggers"][0])}
            )
        for name in item:
            if name not in _KEYS:
                text = _("%(name)s is not a key of a trigger in 'or'.") % {"name": shown(name)}
                raise unknown_name(name, _KEYS, text=text, field="trigger_args")
        inner = item.get("trigger_args")
        if isinstance(inner, Mapping) and inner.get("jitter"):
            raise refused(_("jitter belongs to the 'or' as a whole: put it beside triggers."))
        context = replace(args.context, depth=args.context.depth + 1)
        return args.context.nested(item.get("trigger"), inner, context)
    except InvalidTrigger as error:
        texts = [f"triggers[{index}]: {text}" for texts in error.errors.values() for text in texts]
        raise InvalidTrigger({"trigger_args": texts}) from None


def _count(items: Sequence[object], depth: int) -> int:
    """How many triggers this list holds, nested ones included, down to a depth that is refused anyway."""
    total = len(items)
    for item in items if depth else ():
        inner = item.get("trigger_args") if isinstance(item, Mapping) else None
        nested = inner.get("triggers") if isinstance(inner, Mapping) else None
        if isinstance(nested, list | tuple):
            total += _count(nested, depth - 1)
    return total


KIND = TriggerKind(
    name="or",
    label=gettext_lazy("Any of several triggers"),
    arguments=("triggers", "jitter"),
    example={
        "triggers": [
            {"trigger": "cron", "trigger_args": {"hour": 2}},
            {"trigger": "interval", "trigger_args": {"hours": 8}},
        ]
    },
    build=_build,
)
