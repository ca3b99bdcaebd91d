"""Each fire time is accounted for, whatever people and machines do to the task.

A task lives through a random story. Beside it goes a ledger that knows nothing of planning: it asks the trigger in
force for its fire times, one by one. In the end both must have the same number, and no row may stand where no fire time
was. ACCOUNTING_EXAMPLES=1000 in the environment tells more stories.
"""

import os
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from django_sched_tasks import operations, triggers
from django_sched_tasks.exceptions import InvalidDefinition, StateConflict
from django_sched_tasks.models import SchedulerTask, TaskExecution
from django_sched_tasks.planning import decision
from django_sched_tasks.testing import ManualScheduler

START = datetime(2026, 3, 28, 22, 0, 7, 250_000, tzinfo=UTC)  # a clock change in Berlin is three hours away

WHENS = st.one_of(
    st.builds(lambda s: ("interval", {"seconds": s}), st.integers(20, 400)),
    st.builds(lambda s, j: ("interval", {"seconds": s, "jitter": j}), st.integers(60, 400), st.integers(1, 60)),
    st.builds(lambda m: ("interval", {"minutes": m, "end_date": "2026-03-29T01:30:00Z"}), st.integers(1, 20)),
    st.builds(lambda m: ("cron", {"minute": m, "timezone": "Europe/Berlin"}), st.sampled_from(["*", "*/5", "10,40"])),
    st.builds(lambda h: ("cron", {"hour": h, "minute": 30, "timezone": "Europe/Berlin"}), st.sampled_from([1, 2, "*"])),
    st.builds(lambda m: ("crontab", {"expression": f"{m} * * * *"}), st.sampled_from(["*/2", "7", "1-9"])),
)
POLICIES = st.fixed_dictionaries(
    {
        "coalesce": st.booleans(),
        "misfire_grace_time": st.sampled_from([None, 1, 60, 1000]),
        "max_catch_up": st.sampled_from([1, 3, 100]),
        "max_instances": st.sampled_from([None, 1, 2]),
        "overlap": st.sampled_from(["skip", "queue", "replace"]),
        "concurrency_key": st.sampled_from(["", "printer"]),
        "on_crash": st.sampled_from(["lose", "retry"]),
        "priority": st.sampled_from([0, 5]),
        "func": st.sampled_from(["tests.zoo.tasks:ok", "tests.zoo.tasks:raises", "tests.zoo.tasks:system_exit"]),
        "max_retries": st.sampled_from([0, 1]),
        "retry_delay": st.sampled_from([0, 90]),
        "pause_on_failure": st.none(),
    }
)
EVENTS = st.lists(
    st.one_of(
        st.builds(lambda seconds: ("wait", seconds), st.floats(0.1, 900)),
        st.just(("tick",)),
        st.just(("tick",)),
        st.builds(lambda when: ("edit", *when), WHENS),
        st.builds(lambda when: ("update", *when), WHENS),
        st.builds(lambda key: ("rekey", key), st.sampled_from(["", "other"])),
        st.just(("pause",)),
        st.just(("resume",)),
        st.just(("run",)),
        st.just(("hold",)),
        st.just(("release",)),
        st.builds(lambda hours: ("outage", hours), st.floats(0.3, 3)),
        st.just(("restart",)),
        st.just(("swap",)),
        st.just(("crash",)),
        st.just(("prune",)),
        st.just(("clock back",)),
    ),
    min_size=6,
    max_size=16,
)


class Ledger:
    """The fire times of the definitions in force while active, by asking the trigger for one after the other."""

    def __init__(self, when, anchor, now):
        self.when = self.seen = when
        self.anchor = anchor
        self.is_active = True
        self.mark = now  # all up to here is in the books
        self.fire_times = []

    def look(self, now):
        """A pass, or an operation on the task: what was due is settled, then the edit takes effect."""
        trigger, trigger_args = self.seen
        trigger = triggers.build(trigger, trigger_args, timezone="UTC", anchor=self.anchor)
        while self.is_active and (following := trigger.next_after(self.mark)) is not None and following <= now:
            self.fire_times.append(following)
            self.mark = following
        if self.when != self.seen:
            self.seen, self.mark = self.when, max(self.mark, now)

    def activate(self, is_active, now):
        self.look(now)
        self.is_active = is_active
        self.mark = max(self.mark, now)


class Story:
    """A task, its nodes and its ledger; one method for each kind of event."""

    def __init__(self, when, policies):
        self.now = self.latest = START
        trigger, trigger_args = when
        task = operations.add_task(name="Story", trigger=trigger, trigger_args=trigger_args, now=self.now, **policies)
        self.pk, self.anchor = task.pk, task.anchor
        self.nodes = [ManualScheduler(now=self.now), ManualScheduler(now=self.now)]
        self.held = []
        self.ledger = Ledger(when, task.anchor, self.now)

    def node(self):
        self.nodes[0].now = self.now
        return self.nodes[0]

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)

    def outage(self, hours):
        self.now += timedelta(hours=hours)
        self.tick()

    def clock_back(self):
        self.latest = max(self.now, self.latest)
        self.now -= timedelta(minutes=25)
        self.tick()

    def tick(self):
        self.node().tick()
        self.ledger.look(self.now)

    def change(self, **changes):
        """An operation; one that changes nothing does nothing, else it looks at the task."""
        before = SchedulerTask.objects.get(pk=self.pk)
        operations.update_task(self.pk, changes, now=self.now)
        return any(getattr(before, name) != value for name, value in changes.items())

    def edit(self, trigger, trigger_args):
        try:
            changed = self.change(trigger=trigger, trigger_args=trigger_args)
        except InvalidDefinition:
            return  # its end is past
        if changed:
            self.ledger.when = (trigger, trigger_args)
            self.ledger.look(self.now)

    def update(self, trigger, trigger_args):
        SchedulerTask.objects.filter(pk=self.pk).update(trigger=trigger, trigger_args=trigger_args)
        self.ledger.when = (trigger, trigger_args)

    def rekey(self, key):
        if self.change(concurrency_key=key):
            self.ledger.look(self.now)

    def pause(self):
        try:
            result = operations.pause_task(self.pk, now=self.now)
        except StateConflict:
            return  # it has finished
        if result.changed:
            self.ledger.activate(False, self.now)

    def resume(self):
        try:
            task = operations.resume_task(self.pk, now=self.now)
        except StateConflict:
            return  # there is nothing left to resume
        if not self.ledger.is_active and task.status == 1:
            self.ledger.activate(True, self.now)

    def run(self):
        operations.run_task(self.pk, now=self.now)

    def hold(self):
        """Start what may start, and let it go on running."""
        node = self.node()
        node.plan()
        self.ledger.look(self.now)
        self.held += node.start(node.claim())
        self.ledger.look(self.now)

    def release(self):
        self.node().finish(self.held)
        self.held = []

    def restart(self):
        self.nodes[0] = ManualScheduler(now=self.now)

    def swap(self):
        self.nodes.reverse()

    def crash(self):
        """The node goes silent with its runs; the other one notices. The runs end after all, or never."""
        self.now += timedelta(seconds=31)
        self.swap()
        self.node().recover()
        self.held = self.held[1:]

    def prune(self):
        operations.prune(0, now=self.now)

    def close(self):
        """Let all that is open come to its end."""
        self.swap()
        self.release()
        self.now = max(self.now, self.latest)  # a clock that went back has caught up
        self.outage(0.1)
        self.pause()
        self.restart()
        self.node().recover()
        for _ in range(40):  # retries come one after another
            self.wait(100)
            self.tick()
            if not TaskExecution.objects.open().filter(task=self.pk).exists():
                break


def books(story):
    """What the database says: the sum of covers, and the rows that are still there."""
    rows = TaskExecution.objects.accounted().filter(task=story.pk)
    covers = sum(rows.values_list("covers", flat=True))
    return covers + SchedulerTask.objects.get(pk=story.pk).purged_covers, rows


@pytest.fixture
def _short_passes(monkeypatch):
    """A pass settles few fire times, so that long outages take several."""
    monkeypatch.setattr(decision, "SETTLE_LIMIT", 40)


@pytest.mark.django_db
@pytest.mark.usefixtures("_short_passes")
@settings(
    max_examples=int(os.environ.get("ACCOUNTING_EXAMPLES", "6")),
    deadline=None,
    database=None,
    phases=[Phase.generate],  # shrinking a story takes minutes
    suppress_health_check=list(HealthCheck),
)
@given(when=WHENS, policies=POLICIES, events=EVENTS)
def test_every_fire_time_is_accounted_for(when, policies, events):
    with transaction.atomic():
        story = Story(when, policies)
        for name, *arguments in events:
            getattr(story, name.replace(" ", "_"))(*arguments)
        story.close()
        covers, rows = books(story)
        fire_times = list(rows.values_list("fire_at", flat=True))
        assert covers == len(story.ledger.fire_times)
        assert set(fire_times) <= set(story.ledger.fire_times)
        assert len(set(fire_times)) == len(fire_times) == len(set(fire_times) & set(story.ledger.fire_times))
        assert not TaskExecution.objects.open().filter(task=story.pk).exists()
        task = SchedulerTask.objects.get(pk=story.pk)
        assert task.anchor == story.anchor
        assert task.fire_count == covers
        transaction.set_rollback(True)
