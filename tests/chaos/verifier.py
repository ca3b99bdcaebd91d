"""An accountant who has never met the engine: four tables by plain SQL, and arithmetic of his own.

It imports neither Django nor the package. For interval tasks whose *when* was never edited it works out which fire
times were due, and lays the executions over them: they must tile the time from the first to the last without a gap and
without an overlap. The effects, which the task functions leave themselves, must each belong to one started execution.
"""

import contextlib
import itertools
import json
import sqlite3
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

EXECUTIONS = (
    "id, task_id, kind, fire_at, request, attempt, status, reason, covers, node_id, queued_at, started_at, finished_at"
)
TASKS = "id, name, trigger_args, anchor, next_run, planned_through, fire_count, purged_covers, on_crash"
NODES = "id, pid, state"
EFFECTS = "execution, task, kind, fire_at, attempt, node, seen, pid, at"
INSTANTS = {"fire_at", "queued_at", "started_at", "finished_at", "anchor", "next_run", "planned_through", "at"}
UUIDS = {"node_id", "node"}
CALLED = {"succeeded", "failed", "timed_out", "cancelled", "lost", "running"}


def connect(settings):
    """A connection of the driver's own, from what DATABASES says."""
    if settings["ENGINE"].endswith("sqlite3"):
        return contextlib.closing(sqlite3.connect(settings["NAME"], timeout=30))
    server = {"host": settings["HOST"] or "127.0.0.1", "user": settings["USER"]}
    if settings["ENGINE"].endswith("postgresql"):
        import psycopg

        port = int(settings["PORT"] or 5432)
        return contextlib.closing(
            psycopg.connect(dbname=settings["NAME"], password=settings["PASSWORD"] or None, port=port, **server)
        )
    import MySQLdb

    port = int(settings["PORT"] or 3306)
    return contextlib.closing(
        MySQLdb.connect(db=settings["NAME"], password=settings["PASSWORD"], port=port, charset="utf8mb4", **server)
    )


@dataclass
class Books:
    """What the tables say."""

    tasks: list
    executions: list
    nodes: list
    effects: list

    @classmethod
    def read(cls, settings):
        with connect(settings) as connection:
            tables = {
                "tasks": (TASKS, "sys_scheduler_task"),
                "executions": (EXECUTIONS, "sys_scheduler_execution"),
                "nodes": (NODES, "sys_scheduler_node"),
                "effects": (EFFECTS, "chaos_effect"),
            }
            return cls(**{name: _rows(connection, *table) for name, table in tables.items()})


def _rows(connection, columns, table):
    names = [name.strip() for name in columns.split(",")]
    cursor = connection.cursor()
    cursor.execute(f"SELECT {columns} FROM {table} ORDER BY id")
    return [{name: _value(name, value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]


def _value(name, value):
    if value is None:
        return None
    if name in INSTANTS:
        value = datetime.fromisoformat(value) if isinstance(value, str) else value
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if name in UUIDS:
        return str(value).replace("-", "")
    if name == "trigger_args" and isinstance(value, str):
        return json.loads(value)
    return value


@dataclass
class Verdict:
    """What the books add up to, and every rule that they break."""

    tasks: int = 0
    due: int = 0
    ran: int = 0
    covered: int = 0
    statuses: dict = field(default_factory=dict)
    effects: int = 0
    longest_silence: float = 0.0
    nodes: dict = field(default_factory=dict)
    violations: list = field(default_factory=list)
    silences: list = field(default_factory=list)  # no promise, but how long a task had to wait

    @property
    def share(self):
        """Of the fire times due, the part that ran by itself; the rest was folded, skipped, missed or lost."""
        return self.ran / self.due if self.due else 1.0

    def check(self, holds, words):
        if not holds:
            self.violations.append(words)

    def as_json(self):
        shown = self.violations[:20]
        more = {"broken": len(self.violations), "silences": len(self.silences)}
        return asdict(self) | {"share": round(self.share, 4), "violations": shown} | more


def verify(books, *, dead_may_be=(), stopped=(), silence=None, since=None, until=None, settled=True):
    """Check every promise that the tables can show.

    Args:
        books: what :meth:`Books.read` answered.
        dead_may_be: the pids of processes that were killed or stopped; no other may have been declared dead.
        stopped: those of them that were stopped and resumed: what a function had begun there it ends late, when its row
            may have been told as lost.
        silence: how many seconds a task may go without a run between ``since`` and ``until``; None: any number.
        settled: whether everything has ended, so that nothing may be open.
    """
    verdict = Verdict(tasks=len(books.tasks))
    verdict.statuses = dict(Counter(row["status"] for row in books.executions))
    verdict.nodes = dict(Counter(node["state"] for node in books.nodes))
    verdict.effects = len(books.effects)
    _check_once(books, verdict)
    _check_effects(books, verdict, stopped)
    _check_accounts(books, verdict)
    _check_nodes(books, verdict, dead_may_be)
    if settled:
        for row in books.executions:
            verdict.check(row["finished_at"], f"execution {row['id']} is left {row['status']}")
    if silence is not None:
        _check_silence(books, verdict, silence, since, until)
    return verdict


def _key(row):
    return row["task_id"], row["kind"], row["fire_at"], row["request"], row["attempt"]


def _check_once(books, verdict):
    keys = Counter(_key(row) for row in books.executions if row["task_id"] is not None)
    for key, times in keys.items():
        verdict.check(times == 1, f"{times} executions of {key}")


def _check_effects(books, verdict, stopped):
    executions = {row["id"]: row for row in books.executions}
    calls = Counter(effect["execution"] for effect in books.effects)
    for execution, times in calls.items():
        verdict.check(times == 1, f"execution {execution} was called {times} times")
    for effect in books.effects:
        row = executions.get(effect["execution"])
        if row is None:
            verdict.check(False, f"an effect of execution {effect['execution']}, which is not there")
            continue
        verdict.check(row["started_at"], f"execution {row['id']} was called and never marked as started")
        verdict.check(row["status"] in CALLED, f"execution {row['id']} was called and is {row['status']}")
        seen = {"running", "lost"} if effect["pid"] in stopped else {"running"}
        verdict.check(effect["seen"] in seen, f"execution {row['id']} was {effect['seen']} when it was called")
        verdict.check(effect["node"] == row["node_id"], f"execution {row['id']} was called for another node")
    for row in books.executions:
        if row["status"] == "succeeded":
            verdict.check(calls[row["id"]] == 1, f"execution {row['id']} succeeded and was called {calls[row['id']]}x")
    on_crash = {task["id"]: task["on_crash"] for task in books.tasks}
    starts = Counter((effect["task"], effect["kind"], effect["fire_at"]) for effect in books.effects)
    for (task, kind, fire_at), times in starts.items():
        if kind == "schedule" and on_crash.get(task) == "lose":
            verdict.check(times == 1, f"task {task} was started {times} times for {fire_at}")


def _check_accounts(books, verdict):
    by_task = defaultdict(list)
    for row in books.executions:
        if row["kind"] == "schedule" and row["attempt"] == 1:
            by_task[row["task_id"]].append(row)
    ran = {(effect["task"], effect["fire_at"]) for effect in books.effects if effect["kind"] == "schedule"}
    verdict.ran = len(ran)
    for task in books.tasks:
        rows = by_task[task["id"]]
        covers = sum(row["covers"] for row in rows)
        verdict.covered += covers + task["purged_covers"]
        verdict.check(
            covers + task["purged_covers"] == task["fire_count"],
            f"task {task['id']}: rows stand for {covers}, purged {task['purged_covers']}, due {task['fire_count']}",
        )
        period = _period(task)
        if period is None:
            verdict.due += task["fire_count"]
        else:
            _check_interval(task, period, rows, verdict)


def _period(task):
    args = task["trigger_args"]
    return timedelta(seconds=args["seconds"]) if set(args) == {"seconds"} and task["anchor"] else None


def _check_interval(task, period, rows, verdict):
    """The rows tile the fire times from the anchor on, as the trigger's definition has them."""
    through = task["planned_through"] or task["anchor"]
    due = (through - task["anchor"]) // period
    verdict.due += due
    covered = sum(row["covers"] for row in rows) + task["purged_covers"]
    verdict.check(covered == due, f"task {task['id']}: {due} fire times were due, {covered} are accounted for")
    if task["next_run"]:
        verdict.check(
            task["next_run"] == task["anchor"] + (due + 1) * period, f"task {task['id']}: next run {task['next_run']}"
        )
    if task["purged_covers"]:
        return
    expected = 1
    for first, last in sorted(_beats(row, task["anchor"], period) for row in rows):
        verdict.check(first == expected, f"task {task['id']}: fire time {expected} expected, {first} to {last} found")
        expected = last + 1
    verdict.check(expected == due + 1, f"task {task['id']}: accounted up to {expected - 1} of {due}")


def _beats(row, anchor, period):
    """The first and last fire time that a row stands for, as numbers from the anchor.

    What never was to run is dated to its first fire time, a run to its last.
    """
    beat, rest = divmod(row["fire_at"] - anchor, period)
    if rest:
        return -1, -1  # off the beat, which no neighbour will fit
    if row["status"] in ("skipped", "missed") and row["finished_at"] == row["queued_at"]:
        return beat, beat + row["covers"] - 1
    return beat - row["covers"] + 1, beat


def _check_nodes(books, verdict, dead_may_be):
    for node in books.nodes:
        if node["state"] == "dead":
            verdict.check(
                node["pid"] in dead_may_be, f"node {node['id']} (pid {node['pid']}) was not killed but is dead"
            )


def _check_silence(books, verdict, allowed, since, until):
    heard = defaultdict(list)
    for effect in books.effects:
        heard[effect["task"]].append(effect["at"])
    for task in books.tasks:
        moments = [since, *sorted(at for at in heard[task["id"]] if since <= at <= until), until]
        longest = max((later - earlier).total_seconds() for earlier, later in itertools.pairwise(moments))
        verdict.longest_silence = max(verdict.longest_silence, round(longest, 3))
        if longest > allowed:
            verdict.silences.append(f"task {task['id']} was silent for {longest:.1f} s, more than {allowed} s")
