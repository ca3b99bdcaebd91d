"""Fill the demo: an administrator and a handful of tasks. Running it again adds only what is missing."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from django_sched_tasks import operations
from django_sched_tasks.models import SchedulerTask

TASKS: list[dict[str, Any]] = [
    {
        "job_id": "demo-sync",
        "name": "每日数据同步",
        "description": "Reads the projects file into the database, every night at two in Shanghai.",
        "func": "scheduler.module.sync_tasks:sync_project_data",
        "trigger": "cron",
        "trigger_args": {"hour": "2", "minute": "0"},
        "timezone": "Asia/Shanghai",
    },
    {
        "job_id": "demo-report",
        "name": "Daily report",
        "description": "Keeps today's report fresh; it can be opened under /reports/.",
        "func": "scheduler.module.sync_tasks:daily_report",
        "trigger": "cron",
        "trigger_args": {"minute": "*"},
    },
    {
        "job_id": "demo-heartbeat",
        "name": "Heartbeat",
        "func": "scheduler.tasks:heartbeat",
        "trigger": "interval",
        "trigger_args": {"seconds": 10},
    },
    {
        "job_id": "demo-broken",
        "name": "Import partner prices",
        "description": "Fails, to show what a failure looks like.",
        "func": "scheduler.tasks:broken_import",
        "trigger": "interval",
        "trigger_args": {"minutes": 5},
    },
    {
        "job_id": "demo-tidy",
        "name": "Tidy old reports",
        "func": "scheduler.tasks:tidy_reports",
        "trigger": "crontab",
        "trigger_args": {"expression": "30 3 * * mon"},
        "kwargs": {"keep_days": 90},
    },
    {
        "job_id": "demo-export",
        "name": "Export all projects",
        "func": "scheduler.tasks:slow_export",
        "trigger": "interval",
        "trigger_args": {"hours": 1},
        "kwargs": {"seconds": 20},
    },
]
PAUSED = {"demo-export": "Nobody reads the export at the moment."}
RUN_AT_ONCE = {"demo-sync"}


class Command(BaseCommand):
    help = "Create the demo's administrator (admin / admin) and its example tasks, where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo's password is known to everybody, so this runs only where DEBUG is on.")
        self._add_administrator()
        for fields in TASKS:
            self._add_task(fields)

    def _add_administrator(self) -> None:
        users = get_user_model()._default_manager
        if not users.filter(username="admin").exists():
            users.create_superuser("admin", "admin@example.com", "admin")
            self.stdout.write("Added the administrator admin, password admin.")

    def _add_task(self, fields: dict[str, Any]) -> None:
        if SchedulerTask.objects.filter(job_id=fields["job_id"]).exists():
            return
        task = operations.add_task(source="import", **fields)
        if note := PAUSED.get(task.job_id):
            operations.pause_task(task.pk, note=note)
        if task.job_id in RUN_AT_ONCE:
            operations.run_task(task.pk)
        self.stdout.write(f"Added the task {task.name}.")
