"""What becomes of old history: how long it is kept, by age and by number.

Every look must be cheap however long the history is, so each question here is one that an index answers: ids grow with
time, which bounds the old rows without an index on their end, and the index that makes executions unique has those of
one task in the order of their fire times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum

from django_sched_tasks import database
from django_sched_tasks.models import NodeState, SchedulerNode, SchedulerTask, TaskExecution
from django_sched_tasks.operations.commit import transact

PRUNE_BATCH = 500  # rows of one transaction, which holds their tasks' rows
_WINDOW = 10_000  # ids that one statement looks through
_LONGEST = 36_500  # days: what every database can count back
_TASKS = 1_000  # tasks that are read at once
# The order of the index that is unique by these fields, after the task.
_ORDER = ("fire_at", "kind", "request", "attempt")

Rows = QuerySet[TaskExecution]


def prune(
    days: float | None = None,
    *,
    count: int | None = None,
    dry_run: bool = False,
    active_since: datetime | None = None,
    now: datetime | None = None,
    until: Callable[[], bool] = lambda: False,
) -> int:
    """Delete executions that ended more than ``days`` ago, and of each task all but the ``count`` that fired last.

    None is no limit. A task's own ``retention_days`` and ``retention_count`` take the place of these; what deleted
    tasks have left goes by ``days`` alone, and so do the rows of nodes that are gone. It goes in small batches, each a
    transaction of its own, and stops between two of them once ``until`` answers true. What is deleted stays counted: a
    task's ``purged_covers`` grows by the fire times that its rows stood for.

    Only tasks that have run or were changed ``active_since`` then are counted; all of them unless it is given.

    Answers how many executions were deleted, or in a dry run would be.
    """
    using = database.alias()
    instant = now or database.now(using)
    expired = _Expired(days, count, active_since, instant, using)
    pruned = 0
    for rows in expired.parts(without_double=dry_run):
        if until():
            return pruned
        pruned += rows.order_by().count() if dry_run else _prune(rows, using, until)
    if days is not None and not dry_run:
        gone = SchedulerNode.objects.using(using).filter(state__in=(NodeState.STOPPED, NodeState.DEAD))
        gone.filter(heartbeat_at__lt=expired.before(days)).delete()
    return pruned


def _prune(rows: Rows, using: str, until: Callable[[], bool]) -> int:
    deleted = 0
    while ids := list(rows.values_list("pk", flat=True)[:PRUNE_BATCH]):
        deleted += transact(lambda ids=ids: _prune_batch(ids, using), using)  # type: ignore[misc]
        if len(ids) < PRUNE_BATCH or until():
            break
    return deleted


def _prune_batch(ids: Collection[int], using: str) -> int:
    rows = TaskExecution.objects.using(using).filter(pk__in=ids)
    tasks = SchedulerTask.objects.using(using).filter(pk__in=rows.order_by().values("task_id"))
    list(tasks.order_by("pk").select_for_update().values_list("pk"))  # no planner adds to a row we have counted
    purged = rows.accounted().filter(task__isnull=False).order_by().values_list("task_id").annotate(Sum("covers"))
    tasks_by_covers: dict[int, list[int]] = {}
    for task_id, covers in purged:
        tasks_by_covers.setdefault(covers, []).append(task_id)
    for covers, task_ids in tasks_by_covers.items():  # mostly a single one: each row stands for one fire time
        SchedulerTask.objects.using(using).filter(pk__in=task_ids).update(purged_covers=F("purged_covers") + covers)
    count, _by_model = rows.delete()
    return count


@dataclass(frozen=True, slots=True)
class _Expired:
    """The executions that are not kept, in parts that are cheap to find and in an order that is cheap to read."""

    days: float | None
    count: int | None
    active_since: datetime | None
    now: datetime
    using: str

    def parts(self, *, without_double: bool) -> Iterator[Rows]:
        """One part after the other; what is in two of them is left out of the later one if that is asked for."""
        yield from self._old_by_site()
        yield from self._old_by_task()
        yield from self._too_many(without_double)

    def _old_by_site(self) -> Iterator[Rows]:
        if self.days is None:
            return
        before = self.before(self.days)
        own = self._tasks().filter(retention_days__isnull=False)
        old = self._rows().filter(finished_at__lt=before).order_by("pk")
        if own.exists():
            old = old.filter(Q(task__isnull=True) | ~Q(task__in=own.values("pk")))
        end = self._first_queued_since(before)
        low = self._first_from(0)
        while low is not None and low < end:
            high = min(low + _WINDOW, end)
            yield old.filter(pk__gte=low, pk__lt=high)
            low = self._first_from(high)

    def _old_by_task(self) -> Iterator[Rows]:
        tasks = self._tasks().filter(retention_days__isnull=False)
        for days in sorted(
            {days or 0 for days in tasks.order_by().values_list("retention_days", flat=True).distinct()}
        ):
            before = self.before(days)
            # What has ended before then has fired before then, and that is how the index knows it.
            old = self._rows().filter(fire_at__lt=before, finished_at__lt=before)
            # Not EXISTS, which MariaDB turns into a scan of the whole history.
            oldest = old.filter(task=OuterRef("pk")).order_by(*_ORDER).values("pk")[:1]
            with_old = tasks.filter(retention_days=days).alias(oldest=Subquery(oldest)).filter(oldest__isnull=False)
            for task_id in list(with_old.order_by("pk").values_list("pk", flat=True)):
                yield old.filter(task=task_id).order_by(*_ORDER)

    def _too_many(self, without_old: bool) -> Iterator[Rows]:
        for task_id, own_count, own_days in self._counted_tasks():
            kept = (self.count or 0) if own_count is None else own_count  # one of the two is given
            ended = self._rows().filter(task=task_id, finished_at__isnull=False)
            newest = ended.order_by(*(f"-{name}" for name in _ORDER))
            first = newest.values(*_ORDER)[kept : kept + 1].first()
            if first is None:
                continue
            rows = ended.filter(_up_to(first)).order_by(*_ORDER)
            days = self.days if own_days is None else own_days
            yield rows.exclude(finished_at__lt=self.before(days)) if without_old and days is not None else rows

    def _counted_tasks(self) -> Iterator[tuple[int, int | None, int | None]]:
        tasks = self._tasks().order_by("pk")
        if self.count is None:
            tasks = tasks.filter(retention_count__isnull=False)
        if self.active_since is not None:
            tasks = tasks.filter(Q(last_run__gte=self.active_since) | Q(updated_at__gte=self.active_since))
        columns = tasks.values_list("pk", "retention_count", "retention_days")
        last = 0
        while chunk := list(columns.filter(pk__gt=last)[:_TASKS]):
            yield from chunk
            last = chunk[-1][0]

    def _first_queued_since(self, moment: datetime) -> int:
        """The first id that was queued at the moment or later, by halves; one past the last where there is none."""
        latest = self._rows().order_by("-pk").values_list("pk", flat=True).first() or 0
        low, high = self._first_from(0) or 0, latest + 1
        while low < high:
            middle = (low + high) // 2
            found = self._rows().filter(pk__gte=middle).order_by("pk").values_list("pk", "queued_at").first()
            if found is None or found[1] >= moment:
                high = middle
            else:
                low = found[0] + 1
        return low

    def _first_from(self, pk: int) -> int | None:
        return self._rows().filter(pk__gte=pk).order_by("pk").values_list("pk", flat=True).first()

    def before(self, days: float) -> datetime:
        return self.now - timedelta(days=min(days, _LONGEST))

    def _rows(self) -> Rows:
        return TaskExecution.objects.using(self.using).all()

    def _tasks(self) -> QuerySet[SchedulerTask]:
        return SchedulerTask.objects.using(self.using).all()


def _up_to(last: dict[str, Any]) -> Q:
    """Whatever stands before this key of the index, or at it."""
    condition = Q(**{f"{_ORDER[-1]}__lte": last[_ORDER[-1]]})
    for name in reversed(_ORDER[:-1]):
        condition = Q(**{f"{name}__lt": last[name]}) | Q(**{name: last[name]}) & condition
    return Q(fire_at__lte=last["fire_at"]) & condition
