"""What people do stands in the admin's history with their names, once, whatever face they used."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from django_sched_tasks import operations, planning
from django_sched_tasks.contrib import history as receivers
from django_sched_tasks.models import SchedulerTask, TaskExecution

TASKS = "admin:django_sched_tasks_schedulertask_changelist"
ADD = "admin:django_sched_tasks_schedulertask_add"
NEW = {"name": "Report", "func": "tests.zoo.tasks:ok", "trigger": "cron", "trigger_args": '{"hour": "2"}'}


def about(task):
    return f"schedulertask {task.pk}"


def test_the_form_writes_each_thing_once(root, history, form_data, page):
    [(who, what, _)] = history(root.post, reverse(ADD), form_data(reverse(ADD), **NEW))
    task = SchedulerTask.objects.get()
    assert (who, what) == ("staff", about(task))

    [(who, what, told)] = history(root.post, page(task), form_data(page(task), queue="mail", timeout="5"))
    assert (who, what, told) == ("staff", about(task), "Changed Queue and Timeout.")
    assert history(root.post, page(task), form_data(page(task))) == []

    [(who, what, _)] = history(root.post, page(task, "delete"), {"post": "yes"})
    assert (who, what) == ("staff", about(task))


def test_the_buttons_and_the_list(root, history, page, task):
    assert history(root.post, page(task, "pause"), {"note": "Moving"}) == [("staff", about(task), "Paused. Moving")]
    assert history(root.post, page(task, "resume")) == [("staff", about(task), "Resumed.")]
    chosen = {"action": "pause", "_selected_action": [task.pk]}
    assert history(root.post, reverse(TASKS), chosen) == [("staff", about(task), "Paused.")]
    ((who, what, told),) = history(root.post, page(task, "run"))
    assert (who, what, told) == ("staff", about(task), f"Run now: execution #{TaskExecution.objects.get().pk}.")


def test_the_api(staff_api, history, task):
    base = "/api/scheduler/"
    (entry,) = history(staff_api.post, f"{base}task/pause/{task.pk}", {"note": "API"}, format="json")
    assert entry == ("staff", about(task), "Paused. API")
    (entry,) = history(staff_api.post, f"{base}task/run/{task.pk}", {}, format="json")
    execution = TaskExecution.objects.get()
    assert entry == ("staff", about(task), f"Run now: execution #{execution.pk}.")
    (entry,) = history(staff_api.post, f"{base}executions/{execution.pk}/cancel/")
    assert entry == ("staff", about(task), f"Cancelled: execution #{execution.pk}.")
    (entry,) = history(staff_api.post, f"{base}executions/{execution.pk}/retry/")
    assert entry == ("staff", about(task), f"Retried: execution #{execution.pk + 1}.")


def test_code(staff, history, task):
    assert history(operations.resume_task, task.pk, user="staff") == []  # it is active: nothing happened
    assert history(operations.pause_task, task.pk, user=staff) == [("staff", about(task), "Paused.")]


@pytest.mark.parametrize("user", [None, "", "nightly-deploy"])
def test_who_is_no_user_leaves_no_entry(history, task, user):
    assert history(operations.pause_task, task.pk, user=user) == []


def test_what_the_engine_does_is_no_persons(staff, history, make_task):
    task = make_task(trigger="interval", trigger_args={"seconds": 1}, user=staff)
    assert history(planning.plan, task.next_run, using="default", ids=[task.pk]) == []
    assert TaskExecution.objects.exists()


def test_of_a_deleted_task_the_execution_tells(staff, history, task, make_execution):
    waiting = make_execution(task, status="queued", started_at=None, finished_at=None)
    SchedulerTask.objects.all().delete()
    (entry,) = history(operations.cancel_execution, waiting.pk, user=staff)
    assert entry == ("staff", f"taskexecution {waiting.pk}", f"Cancelled: execution #{waiting.pk}.")


def test_a_backfill_is_told_once(staff, history, make_task):
    task = make_task(trigger="interval", trigger_args={"hours": 1})
    end = timezone.now()
    (entry,) = history(operations.backfill, task.pk, end - timedelta(hours=3), end, user=staff)
    assert entry == ("staff", about(task), "Backfilled: 3 executions.")


def test_connecting_again_tells_nothing_twice(staff, history, task):
    receivers.connect()
    assert len(history(operations.pause_task, task.pk, user=staff)) == 1


def test_its_pages_open(root, history, task, make_execution):
    waiting = make_execution(task, status="queued", started_at=None, finished_at=None)
    history(operations.cancel_execution, waiting.pk, user=None)
    for thing in (task, waiting):
        response = root.get(reverse(f"admin:{thing._meta.label_lower.replace('.', '_')}_history", args=[thing.pk]))
        assert response.status_code == 200, thing
