"""Two racers at a barrier, at each seam that keeps a promise; on the database of the site whose process this is.

    python -m tests.support.chaos.races SEAM [--mutation NAME] [--rounds N]

Ends with 0 where the promise holds and with 1 where it does not; what it saw is printed.
"""

import argparse
import sys
import threading
import time
import tracemalloc
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import django

if __name__ == "__main__":
    django.setup()

from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

from django_sched_tasks import database, operations, planning, registry
from django_sched_tasks.engine import Scheduler
from django_sched_tasks.engine.clock import DatabaseClock
from django_sched_tasks.engine.node import Node
from django_sched_tasks.engine.recorder import Recorder
from django_sched_tasks.executors import ThreadExecutor
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution, transitions
from django_sched_tasks.models.transitions import Outcome
from django_sched_tasks.planning import store
from tests.support.chaos.models import Effect
from tests.support.chaos.mutations import MUTATIONS
from tests.support.waiting import until

EFFECT = "tests.support.chaos.tasks:effect"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Broken(Exception):
    """The promise does not hold; the words say what was seen."""


class Undone(Exception):
    """Takes a transaction back."""


def holds(condition, words):
    if not condition:
        raise Broken(words)


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def task(**changes):
    when = {"trigger": "interval", "trigger_args": {"seconds": 60}}
    return operations.add_task(**{"name": "raced", "func": EFFECT, "max_instances": None, "now": NOW} | when | changes)


def race(*jobs):
    """Run the jobs in one instant, each in a thread with a connection of its own; answers results or exceptions."""
    barrier = threading.Barrier(len(jobs))
    answers = [None] * len(jobs)

    def run(index, job):
        try:
            connection.ensure_connection()
            barrier.wait(30)
            answers[index] = job()
        except Exception as error:
            answers[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def decided(now):
    due = store.read_due(now, using="default", limit=10, ids=None, skip=())
    return planning._decide_all(due, now, using="default")


# The seams. Each is a promise; the mutation of the same place must break it.


def unique_key(rounds):
    """The database takes one row of a fire time, whoever else believes that he may write it."""
    for number in range(rounds):
        task(name=f"raced {number}")
        planned = decided(at(60))

        def insert(planned=planned):
            with transaction.atomic():
                store._write_executions(planned, at(60), {}, using="default")

        answers = race(insert, insert)
        refused = [answer for answer in answers if isinstance(answer, IntegrityError)]
        rows = TaskExecution.objects.count()
        holds(len(refused) == 1 and rows == 1, f"{rows} rows of one fire time; the racers got {answers}")
        wipe()


def planners_version(rounds):
    """Of two planners that have read the same task, at different moments, one moves it on."""
    for number in range(rounds):
        row = task(name=f"raced {number}")
        have_read, has_written = threading.Barrier(2), threading.Event()

        def write(now, waits, have_read=have_read, has_written=has_written):
            planned = decided(now)
            have_read.wait(30)
            if waits:
                has_written.wait(30)
            try:
                return len(planning._write(planned, now, using="default"))
            finally:
                has_written.set()

        answers = race(
            lambda write=write, odd=number % 2: write(at(60), odd),
            lambda write=write, odd=number % 2: write(at(120), not odd),
        )
        planning.plan(at(120), using="default")
        covers = TaskExecution.objects.filter(task=row).aggregate(Sum("covers"))["covers__sum"]
        holds(sorted(answers, key=str) == [0, 1], f"the planners won {answers}")
        holds(covers == 2, f"2 fire times were due, the rows stand for {covers}")
        wipe()


def finishers(rounds):
    """A run's end is written by the node that runs it, once."""
    for _ in range(rounds):
        execution = operations.run_task(task().pk, now=NOW)
        owner, stranger = uuid.uuid4(), uuid.uuid4()
        TaskExecution.objects.filter(pk=execution.pk).update(
            status="running", node_id=owner, started_at=NOW, claim_rank=None
        )

        def finish(node, status, pk=execution.pk):
            outcome = Outcome(execution_id=pk, task_id=None, job_id="", node_id=node, status=status, finished_at=NOW)
            with transaction.atomic():
                return [won.status for won in transitions.record([outcome], [], NOW, using="default").ended]

        answers = race(
            lambda finish=finish, owner=owner: finish(owner, "succeeded"),
            lambda finish=finish, stranger=stranger: finish(stranger, "failed"),
        )
        again = race(lambda finish=finish, owner=owner: finish(owner, "timed_out"))
        execution.refresh_from_db()
        holds(
            answers == [["succeeded"], []] and again == [[]] and execution.status == "succeeded",
            f"the owner's finish won {answers[0]}, a stranger's {answers[1]}, a second one {again[0]}; "
            f"the row says {execution.status}",
        )
        wipe()


def claimers(rounds):
    """No two nodes claim one execution: each has read before the other writes, or commits what it has written."""
    for _ in range(rounds):
        pk = task().pk
        for number in range(6):
            operations.run_task(pk, now=at(number))
        have_read = threading.Barrier(2)

        def wait_after_reading(execute, sql, params, many, context, *, have_read=have_read):
            answer = execute(sql, params, many, context)
            if sql.lstrip().startswith(("SELECT", "WITH")):
                with suppress(threading.BrokenBarrierError):
                    have_read.wait(1)
            return answer

        def take(wait=wait_after_reading):
            with connection.execute_wrapper(wait), transaction.atomic():
                claims = transitions.claim(uuid.uuid4(), at(60), 3, using="default", executor="default")
            return [claim.id for claim in claims]

        one, other = race(take, take)
        holds(not set(one) & set(other), f"both nodes claimed {sorted(set(one) & set(other))}")
        holds(one and other, f"one node was starved: {one}, {other}")
        wipe()


def start_mark(rounds):
    """When a function is called, everybody can read that it runs."""
    executor = ThreadExecutor("default", max_workers=2)
    node = Node(started_by="race", queues=None, executors=["default"], slots=2, using="default")
    node.register(database.now())
    recorder = Recorder(node, {"default": executor}, DatabaseClock(database.now()), on_room=lambda: None)
    pk = task().pk
    for number in range(rounds):
        operations.run_task(pk, now=at(number))
    with transaction.atomic():
        claims = transitions.claim(node.id, at(rounds), rounds, using="default", executor="default")
    executor.start()
    recorder.start()
    for claim in claims:
        recorder.accept(claim, registry.resolve(claim.func))
    until(lambda: Effect.objects.count() == rounds and recorder.is_idle(), within=30)
    recorder.stop(5)
    executor.shutdown()
    seen = sorted(set(Effect.objects.values_list("seen", flat=True)))
    holds(seen == ["running"], f"when they were called, the rows said {seen}")
    wipe()


def database_clock(rounds):
    """A node whose host is an hour ahead plans nothing that is not due."""
    import time_machine

    when = {"trigger": "interval", "trigger_args": {"seconds": 60}}
    operations.add_task(name="raced", func=EFFECT, coalesce=False, max_instances=None, **when)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1), tick=True):
        scheduler = Scheduler(started_by="race")
        scheduler.start()
        time.sleep(2.5)
        scheduler.shutdown()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {database.clock_sql(connection)}")
        now = database.as_instant(cursor.fetchone()[0])
    early = TaskExecution.objects.filter(fire_at__gt=now)
    holds(not early.exists(), f"{early.count()} fire times were planned before their time, up to an hour")
    wipe()


def two_planners(rounds):
    """Two planners in the same instant, again and again: one row for each fire time."""
    row = task(trigger_args={"seconds": 1})
    for number in range(1, rounds + 1):
        now = at(number)
        race(lambda now=now: planning.plan(now, using="default"), lambda now=now: planning.plan(now, using="default"))
        found = list(TaskExecution.objects.filter(task=row, fire_at=now).values_list("covers", flat=True))
        holds(found == [1], f"round {number}: rows that cover {found}")
    total = TaskExecution.objects.aggregate(Sum("covers"))["covers__sum"]
    holds(total == rounds, f"{rounds} fire times, {total} accounted for")
    wipe()


def room(rounds):
    """A manual run and a fire time that ask for the one slot of a task in the same instant do not both get it."""
    for number in range(rounds):
        row = task(name=f"raced {number}", max_instances=1)

        def ask(row=row):
            operations.run_task(row.pk, now=at(60))

        def plan():
            planning.plan(at(60), using="default")

        race(ask, plan)
        planning.plan(at(60), using="default")
        granted = TaskExecution.objects.claimable().count()
        told = sorted(TaskExecution.objects.values_list("kind", "status"))
        holds(granted == 1, f"{granted} executions may be claimed")
        holds([kind for kind, _ in told] == ["manual", "schedule"], f"the rows are {told}")
        wipe()


def purged_rows(rounds):
    """A planner that has slept since before a row was written, run and purged does not write it anew."""
    for number in range(rounds):
        row = task(name=f"raced {number}")
        stale = decided(at(60))
        planning.plan(at(60), using="default")
        TaskExecution.objects.update(status="succeeded", claim_rank=None, started_at=at(60), finished_at=at(60))
        deleted = operations.prune(1)
        answers = race(lambda stale=stale: planning._write(stale, at(60), using="default"))
        row.refresh_from_db()
        holds(deleted == 1 and answers == [[]], f"{deleted} rows were purged, the planner wrote {answers}")
        holds(not TaskExecution.objects.exists(), "the purged row is back")
        holds((row.fire_count, row.purged_covers) == (1, 1), f"{row.fire_count} due, {row.purged_covers} purged")
        wipe()


def month_of_seconds(rounds):
    """An interval of a second after 30 days without a node: one pass, under a second, with no memory to speak of."""
    seconds, day = 30 * 86_400, 86_400
    forms = {
        "one run": ({"misfire_grace_time": None}, [("queued", seconds)]),
        "one missed, one run": ({"misfire_grace_time": day}, [("missed", seconds - day - 1), ("queued", day + 1)]),
        "each by itself": (
            {"coalesce": False, "misfire_grace_time": None, "max_catch_up": 100},
            [("missed", seconds - 100)] + [("queued", 1)] * 100,
        ),
    }
    for name, (policies, expected) in forms.items():
        row = task(trigger_args={"seconds": 1}, **policies)
        tracemalloc.start()
        with suppress(Undone), transaction.atomic():
            planning.plan(at(seconds), using="default")
            raise Undone
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        begin, busy = time.perf_counter(), time.process_time()
        result = planning.plan(at(seconds), using="default")
        took, busy = time.perf_counter() - begin, time.process_time() - busy
        row.refresh_from_db()
        holds(row.fire_count == seconds, f"{row.fire_count} fire times are counted")
        rows = list(TaskExecution.objects.order_by("fire_at").values_list("status", "covers"))
        print(f"{name}: {took:.3f} s, {peak / 2**20:.2f} MiB at most, {len(rows)} rows")
        holds(result.unfinished == [], "one pass was not enough")
        holds(rows == expected, f"the rows are {rows[:3]}, not {expected[:3]}")
        # Of its own time: a busy machine may let it wait.
        holds(busy < 1 and peak < 4 * 2**20, f"it took {busy:.3f} s of the processor and {peak / 2**20:.1f} MiB")
        wipe()


SEAMS = {
    seam.__name__: seam
    for seam in (
        unique_key,
        planners_version,
        finishers,
        claimers,
        start_mark,
        database_clock,
        two_planners,
        room,
        purged_rows,
        month_of_seconds,
    )
}


def wipe():
    for model in (TaskExecution, SchedulerTask, SchedulerNode, Effect):
        model.objects.all().delete()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("seam", choices=SEAMS)
    parser.add_argument("--mutation", choices=MUTATIONS)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if options.mutation:
        MUTATIONS[options.mutation]()
    wipe()
    try:
        SEAMS[options.seam](options.rounds)
    except Broken as error:
        print(error)
        return 1
    print(f"holds in {options.rounds} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
