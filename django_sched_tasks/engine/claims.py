"""Taking executions for this node, and giving back what it cannot run."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from django_sched_tasks import conf, database, operations, registry, signals
from django_sched_tasks.engine.node import Node
from django_sched_tasks.exceptions import FunctionNotFound
from django_sched_tasks.models import ExecutionStatus, Reason, TaskExecution, transitions
from django_sched_tasks.models.transitions import Claim, Room
from django_sched_tasks.registry import ResolvedFunction

logger = logging.getLogger(__name__)

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0


@dataclass(slots=True)
class _Unresolved:
    """A function that this node could not resolve: left alone for a delay, longer each time."""

    delay: float
    since: datetime

    def is_left_alone(self, now: datetime) -> bool:
        return self.since <= now < self.since + timedelta(seconds=self.delay)  # a clock may have gone back


class Claims:
    """What this node takes from the queue."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._unresolved: dict[str, _Unresolved] = {}

    def take(
        self, executor: str, limit: int, now: datetime, room: Room | None = None
    ) -> list[tuple[Claim, ResolvedFunction]]:
        """Claim up to ``limit`` due executions, and resolve their functions.

        What is taken takes its place in ``room``.
        """
        node, room = self._node, Room() if room is None else room

        def work() -> list[Claim]:
            with transaction.atomic(using=node.using):
                return transitions.claim(
                    node.id,
                    now,
                    limit,
                    using=node.using,
                    executor=executor,
                    queues=node.queues,
                    room=room,
                    without_funcs=self._left_alone(now),
                )

        claims = database.retrying(work, using=node.using)
        for claim in claims:
            room.take(claim.queue, claim.kind)
        if claims and signals.execution_claimed.receivers:
            _announce(signals.execution_claimed, claims, ExecutionStatus.CLAIMED)
        return self._resolve_all(claims, now)

    def give_back(self, ids: Collection[int], now: datetime, *, unresolved: bool = False) -> None:
        """Hand claims back that this node does not start."""
        node = self._node

        def work() -> list[int]:
            with transaction.atomic(using=node.using):
                return transitions.hand_back(ids, node.id, now, using=node.using, unresolved=unresolved)

        if ids:
            database.retrying(work, using=node.using)

    def _left_alone(self, now: datetime) -> list[str]:
        return [func for func, failure in self._unresolved.items() if failure.is_left_alone(now)]

    def _resolve_all(self, claims: Iterable[Claim], now: datetime) -> list[tuple[Claim, ResolvedFunction]]:
        resolved, unknown = [], []
        for claim in claims:
            try:
                resolved.append((claim, registry.resolve(claim.func, enqueued=claim.is_enqueued)))
                self._unresolved.pop(claim.func, None)
            except FunctionNotFound as error:
                unknown.append((claim, str(error)))
        if unknown:
            self._handle_unknown(unknown, now)
        return resolved

    def _handle_unknown(self, unknown: list[tuple[Claim, str]], now: datetime) -> None:
        """Leave it to a node that knows the function (a deploy may be under way); in the end say that none does."""
        patience = timedelta(seconds=conf.node_timeout())
        hopeless = [
            (claim, error)
            for claim, error in unknown
            if claim.handed_back_at and now - claim.handed_back_at >= patience
        ]
        for claim, error in hopeless:
            self._fail(claim, error, now)
        rest = [claim for claim, _ in unknown if claim.id not in {failed.id for failed, _ in hopeless}]
        self.give_back([claim.id for claim in rest], now, unresolved=True)
        if rest and signals.execution_handed_back.receivers:
            _announce(signals.execution_handed_back, rest, ExecutionStatus.QUEUED)
        for func, error in {claim.func: error for claim, error in unknown}.items():
            self._leave_alone(func, error, now)

    def _leave_alone(self, func: str, error: str, now: datetime) -> None:
        earlier = self._unresolved.get(func)
        longest = max(min(LONGEST_DELAY, conf.node_timeout() / 2), FIRST_DELAY)
        delay = FIRST_DELAY if earlier is None else min(earlier.delay * 2, longest)
        self._unresolved[func] = _Unresolved(delay, now)
        if earlier is None:
            logger.warning("Cannot resolve %s here, leaving it to other nodes for now: %s", func, error)

    def _fail(self, claim: Claim, error: str, now: datetime) -> None:
        def work() -> list[int]:
            with transaction.atomic(using=self._node.using):
                return operations.fail_unstarted(
                    {claim.id: claim.job_id}, now, using=self._node.using, reason=Reason.UNRESOLVED, error=error
                )

        if database.retrying(work, using=self._node.using):
            logger.error("Execution %s of %s failed: %s", claim.id, claim.task_name, error)
            _announce(signals.execution_finished, [claim], ExecutionStatus.FAILED, Reason.UNRESOLVED)


def _announce(signal: object, claims: Iterable[Claim], status: ExecutionStatus, reason: str = "") -> None:
    for claim in claims:
        signals.send(
            signal,  # type: ignore[arg-type]
            TaskExecution,
            execution_id=claim.id,
            task_id=claim.task_id,
            job_id=claim.job_id,
            kind=claim.kind,
            status=status.value,
            reason=str(reason),
        )
