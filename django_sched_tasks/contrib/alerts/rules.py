"""Which number and which channels hold for a condition and a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django_sched_tasks.contrib.alerts.models import THRESHOLDS, AlertChannel, AlertRule, Condition


@dataclass(frozen=True, slots=True)
class Applied:
    """What holds where no rule says otherwise is in the defaults."""

    threshold: int
    channels: Sequence[AlertChannel]
    is_enabled: bool = True


class Rules:
    """All rules as they stand at one moment: three statements, however many tasks there are.

    A task's own rule holds for it, else the one for all tasks, else the condition's defaults.
    """

    def __init__(self, using: str) -> None:
        enabled = AlertChannel.objects.using(using).filter(is_enabled=True)
        self._defaults = [channel for channel in enabled if channel.is_default]
        self._by_key: dict[tuple[str, int | None], Applied] = {}
        for rule in AlertRule.objects.using(using).prefetch_related("channels").order_by("-pk"):
            own = [channel for channel in rule.channels.all() if channel.is_enabled]
            has_own = bool(rule.channels.all())
            default = THRESHOLDS.get(rule.condition, 1)
            self._by_key[rule.condition, rule.task_id] = Applied(
                threshold=default if rule.threshold is None else rule.threshold,
                channels=own if has_own else self._defaults,
                is_enabled=rule.is_enabled,
            )

    def of(self, condition: str, task_id: int | None = None) -> Applied:
        own = self._by_key.get((condition, task_id))
        return own or self._by_key.get((condition, None)) or Applied(THRESHOLDS.get(condition, 1), self._defaults)

    def least(self, condition: Condition) -> int | None:
        """The least number that any task has for it; None where it is told for none."""
        applied = [rule for (name, _task_id), rule in self._by_key.items() if name == condition]
        if (condition, None) not in self._by_key:
            applied.append(self.of(condition))
        return min((rule.threshold for rule in applied if rule.is_enabled), default=None)
