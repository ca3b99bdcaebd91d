"""Six ways to break the engine, each at the one place that keeps a promise; for a child process only.

The guards inside a function are cut out of its source, and a cut that no longer fits the source is an error: a mutation
that does nothing would prove nothing.
"""

import __future__

import inspect
import textwrap
import time

from django.db import connection
from django.utils import timezone


def unique_key_dropped():
    from django_sched_tasks.models import TaskExecution

    (key,) = (each for each in TaskExecution._meta.constraints if each.name == "sched_execution_once")
    with connection.schema_editor() as editor:
        if connection.vendor == "mysql":  # which wants an index below the foreign key
            editor.execute("CREATE INDEX chaos_task ON sys_scheduler_execution (task_id)")
        # On SQLite the table is made anew from the model, which must have forgotten the key by then.
        TaskExecution._meta.constraints = [each for each in TaskExecution._meta.constraints if each is not key]
        editor.remove_constraint(TaskExecution, key)


def compare_and_set_without_version():
    from django_sched_tasks.planning import store

    row = "by_id[pk].task.row"
    cut(store, "write", f"(version, status) == ({row}.version, {row}.when.status)", f"status == {row}.when.status")


def finish_without_guard():
    from django_sched_tasks.models import transitions

    cut(
        transitions,
        "finish",
        "(own[pk], status) for pk, status in portable.lock_own(own, node_id, using=using)",
        "(outcome, ExecutionStatus.RUNNING) for outcome in own.values()",
    )
    strike(
        "RECORD",
        "run.node_id IS NOT DISTINCT FROM told.node\n        AND run.status IN ('dispatched', 'running', 'lost')",
    )


def claim_without_lock():
    from django_sched_tasks.models import transitions

    cut(transitions, "claim", ".select_for_update(skip_locked=True)", "")
    strike("CLAIM", "FOR UPDATE SKIP LOCKED", times=2, by="")


def start_marked_after_the_call():
    from django_sched_tasks.engine.recorder import Recorder

    commit = Recorder._commit

    def call_first(self, pending):
        for claim, function in pending.starts:
            self._submit(claim, function)
        time.sleep(0.5)
        self._submit = lambda *_: None
        try:
            return commit(self, pending)
        finally:
            del self._submit

    Recorder._commit = call_first


def clock_of_the_host():
    from django_sched_tasks import database
    from django_sched_tasks.engine import jobstore

    peek = jobstore.peek
    jobstore.peek = lambda using, *extra: peek(using, *extra)._replace(now=timezone.now())
    database.now = lambda using=None: timezone.now()


MUTATIONS = {
    mutation.__name__: mutation
    for mutation in (
        unique_key_dropped,
        compare_and_set_without_version,
        finish_without_guard,
        claim_without_lock,
        start_marked_after_the_call,
        clock_of_the_host,
    )
}


def cut(module, name, old, new):
    """Replace a piece of a function's source, and the function with it."""
    source = textwrap.dedent(inspect.getsource(getattr(module, name)))
    assert source.count(old) == 1, f"{old!r} does not stand once in {module.__name__}.{name}: mend this mutation"
    code = compile(source.replace(old, new), module.__file__, "exec", __future__.annotations.compiler_flag)
    made = {}
    exec(code, vars(module), made)
    setattr(module, name, made[name])


def strike(statement, guard, *, times=1, by="TRUE"):
    """Take a guard out of a statement for PostgreSQL."""
    from django_sched_tasks.models import postgresql

    text = getattr(postgresql, statement)
    assert text.count(guard) == times, f"{guard!r} does not stand {times} times in {statement}: mend this mutation"
    setattr(postgresql, statement, text.replace(guard, by))
