"""Signals for every change of state, sent after the commit.

Receivers are called with ``send_robust``: an exception in one is logged and changes nothing. They run in the thread
that made the change, an engine's thread for most of what happens to executions, so a slow receiver slows that node.

The signals of executions carry ``execution_id``, ``task_id``, ``job_id``, ``kind``, ``status`` and ``reason``; those of
tasks carry ``task`` (the instance), ``user`` (a name, or "") and what the comment beside them says.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

execution_queued = Signal()  # planned, asked for, or a retry
execution_claimed = Signal()  # a node has taken it
execution_handed_back = Signal()  # that node, or the worker that it was sent to, gave it back without having started it
execution_dispatched = Signal()  # it is about to be sent to a worker outside the nodes
execution_started = Signal()  # its function is about to be called; run_at: when it was to be
# It has ended, as `status` says; also one that never ran. duration: seconds, or None.
execution_finished = Signal()

# Somebody asked for it: `action` is "run", "retry", "cancel" or "backfill", `user` a name or ""; with the `task_name`.
# A backfill is told once, with its first execution and their `count`.
execution_requested = Signal()

task_added = Signal()
task_updated = Signal()  # fields: the names that changed
task_paused = Signal()
task_resumed = Signal()
task_finished = Signal()  # its trigger has no further fire time, or max_runs no further run
task_removed = Signal()

# A scheduler in this process has given its sign of life: `node_id`, and `now` by the database's clock. The signs of
# life wait for the receivers, so hand over what takes time to a thread.
node_beat = Signal()
# What holds for the whole scheduler was changed: `action` is "exclusions", "maintenance_started", "maintenance_ended"
# or "environment_confirmed", `state` the row, `user` a name or "".
state_changed = Signal()

# For a scheduler in the same process, without payload: something may be due sooner than it thinks.
schedule_changed = Signal()


def send(signal: Signal, sender: type, **payload: Any) -> None:
    """Send to all receivers, whatever they do."""
    if signal.receivers:
        signal.send_robust(sender, **payload)
