"""The form of a task: errors at their fields, saving through the operations."""

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError
from django.urls import reverse

from django_sched_tasks import operations
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import SchedulerTask

ADD = "admin:django_sched_tasks_schedulertask_add"
NEW = {
    "name": "报表",
    "func": "tests.zoo.tasks:ok",
    "trigger": "cron",
    "trigger_args": '{"hour": "2", "minute": "0"}',
}


def errors_of(response):
    assert response.status_code == 200
    return response.context["adminform"].form.errors


def test_a_task_is_added_as_the_admins_and_with_a_made_up_job_id(root, form_data):
    response = root.post(reverse(ADD), form_data(reverse(ADD), **NEW))

    assert response.status_code == 302
    task = SchedulerTask.objects.get()
    assert (task.name, task.trigger_args, task.source) == ("报表", {"hour": "2", "minute": "0"}, "admin")
    assert task.created_by == "staff"
    assert len(task.job_id) == 32
    assert task.next_run is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 300}, "name"),
        ({"func": "os:system"}, "func"),
        ({"func": ""}, "func"),
        ({"args": "[1]"}, "args"),
        ({"args": "{}"}, "args"),
        ({"args": "null"}, "args"),
        ({"kwargs": '{"a": 1}'}, "kwargs"),
        ({"kwargs": '{"a": "\\ud800"}'}, "kwargs"),
        ({"kwargs": "[" * 5000}, "kwargs"),
        ({"kwargs": "1" * 5000}, "kwargs"),
        ({"trigger": "corn"}, "trigger"),
        ({"trigger_args": '{"hour": "25"}'}, "trigger_args"),
        ({"trigger_args": '{"minuts": 5}'}, "trigger_args"),
        ({"trigger_args": "{hour: 2}"}, "trigger_args"),
        ({"trigger_args": "[]"}, "trigger_args"),
        ({"trigger": "date", "trigger_args": '{"run_date": "2020-01-01"}'}, "trigger_args"),
        ({"trigger": "interval", "trigger_args": '{"seconds": 0}'}, "trigger_args"),
        ({"timezone": "Asia/Shangai"}, "timezone"),
        ({"executor": "nowhere"}, "executor"),
        ({"timeout": "0"}, "timeout"),
        ({"retry_backoff": "nan"}, "retry_backoff"),
        ({"overlap": "x"}, "overlap"),
        ({"priority": "101"}, "priority"),
    ],
)
def test_an_error_stands_at_its_field_and_nowhere_else(root, form_data, changes, field):
    response = root.post(reverse(ADD), form_data(reverse(ADD), **{**NEW, **changes}))

    assert list(errors_of(response)) == [field]
    assert SchedulerTask.objects.count() == 0


def test_all_errors_are_told_at_once(root, form_data):
    changes = {"name": "", "func": "os:system", "trigger_args": '{"hour": "25"}', "timeout": "0"}
    response = root.post(reverse(ADD), form_data(reverse(ADD), **{**NEW, **changes}))

    assert set(errors_of(response)) == {"name", "func", "trigger_args", "timeout"}


def test_what_was_typed_is_shown_again(root, form_data):
    response = root.post(reverse(ADD), form_data(reverse(ADD), **{**NEW, "trigger_args": "{hour: 2"}))

    assert "{hour: 2" in response.content.decode()


def test_a_job_id_that_exists_is_told_at_its_field(root, form_data, task):
    response = root.post(reverse(ADD), form_data(reverse(ADD), **NEW, job_id=task.job_id))

    assert list(errors_of(response)) == ["job_id"]
    assert SchedulerTask.objects.count() == 1


def test_a_single_date_has_no_grace_time_unless_one_is_given(root, form_data):
    once = {**NEW, "trigger": "date", "trigger_args": '{"run_date": "2099-01-01 00:00"}'}
    root.post(reverse(ADD), form_data(reverse(ADD), **once))
    root.post(reverse(ADD), form_data(reverse(ADD), **once, misfire_grace_time="60"))

    assert list(SchedulerTask.objects.order_by("pk").values_list("misfire_grace_time", flat=True)) == [None, 60]


def test_the_sites_defaults_are_offered_and_can_be_overruled(root, form_data, settings):
    settings.SCHED_TASKS = {**settings.SCHED_TASKS, "DEFAULTS": {"max_instances": 5, "coalesce": False}}
    data = form_data(reverse(ADD), **NEW)
    assert (data["max_instances"], "coalesce" in data) == (5, False)

    root.post(reverse(ADD), data)
    root.post(reverse(ADD), data | {"max_instances": "1", "coalesce": "on"})

    saved = SchedulerTask.objects.order_by("pk").values_list("max_instances", "coalesce")
    assert list(saved) == [(5, False), (1, True)]


def test_a_change_goes_through_the_operation(root, form_data, page, task):
    url = page(task)
    response = root.post(url, form_data(url, trigger_args='{"hour": "3"}', description="Why\r\nnot"))

    assert response.status_code == 302
    changed = SchedulerTask.objects.get()
    assert (changed.trigger_args, changed.description, changed.updated_by) == ({"hour": "3"}, "Why\nnot", "staff")
    assert changed.next_run.hour == 3
    assert changed.source == "api"


def test_an_unchanged_save_changes_nothing(root, form_data, page, make_task):
    task = make_task(
        " Named ",
        description="one\ntwo ",
        kwargs={"since": [1.0, "é"], "kind": None},
        func="tests.zoo.tasks:keywords_only",
    )
    before = SchedulerTask.objects.values().get()

    response = root.post(page(task), form_data(page(task)))

    assert response.status_code == 302
    assert SchedulerTask.objects.values().get() == before


def test_what_is_broken_already_does_not_stand_in_the_way(root, form_data, page, task):
    """A task whose function has gone, and a trigger in the past, can still be described or paused."""
    SchedulerTask.objects.update(func="gone.tasks:gone", trigger="date", trigger_args={"run_date": "2020-01-01"})

    response = root.post(page(task), form_data(page(task), description="Look into it"))

    assert response.status_code == 302
    assert SchedulerTask.objects.get().description == "Look into it"


def test_a_trigger_of_an_unknown_kind_is_shown_as_it_is(root, form_data, page, task, text_of):
    SchedulerTask.objects.update(trigger="lunar", schedule_error="'lunar' is not a kind of trigger.")

    assert "'lunar' is not a kind of trigger." in text_of(root.get(page(task)))
    assert form_data(page(task))["trigger"] == "lunar"


def test_a_refusal_at_the_last_moment_becomes_an_error_of_the_form(root, form_data, page, task, monkeypatch):
    def refuse(*args, **options):
        raise InvalidDefinition({"queue": "Somebody was faster."})

    monkeypatch.setattr(operations, "update_task", refuse)
    response = root.post(page(task), form_data(page(task), queue="mail"))

    assert errors_of(response) == {"queue": ["Somebody was faster."]}


def test_a_task_that_went_away_meanwhile_is_told(root, form_data, task, messages_of, monkeypatch):
    def gone(*args, **options):
        raise SchedulerTask.DoesNotExist

    monkeypatch.setattr(operations, "update_task", gone)
    url = reverse("admin:django_sched_tasks_schedulertask_change", args=[task.pk])
    response = root.post(url, form_data(url, queue="mail"), follow=True)

    assert "doesn’t exist" in messages_of(response)[0]


@pytest.mark.django_db(transaction=True)
def test_a_save_that_meets_a_busy_database_is_tried_again(root, form_data, page, task, monkeypatch):
    update, calls = operations.update_task, []

    def busy_once(*args, **options):
        calls.append(args)
        if len(calls) == 1:
            raise OperationalError("database is locked")
        return update(*args, **options)

    monkeypatch.setattr(operations, "update_task", busy_once)
    response = root.post(page(task), form_data(page(task), queue="mail"))

    assert (response.status_code, len(calls)) == (302, 2)
    assert SchedulerTask.objects.get().queue == "mail"
    assert LogEntry.objects.count() == 1


def test_the_page_tells_how_the_task_stands(root, page, make_task, make_execution, text_of):
    task = make_task(timezone="Asia/Shanghai", description="<b>bold</b>")
    failed = make_execution(task, status="failed", error="RuntimeError: no <disk>")
    operations.pause_task(task.pk, note="Moving house")

    response = root.get(page(task))

    text = text_of(response)
    for part in ("Paused", "Moving house", "Every day at 02:00 (Asia/Shanghai)", "In Asia/Shanghai, were it active"):
        assert part in text
    assert "RuntimeError: no <disk>" in text
    assert text.count("02:00:00") >= 10
    html = response.content.decode()
    assert "<b>bold" not in html
    assert f'href="{page(failed)}"' in html
    assert " style=" not in html.partition('id="content"')[2]


def test_functions_are_suggested(root):
    html = root.get(reverse(ADD)).content.decode()

    assert '<option value="tests.zoo.tasks:add">add(a: int, b: int = 1) Add two numbers.</option>' in html
    assert 'list="id_func_suggestions"' in html


def test_examples_of_every_kind_are_shown(root):
    response = root.get(reverse(ADD))

    help_text = response.context["adminform"].form.fields["trigger_args"].help_text
    assert "*/5 9-17 * * mon-fri" in help_text
    assert json.loads(response.context["adminform"].form["trigger_args"].value()) == {}


def test_a_task_declared_in_code_says_so(root, make_task, page, text_of):
    assert "Declared in code" in text_of(root.get(page(make_task("In code", source="code"))))
    assert "Declared in code" not in text_of(root.get(page(make_task("By hand", source="admin"))))


def test_a_secret_is_shown_hidden_and_stays_when_it_is_saved_so(root, form_data):
    task = operations.add_task(
        **{**NEW, "func": "tests.zoo.tasks:leaks_password", "trigger_args": {"hour": 2}},
        kwargs={"password": "hunter22"},
    )
    url = reverse("admin:django_sched_tasks_schedulertask_change", args=[task.pk])
    page = root.get(url).content.decode()
    assert "*****" in page
    assert "hunter22" not in page
    assert root.post(url, form_data(url, description="changed")).status_code == 302
    task.refresh_from_db()
    assert (task.description, task.kwargs) == ("changed", {"password": "hunter22"})
    given = form_data(url, kwargs='{"password": "*****", "token": "t"}')
    assert root.post(url, given).status_code == 302
    task.refresh_from_db()
    assert task.kwargs == {"password": "hunter22", "token": "t"}
