"""Many tasks on three nodes, which are killed, stopped and resumed while they work."""

import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field

from tests.chaos.verifier import Books, verify
from tests.support.site import HERE
from tests.support.stopping import stop_between_transactions
from tests.support.waiting import until

EFFECT = "tests.support.chaos.tasks:effect"
BUSY = (HERE / "chaos" / "busy.py").read_text()
STARTING = 30  # seconds that the nodes get to be there, on a busy machine


@dataclass(frozen=True)
class Form:
    """How hard it blows.

    ``lease`` is NODE_TIMEOUT. By the clock: one of two nodes is killed every ``kill_every`` seconds, and the third is
    stopped for ``stop_for`` seconds, again and again. By chance (``pause``): every so many seconds a node that chance
    picks is killed, or stopped for up to ``stop_for`` seconds.
    """

    tasks: int
    seconds: float
    lease: float = 10.0
    kill_every: float = 3.0
    stop_for: float = 13.0
    pause: tuple | None = None
    slack: float = 4.0

    @property
    def settings(self):
        return f"SCHED_TASKS = {{'HEARTBEAT_INTERVAL': 0.5, 'NODE_TIMEOUT': {self.lease}}}\n{BUSY}"


@dataclass
class Storm:
    """One run of a form on a site; :meth:`run` answers the verdict."""

    site: object
    form: Form
    seed: int = 0
    kills: int = 0
    stops: int = 0
    killed: set = field(default_factory=set)  # pids; only these and the stopped may be told as dead
    stopped: set = field(default_factory=set)

    @property
    def limit(self):
        """How many seconds a task may be silent."""
        return self.form.lease + self.form.slack

    def run(self):
        self._chance = random.Random(self.seed)
        self._add_tasks()
        self._nodes = [self.site.runscheduler() for _ in range(3)]
        self._stopped = {}  # number of a node: when it goes on
        self._until_all_run()
        self.since = self.site.now()
        self._blow()
        self.until = self.site.now()
        self._settle()
        return verify(
            Books.read(self.site.database.settings),
            dead_may_be=self.killed | self.stopped,
            stopped=self.stopped,
            silence=self.limit,
            since=self.since,
            until=self.until,
        )

    def _add_tasks(self):
        """Mostly quick ones; some take a while, some are run again after a crash, some share a limit."""
        for number in range(self.form.tasks):
            policies = [{}, {"on_crash": "retry"}, {"max_instances": 2}, {"coalesce": False, "max_catch_up": 5}]
            self.site.add(
                name=f"task {number}",
                func=EFFECT,
                kwargs={"seconds": 0.2} if number % 10 == 0 else {},
                trigger="interval",
                trigger_args={"seconds": 1},
                **policies[number % len(policies)],
            )

    def _until_all_run(self):
        """The storm begins when the weather was fine: each task has run once."""
        until(lambda: self._ran() == self.form.tasks, within=STARTING, what="every task runs")

    def _ran(self):
        with suppress(Exception):
            return len({effect["task"] for effect in Books.read(self.site.database.settings).effects})

    def _blow(self):
        end = time.monotonic() + self.form.seconds
        gust = self._chance_gusts if self.form.pause else self._regular_gusts
        for moment in gust():
            while time.monotonic() < min(moment, end):
                time.sleep(0.05)
                self._resume_due()
            if time.monotonic() >= end:
                break
            self._strike()
        for number in list(self._stopped):
            self._resume(number)

    def _regular_gusts(self):
        """Node 0 or 1 is killed at each; node 2 is stopped, at the first and whenever it has stood for a while."""
        start = time.monotonic()
        self._stop(2)
        rested = start + 2 * self.form.stop_for
        number = 0
        while True:
            number += 1
            moment = start + number * self.form.kill_every
            self._strike = lambda number=number: self._kill(number % 2)
            yield moment
            if time.monotonic() > rested and not self._stopped:
                self._stop(2)
                rested = time.monotonic() + 2 * self.form.stop_for

    def _chance_gusts(self):
        moment = time.monotonic()
        while True:
            moment += self._chance.uniform(*self.form.pause)
            self._strike = self._strike_by_chance
            yield moment

    def _strike_by_chance(self):
        number = self._chance.choice([number for number in range(3) if number not in self._stopped])
        if self._chance.random() < 0.5 or self._stopped:
            self._kill(number)
        else:
            self._stop(number, self._chance.uniform(0.2, self.form.stop_for))

    def _kill(self, number):
        node = self._nodes[number]
        self.killed.add(node.pid)
        node.signal(signal.SIGKILL)
        node.wait()
        self._nodes[number] = self.site.runscheduler(wait=False)
        self.kills += 1

    def _stop(self, number, seconds=None):
        node = self._nodes[number]
        self.stopped.add(node.pid)
        stop_between_transactions(self.site, node)
        self._stopped[number] = time.monotonic() + (seconds or self.form.stop_for)
        self.stops += 1

    def _resume(self, number):
        self._nodes[number].signal(signal.SIGCONT)
        self._stopped.pop(number)

    def _resume_due(self):
        for number, moment in list(self._stopped.items()):
            if time.monotonic() >= moment:
                self._resume(number)

    def _settle(self):
        """All nodes are well, and go; what they could not end is ended by a last one."""
        pids = {node.pid for node in self._nodes}
        until(lambda: pids <= {row["pid"] for row in self.site.live_nodes()}, within=STARTING, what="all are back")
        for node in self._nodes:
            node.signal(signal.SIGTERM)
        self.exits = [node.wait() for node in self._nodes]
        assert set(self.exits) <= {0}, self.exits
        assert self.site.manage("runscheduler", "--once").returncode == 0
