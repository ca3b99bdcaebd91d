"""The verbs of ``manage.py schedtasks``: each reads its options, calls an operation, and shows what it answers."""

from django_sched_tasks.management.verbs.backfill import Backfill
from django_sched_tasks.management.verbs.base import Verb
from django_sched_tasks.management.verbs.define import Add, Edit
from django_sched_tasks.management.verbs.health import Health
from django_sched_tasks.management.verbs.look import Executions, List, Preview, Show
from django_sched_tasks.management.verbs.port import Export, Import
from django_sched_tasks.management.verbs.prune import Prune
from django_sched_tasks.management.verbs.state import Environment, Exclusions, Maintenance
from django_sched_tasks.management.verbs.steer import Cancel, Pause, Resume, Retry, Run
from django_sched_tasks.management.verbs.sync import Sync

VERBS: dict[str, Verb] = {
    "list": List(),
    "show": Show(),
    "executions": Executions(),
    "preview": Preview(),
    "add": Add(),
    "edit": Edit(),
    "pause": Pause(),
    "resume": Resume(),
    "run": Run(),
    "cancel": Cancel(),
    "retry": Retry(),
    "backfill": Backfill(),
    "sync": Sync(),
    "import": Import(),
    "export": Export(),
    "prune": Prune(),
    "maintenance": Maintenance(),
    "exclusions": Exclusions(),
    "environment": Environment(),
    "health": Health(),
}
