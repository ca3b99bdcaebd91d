"""The rules: what may be done to tasks and executions, and what follows from it.

API, admin, commands and code all come through here. An operation checks, changes the definition, and plans that one
row, in one transaction; what was due under the old definition is settled in the same breath. Users are given as a
user object or a name, and kept as the name. ``now`` is the database's instant unless a caller hands in another.
"""

from django_sched_tasks.operations.backfill import (
    BACKFILL_LIMIT,
    MOST_BACKFILLED,
    BackfillResult,
    Reprocess,
    backfill,
)
from django_sched_tasks.operations.commit import announce_queued
from django_sched_tasks.operations.declared import (
    Drift,
    SyncAction,
    Synced,
    derived_job_id,
    drift,
    reset_to_declared,
    sync_declared,
)
from django_sched_tasks.operations.enqueuing import enqueue, enqueued_attempts
from django_sched_tasks.operations.excluding import exclusions_for, exclusions_of, notes_of, site_exclusions
from django_sched_tasks.operations.executions import cancel_execution, next_attempt, retry_execution, run_task
from django_sched_tasks.operations.executors import ExecutorInfo, executors
from django_sched_tasks.operations.following import Ended, fail_unstarted, queue_followers
from django_sched_tasks.operations.history import prune
from django_sched_tasks.operations.monitoring import Health, health
from django_sched_tasks.operations.queues import unserved_queues
from django_sched_tasks.operations.state import (
    Confirmation,
    Environment,
    confirm_environment,
    end_maintenance,
    environment,
    maintenance_in_words,
    record_environment,
    scheduler_state,
    set_exclusions,
    start_maintenance,
    why_held,
)
from django_sched_tasks.operations.tasks import (
    PauseResult,
    add_task,
    latest_failures,
    pause_after_failures,
    pause_task,
    remove_task,
    resume_task,
    update_task,
)

__all__ = [
    "BACKFILL_LIMIT",
    "MOST_BACKFILLED",
    "BackfillResult",
    "Confirmation",
    "Drift",
    "Ended",
    "Environment",
    "ExecutorInfo",
    "Health",
    "PauseResult",
    "Reprocess",
    "SyncAction",
    "Synced",
    "add_task",
    "announce_queued",
    "backfill",
    "cancel_execution",
    "confirm_environment",
    "derived_job_id",
    "drift",
    "end_maintenance",
    "enqueue",
    "enqueued_attempts",
    "environment",
    "exclusions_for",
    "exclusions_of",
    "executors",
    "fail_unstarted",
    "health",
    "latest_failures",
    "maintenance_in_words",
    "next_attempt",
    "notes_of",
    "pause_after_failures",
    "pause_task",
    "prune",
    "queue_followers",
    "record_environment",
    "remove_task",
    "reset_to_declared",
    "resume_task",
    "retry_execution",
    "run_task",
    "scheduler_state",
    "set_exclusions",
    "site_exclusions",
    "start_maintenance",
    "sync_declared",
    "unserved_queues",
    "update_task",
    "why_held",
]
