"""Rows of what ``@scheduled`` declares, through deploys and the hands of people."""

import json
import logging

import pytest
from django.core.management import call_command

from django_sched_tasks import operations, registry
from django_sched_tasks.apps import sync_after_migrate
from django_sched_tasks.models import SchedulerTask
from django_sched_tasks.registry import Declaration

OK = "tests.zoo.tasks:ok"


def declare(path=OK, trigger="cron", trigger_args=None, name="Nightly", **options):
    return Declaration(path, trigger, {"hour": 2} if trigger_args is None else trigger_args, name, options)


@pytest.fixture
def deploy(db, monkeypatch):
    """The code declares this and no more; sync, and answer what became of it."""

    def deploy(*declarations, **options):
        monkeypatch.setattr(registry, "declarations", lambda: list(declarations))
        return [(result.action, result.job_id) for result in operations.sync_declared(**options)]

    return deploy


def task():
    return SchedulerTask.objects.get()


def test_a_declaration_makes_a_row(deploy):
    assert deploy(declare(kwargs={}, max_retries=3)) == [("added", f"code:{OK}")]
    row = task()
    assert (row.name, row.func, row.trigger, row.trigger_args) == ("Nightly", OK, "cron", {"hour": 2})
    assert (row.source, row.created_by, row.max_retries, row.status) == ("code", "code", 3, 1)
    assert row.next_run is not None


def test_the_next_deploy_changes_nothing(deploy):
    deploy(declare())
    before = task()
    assert deploy(declare()) == [("unchanged", f"code:{OK}")]
    assert (task().version, task().updated_at) == (before.version, before.updated_at)


def test_the_row_follows_the_code(deploy):
    deploy(declare(max_retries=3))
    assert deploy(declare(trigger_args={"hour": 5})) == [("updated", f"code:{OK}")]
    row = task()
    assert (row.trigger_args, row.max_retries) == ({"hour": 5}, 0)
    assert (row.next_run.hour, row.pk) == (5, row.pk)


def test_a_name_is_made_of_the_function(deploy):
    deploy(declare(path="tests.zoo.tasks:returns_none", name=None))
    assert task().name == "Returns none"


def test_what_people_have_changed_stays_and_is_shown(deploy):
    deploy(declare(max_retries=3))
    operations.update_task(task().pk, {"trigger_args": {"hour": 7}})
    assert deploy(declare(max_retries=4, trigger_args={"hour": 5})) == [("updated", f"code:{OK}")]
    row = task()
    assert (row.trigger_args, row.max_retries) == ({"hour": 7}, 4)
    assert operations.drift(row) == {"trigger_args": {"code": {"hour": 5}, "task": {"hour": 7}}}
    # Also over the deploys that follow.
    deploy(declare(max_retries=4, trigger_args={"hour": 6}))
    assert task().trigger_args == {"hour": 7}


def test_a_change_can_be_reset(deploy):
    deploy(declare())
    operations.update_task(task().pk, {"trigger_args": {"hour": 7}, "name": "Mine"})
    row = operations.reset_to_declared(task().pk)
    assert (row.trigger_args, row.name, operations.drift(row)) == ({"hour": 2}, "Nightly", {})
    deploy(declare(trigger_args={"hour": 3}))
    assert task().trigger_args == {"hour": 3}


def test_a_pause_survives(deploy):
    deploy(declare())
    operations.pause_task(task().pk, note="Maintenance")
    deploy(declare(trigger_args={"hour": 5}))
    row = task()
    assert (row.status, row.pause_note, row.trigger_args) == (0, "Maintenance", {"hour": 5})


def test_what_leaves_the_code_is_paused_kept_and_comes_back(deploy):
    deploy(declare())
    assert deploy() == [("left", f"code:{OK}")]
    assert (task().status, task().pause_note) == (0, operations.declared.LEFT_NOTE)
    assert deploy() == []
    assert deploy(declare(trigger_args={"hour": 3})) == [("returned", f"code:{OK}")]
    assert (task().status, task().pause_note, task().trigger_args) == (1, "", {"hour": 3})


def test_a_pause_by_people_outlives_leaving_and_coming_back(deploy):
    deploy(declare())
    operations.pause_task(task().pk, note="Mine")
    deploy()
    deploy(declare())
    assert (task().status, task().pause_note) == (0, "Mine")


def test_a_module_that_cannot_be_imported_has_not_left(deploy, monkeypatch):
    deploy(declare())
    monkeypatch.setattr(registry, "import_failures", lambda: {"tests.zoo": "SyntaxError"})
    assert deploy() == []
    assert task().status == 1


def test_tasks_of_people_are_left_alone(deploy, make):
    made = make()
    deploy()
    assert SchedulerTask.objects.get(pk=made.pk).status == 1


def test_a_job_id_that_people_use_is_refused(deploy, make):
    make(job_id="nightly", name="Theirs")
    assert deploy(declare(job_id="nightly")) == [("refused", "nightly")]
    assert task().name == "Theirs"


def test_two_schedules_of_one_function_need_a_job_id(deploy):
    actions = deploy(declare(), declare(trigger_args={"hour": 5}), declare(trigger_args={"hour": 6}, job_id="sixth"))
    assert actions == [("added", f"code:{OK}"), ("refused", f"code:{OK}"), ("added", "sixth")]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (declare(trigger_args={"hour": 25}), "25"),
        (declare(path="tests.zoo.tasks:add", kwargs={"c": 1}), "c"),
        (declare(trigger_args={"hour": object()}), "JSON"),
        (declare(path="tests.zoo.tasks:nobody"), "nobody"),
    ],
)
def test_one_that_is_wrong_is_told_and_holds_up_nobody(deploy, monkeypatch, wrong, says):
    assert [action for action, _ in deploy(wrong, declare(job_id="fine"))] == ["refused", "added"]
    assert says in operations.sync_declared()[0].error


def test_a_dry_run_says_the_same_and_does_nothing(deploy):
    assert deploy(declare(), dry_run=True) == [("added", f"code:{OK}")]
    assert not SchedulerTask.objects.exists()
    deploy(declare())
    assert deploy(declare(trigger_args={"hour": 5}), dry_run=True) == [("updated", f"code:{OK}")]
    assert task().trigger_args == {"hour": 2}
    assert deploy(dry_run=True) == [("left", f"code:{OK}")]
    assert task().status == 1


def test_twenty_deploys_with_people_in_between(deploy):
    """Old and new releases deploy in turns; a person's change and pause are the only ones that stay."""
    for number in range(20):
        deploy(declare(trigger_args={"hour": number % 3}, max_retries=number))
        if number == 5:
            operations.update_task(task().pk, {"timeout": 9, "trigger_args": {"hour": 23}})
        if number == 10:
            operations.pause_task(task().pk, note="Mine")
    row = task()
    assert (row.trigger_args, row.max_retries, row.timeout) == ({"hour": 23}, 19, 9)
    assert (row.status, row.pause_note) == (0, "Mine")


@pytest.mark.parametrize("path", ["a.b:c", f"{'x' * 200}:run", f"{'y' * 200}:run"])
def test_derived_job_ids_fit_and_differ(path):
    job_id = operations.derived_job_id(path)
    assert len(job_id) <= 64
    assert job_id.endswith(path[-3:])
    assert job_id != operations.derived_job_id(f"z{path}")


def test_the_command(deploy, capsys):
    deploy(declare())
    operations.update_task(task().pk, {"name": "Mine"})
    call_command("schedtasks", "sync", "--format", "json")
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["action"], told["drift"]["name"]) == ("unchanged", {"code": "Nightly", "task": "Mine"})
    call_command("schedtasks", "sync", "--reset", f"code:{OK}")
    assert "unchanged" in capsys.readouterr().out
    assert task().name == "Nightly"
    deploy(declare(trigger_args={"hour": 25}))
    with pytest.raises(SystemExit) as error:
        call_command("schedtasks", "sync")
    assert error.value.code == 1


def test_the_api_shows_where_a_task_departs_from_the_code(deploy, admin_client, make):
    deploy(declare())
    operations.update_task(task().pk, {"name": "Mine"})
    told = admin_client.get(f"/api/scheduler/tasks/{task().pk}/").json()
    assert told["drift"] == {"name": {"code": "Nightly", "task": "Mine"}}
    assert admin_client.get(f"/api/scheduler/tasks/{make().pk}/").json()["drift"] is None


def test_migrate_syncs_but_not_the_tests_own(deploy, monkeypatch, caplog, settings):
    caplog.set_level(logging.INFO)
    deploy()
    monkeypatch.setattr(registry, "declarations", lambda: [declare(), declare(trigger_args={"hour": 25}, job_id="bad")])
    sync_after_migrate("default", plan=[])
    assert not SchedulerTask.objects.exists()  # mail.outbox says that these are tests
    monkeypatch.delattr("django.core.mail.outbox")
    sync_after_migrate("default")  # as flush sends it
    settings.SCHED_TASKS = {"SYNC_AFTER_MIGRATE": False}
    sync_after_migrate("default", plan=[])
    assert not SchedulerTask.objects.exists()
    settings.SCHED_TASKS = {}
    sync_after_migrate("default", plan=[])
    assert task().name == "Nightly"
    assert "bad was refused" in caplog.text
