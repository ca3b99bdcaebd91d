"""The hands and eyes of a test inside the site: it sends a function's name and arguments, and gets what that answers.

Started by tests.support.site.Site with SCHED_TASKS_AUTO_START=0; frames are pickles on stdin and stdout.
"""

import os
import pickle
import sys
import traceback
from datetime import timedelta

import django

if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the frames
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "company.settings")
    django.setup()

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction
from django.db.models import Sum
from django.test import Client, RequestFactory
from warehouse.models import Effect

from django_sched_tasks import database, operations
from django_sched_tasks.models import SchedulerNode, SchedulerState, SchedulerTask, TaskExecution


def wipe():
    for model in (TaskExecution, SchedulerTask, SchedulerNode, SchedulerState, Effect):
        model.objects.all().delete()
    get_user_model().objects.all().delete()


def now():
    return database.now()


def add(**fields):
    """One task, through the operation; answers its id."""
    return operations.add_task(**fields).pk


def create(**fields):
    """One task as the ORM writes it, unchecked; answers its id."""
    return SchedulerTask.objects.create(**fields).pk


def run(task_id, **options):
    """A manual run, through the operation; answers the execution's id."""
    return operations.run_task(task_id, **options).pk


def start_maintenance(seconds, note=""):
    operations.start_maintenance(database.now() + timedelta(seconds=seconds), note=note)


def cancel(execution_id):
    operations.cancel_execution(execution_id)


def send_again(execution_id, message_id, queue):
    """The message of an execution once more, as a broker may deliver it."""
    from celery import current_app

    current_app.send_task("django_sched_tasks.run", args=[execution_id, message_id], queue=queue)


def update(task_id, **changes):
    operations.update_task(task_id, changes)


def backfill(task_id, start, end):
    """How many runs were queued."""
    return len(operations.backfill(task_id, start, end, limit=100_000).fire_times)


def pause(task_id):
    operations.pause_task(task_id)


def remove(task_id):
    operations.remove_task(task_id)


def save(task_id, **changes):
    task = SchedulerTask.objects.get(pk=task_id)
    for name, value in changes.items():
        setattr(task, name, value)
    task.save()


def queryset_update(task_id, **changes):
    SchedulerTask.objects.filter(pk=task_id).update(**changes)


def sql(statement, params=()):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def api(method, address, data=None):
    """A staff user's request; answers the status and the JSON."""
    response = getattr(_client(), method)(f"/api/scheduler/{address}", data, content_type="application/json")
    return response.status_code, response.json() if response.content else None


def admin_change(task_id, **changes):
    """Fill in the task's form in the admin as it stands, with changes, and send it; answers the status."""
    task_admin, task = admin.site._registry[SchedulerTask], SchedulerTask.objects.get(pk=task_id)
    request = RequestFactory().get("/")
    client = _client()
    request.user = get_user_model().objects.get(username="boss")
    form = task_admin.get_form(request, task, change=True)(instance=task)
    data = {name: form[name].value() for name in form.fields} | changes
    data = {name: value for name, value in data.items() if value is not None and value is not False}
    return client.post(f"/admin/django_sched_tasks/schedulertask/{task_id}/change/", data).status_code


def _client():
    user, _created = get_user_model().objects.get_or_create(
        username="boss", defaults={"is_staff": True, "is_superuser": True}
    )
    client = Client()
    client.force_login(user)
    return client


def task(task_id):
    return SchedulerTask.objects.filter(pk=task_id).values().get()


def tasks():
    return list(SchedulerTask.objects.order_by("pk").values())


def executions(**filters):
    return list(TaskExecution.objects.filter(**filters).order_by("fire_at", "attempt", "pk").values())


def nodes(**filters):
    return list(SchedulerNode.objects.filter(**filters).order_by("started_at").values())


def effects(**filters):
    return list(Effect.objects.filter(**filters).order_by("fire_at", "pk").values())


def effect_count(**filters):
    return Effect.objects.filter(**filters).count()


def accounts():
    """Of each task, at one instant: how many fire times its rows stand for, and all that it takes to check that."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rows = TaskExecution.objects.filter(kind="schedule", attempt=1)
        covers = dict(rows.order_by().values_list("task_id").annotate(Sum("covers")))
        fields = ("pk", "name", "next_run", "planned_through", "anchor", "fire_count", "purged_covers", "trigger_args")
        return [
            {**row, "covers": covers.get(row["pk"], 0)} for row in SchedulerTask.objects.order_by("pk").values(*fields)
        ]


def serve():
    while True:
        try:
            name, args, kwargs = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = (True, globals()[name](*args, **kwargs))
        except Exception:
            answer = (False, traceback.format_exc())
            connections.close_all()
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve()
