"""The verbs of ``manage.py schedtasks``: each reads its options, calls an operation, and shows what it answers."""

from django_sched_tasks.management.verbs.backfill import Backfill
from django_sched_tasks.management.verbs.base import Verb
from django_sched_tasks.management.verbs.health import Health
from django_sched_tasks.management.verbs.sync import Sync

VERBS: dict[str, Verb] = {"backfill": Backfill(), "health": Health(), "sync": Sync()}
