"""People with different rights, and tasks and executions for them to look at."""

import html
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_sched_tasks import operations
from django_sched_tasks.models import TaskExecution


@pytest.fixture
def history(django_capture_on_commit_callbacks):
    """Do something and let it commit; answers what the admin's history tells of it: (who, about what, message)."""

    def told(act, *args, **options):
        LogEntry.objects.all().delete()
        with django_capture_on_commit_callbacks(execute=True):
            act(*args, **options)
        entries = LogEntry.objects.order_by("pk").select_related("user", "content_type")
        return [
            (entry.user.username, f"{entry.content_type.model} {entry.object_id}", str(entry).partition(" — ")[2])
            for entry in entries
        ]

    return told


@pytest.fixture
def root(staff):
    return login(staff)


@pytest.fixture
def may(django_user_model):
    """A client of a staff user who holds just the permissions given."""

    def make(*codenames):
        user = django_user_model.objects.create_user(username="-".join(codenames)[:100] or "nobody", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return login(user)

    return make


@pytest.fixture
def viewer(may):
    return may("view_schedulertask", "view_taskexecution", "view_schedulernode")


def login(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def make_task(db):
    def make(name="Nightly sync", **fields):
        given = {"func": "tests.zoo.tasks:ok", "trigger": "cron", "trigger_args": {"hour": "2"}, **fields}
        return operations.add_task(name=name, **given)

    return make


@pytest.fixture
def task(make_task):
    return make_task()


@pytest.fixture
def make_execution(db):
    def make(task, **fields):
        now = timezone.now()
        given = {
            "task": task,
            "task_name": task.name,
            "job_id": task.job_id,
            "func": task.func,
            "kind": "schedule",
            "fire_at": now,
            "run_at": now,
            "queued_at": now,
            "status": "succeeded",
            "started_at": now,
            "finished_at": now,
            "duration": 0.25,
            **fields,
        }
        return TaskExecution.objects.create(**given)

    return make


@pytest.fixture
def form_data(root):
    """What a browser would send for a page's form, left as it is but for the changes given."""

    def collect(url, **changes):
        form = root.get(url).context["adminform"].form
        data = {}
        for name, field in form.fields.items():
            value = field.prepare_value(form.get_initial_for_field(field, name))
            if value is not None and value is not False:
                data[name] = "on" if value is True else value
        return data | changes

    return collect


ADD = "admin:django_sched_tasks_schedulertask_add"
TASKS = "admin:django_sched_tasks_schedulertask_changelist"
EXECUTIONS = "admin:django_sched_tasks_taskexecution_changelist"
NODES = "admin:django_sched_tasks_schedulernode_changelist"


@pytest.fixture
def page():
    """The address of an object's page, or of one of the things to do there."""

    def address(obj, name="change"):
        return reverse(f"admin:django_sched_tasks_{obj._meta.model_name}_{name}", args=[obj.pk])

    return address


@pytest.fixture
def text_of():
    """What a page says, without its tags."""

    def read(response):
        assert response.status_code == 200
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())))

    return read


@pytest.fixture
def messages_of():
    def read(response):
        return [str(message) for message in response.context["messages"]]

    return read
