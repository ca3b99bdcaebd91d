"""What holds for the whole scheduler: operations, and how API, command, health and history tell of it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.utils import timezone

from django_sched_tasks import database, operations, signals, worker
from django_sched_tasks.contrib import history
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import SchedulerState, SchedulerTask, TaskExecution

pytestmark = pytest.mark.django_db

HOLIDAYS = [{"date": "2026-12-25", "note": "Christmas"}]
API = "/api/scheduler/"


def in_an_hour():
    return timezone.now() + timedelta(hours=1)


@pytest.fixture
def schedtasks(capsys):
    def schedtasks(*arguments):
        try:
            call_command("schedtasks", *map(str, arguments))
            code = 0
        except SystemExit as error:
            code = error.code
        return code, capsys.readouterr().out

    return schedtasks


@pytest.fixture
def elsewhere(settings):
    """The database is a copy of production's, and this is staging."""
    settings.SCHED_TASKS = {"ENVIRONMENT": "staging"}
    return SchedulerState.objects.create(environment="production")


# Operations


def test_there_is_one_row_whatever_is_said():
    assert operations.scheduler_state().exclusions == []
    assert not SchedulerState.objects.exists()
    operations.set_exclusions(HOLIDAYS, user="ada")
    operations.start_maintenance(in_an_hour(), note="New disks", user="bob")

    state = SchedulerState.objects.get()
    assert (state.pk, state.exclusions, state.maintenance_note) == (1, HOLIDAYS, "New disks")
    assert (state.maintenance_by, state.updated_by) == ("bob", "bob")


def test_maintenance_is_moved_by_saying_it_again_and_ends():
    first, second = in_an_hour(), in_an_hour() + timedelta(hours=1)
    operations.start_maintenance(first)
    assert operations.start_maintenance(second).maintenance_until == second
    assert not operations.end_maintenance(user="ada").is_in_maintenance(timezone.now())
    before = SchedulerState.objects.get().updated_at
    operations.end_maintenance()
    assert SchedulerState.objects.get().updated_at == before


@pytest.mark.parametrize(
    ("until", "note", "field"),
    [(datetime(2020, 1, 1, tzinfo=UTC), "", "until"), (datetime(2999, 1, 1, tzinfo=UTC), "x" * 256, "note")],
)
def test_maintenance_that_cannot_be_is_refused(until, note, field):
    with pytest.raises(InvalidDefinition) as caught:
        operations.start_maintenance(until, note=note)
    assert list(caught.value.errors) == [field]


def test_a_change_is_told_after_the_commit(django_capture_on_commit_callbacks):
    told = []

    def hear(action, user, state, **_payload):
        told.append((action, user, state.pk))

    signals.state_changed.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            operations.set_exclusions(HOLIDAYS, user="ada")
            operations.start_maintenance(in_an_hour(), user="bob")
            operations.end_maintenance(user="eve")
    finally:
        signals.state_changed.disconnect(hear)
    assert told == [("exclusions", "ada", 1), ("maintenance_started", "bob", 1), ("maintenance_ended", "eve", 1)]


@pytest.mark.usefixtures("elsewhere")
def test_a_confirmation_lets_past_fire_times_go_as_a_pause_does(make, node, at, rows, stored):
    minutely = make()
    soon = make(name="Soon", trigger="date", trigger_args={"run_date": "2026-01-01T00:05:00Z"})
    later = make(name="Later", trigger="date", trigger_args={"run_date": "2026-02-01T00:00:00Z"})
    paused = make(name="Paused")
    operations.pause_task(paused.pk, now=at(1))
    node.run_until(at(61))
    before = stored(later).version
    done = operations.confirm_environment(user="ada", now=at(630))
    node.now = at(640)
    node.tick()

    assert (done.cancelled, done.let_go) == (0, 2)
    assert rows("status", "fire_at") == [("succeeded", at(60))]
    assert (stored(minutely).status, stored(minutely).next_run) == (1, at(660))
    assert (stored(soon).status, stored(soon).next_run) == (2, None)
    assert (stored(later).status, stored(later).version) == (1, before)
    assert stored(paused).status == 0
    assert operations.environment().fits


def test_a_confirmation_cancels_all_that_is_open(make, at, elsewhere):
    task = make(max_instances=None)
    ids = [operations.run_task(task.pk, now=at(1)).pk for _ in range(5)]
    for pk, status in zip(ids, ("queued", "claimed", "dispatched", "running", "succeeded"), strict=True):
        ended = at(2) if status == "succeeded" else None
        TaskExecution.objects.filter(pk=pk).update(
            status=status, finished_at=ended, claim_rank=0 if status == "queued" else None
        )
    done = operations.confirm_environment(user="ada", now=at(3))

    assert done.cancelled == 4
    assert list(TaskExecution.objects.order_by("pk").values_list("status", flat=True)) == [
        *["cancelled"] * 4,
        "succeeded",
    ]
    assert not TaskExecution.objects.filter(claim_rank__isnull=False).exists()


def test_a_name_that_was_taken_away_is_forgotten_by_a_confirmation(settings):
    settings.SCHED_TASKS = {}
    SchedulerState.objects.create(environment="production")
    assert not operations.environment().fits
    assert operations.confirm_environment().environment.fits
    assert SchedulerState.objects.get().environment == ""


def test_a_worker_runs_nothing_of_another_environment(make, elsewhere, caplog):
    execution = operations.run_task(make("effect").pk)
    TaskExecution.objects.filter(pk=execution.pk).update(status="dispatched", message_id="m", claim_rank=None)

    assert worker.perform(execution.pk, "m") == ""
    assert TaskExecution.objects.get(pk=execution.pk).status == "dispatched"
    assert "'production'" in caplog.text


# Health


def test_maintenance_is_a_warning_and_what_waits_meanwhile_is_none(make, at):
    make(now=timezone.now() - timedelta(hours=3))
    assert any("nobody has planned it" in text for text in operations.health().problems)
    operations.start_maintenance(in_an_hour(), note="New disks", user="ada")
    found = operations.health()

    assert not any("planned it" in text for text in found.problems)
    (warning,) = found.warnings
    assert warning.startswith("Maintenance until ")
    assert warning.endswith("(New disks, ada)")
    assert any("planned it" in text for text in operations.health(in_an_hour() + timedelta(minutes=5)).problems)


def test_another_environment_is_a_problem(elsewhere):
    assert any("belongs to the environment 'production'" in text for text in operations.health().problems)


def test_broken_exclusions_of_the_site_are_a_warning():
    SchedulerState.objects.create(exclusions=[5])
    assert any("cannot be read" in text for text in operations.health().warnings)


# The API


def test_maintenance_by_the_api(staff_api):
    address = f"{API}maintenance/"
    assert staff_api.get(address).json() == {"active": False, "until": None, "note": "", "by": ""}
    until = in_an_hour().replace(microsecond=0)
    answer = staff_api.put(address, {"until": until.isoformat(), "note": "New disks"}, format="json")
    expected = {
        "active": True,
        "until": until.isoformat().replace("+00:00", "Z"),
        "note": "New disks",
        "by": "staff",
    }
    assert (answer.status_code, answer.json()) == (200, expected)
    assert staff_api.get(address).json() == expected
    assert staff_api.delete(address).json()["active"] is False
    assert staff_api.get(address.removesuffix("/")).json()["active"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "until"),
        ({"until": "soon"}, "until"),
        ({"until": "2020-01-01"}, "until"),
        ({"until": "2999-01-01", "note": 5}, "note"),
        ({"until": "2999-01-01", "notes": "x"}, "notes"),
    ],
)
def test_maintenance_refused_by_the_api(staff_api, body, field):
    answer = staff_api.put(f"{API}maintenance/", body, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_exclusions_by_the_api(staff_api):
    address = f"{API}exclusions/"
    assert staff_api.get(address).json() == {"exclusions": [], "descriptions": []}
    answer = staff_api.put(address, {"exclusions": HOLIDAYS}, format="json")
    assert answer.json() == {"exclusions": HOLIDAYS, "descriptions": ["2026-12-25 (Christmas)"]}
    assert staff_api.get(address).json()["exclusions"] == HOLIDAYS
    for body in ({}, {"exclusions": None}, {"exclusions": [{"day": 1}]}):
        answer = staff_api.put(address, body, format="json")
        assert (answer.status_code, list(answer.json())) == (400, ["exclusions"])


def test_the_environment_by_the_api(staff_api, elsewhere):
    found = staff_api.get(f"{API}environment/").json()
    assert (found["recorded"], found["here"], found["fits"]) == ("production", "staging", False)
    answer = staff_api.post(f"{API}environment/confirm/").json()
    assert answer == {
        "recorded": "staging",
        "here": "staging",
        "fits": True,
        "problem": "",
        "cancelled": 0,
        "let_go": 0,
    }
    assert staff_api.post(f"{API}environment/confirm/", {"x": 1}, format="json").status_code == 400


CHANGES = [
    ("put", "maintenance/", {"until": "2999-01-01"}),
    ("delete", "maintenance/", None),
    ("put", "exclusions/", {"exclusions": []}),
    ("post", "environment/confirm/", {}),
]


@pytest.mark.parametrize(("method", "address", "body"), CHANGES)
def test_who_may_pause_may_hold_and_who_may_view_may_look(api, django_user_model, method, address, body):
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_schedulertask"))
    api.force_authenticate(user)
    for shown in ("maintenance/", "exclusions/", "environment/"):
        assert api.get(API + shown).status_code == 200
    assert getattr(api, method)(API + address, body, format="json").status_code == 403
    user.user_permissions.set(Permission.objects.filter(codename="pause_schedulertask"))
    api.force_authenticate(django_user_model.objects.get(pk=user.pk))
    assert getattr(api, method)(API + address, body, format="json").status_code == 200


# The command


def test_maintenance_by_the_command(schedtasks):
    assert schedtasks("maintenance") == (0, "No maintenance.\n")
    code, text = schedtasks("maintenance", "--minutes", 30, "--note", "New disks", "--user", "ada")
    assert code == 0
    assert text.startswith("Maintenance until ")
    assert text.endswith("(New disks, ada)\n")
    _code, text = schedtasks("maintenance", "--format", "json")
    assert json.loads(text)["active"] is True
    schedtasks("maintenance", "--until", "2999-01-01T00:00:00Z")
    assert SchedulerState.objects.get().maintenance_until == datetime(2999, 1, 1, tzinfo=UTC)
    assert schedtasks("maintenance", "--end") == (0, "No maintenance.\n")


@pytest.mark.parametrize(
    "arguments", [("--until", "soon"), ("--until", "2020-01-01"), ("--minutes", "nan"), ("--minutes", "-1")]
)
def test_maintenance_refused_by_the_command(schedtasks, arguments):
    with pytest.raises(CommandError):
        schedtasks("maintenance", *arguments)


def test_exclusions_by_the_command(schedtasks):
    assert schedtasks("exclusions") == (0, "Nothing is excluded for all tasks.\n")
    assert schedtasks("exclusions", "--set", json.dumps(HOLIDAYS)) == (0, "2026-12-25 (Christmas)\n")
    assert json.loads(schedtasks("exclusions", "--format", "json")[1]) == HOLIDAYS
    with pytest.raises(CommandError, match="not a key"):
        schedtasks("exclusions", "--set", '[{"day": 1}]')


def test_the_environment_by_the_command(schedtasks, elsewhere):
    code, text = schedtasks("environment")
    assert code == 1
    assert text.startswith("database: production\nhere: staging\nThe database belongs to")
    code, text = schedtasks("environment", "--confirm", "--user", "ada")
    assert (code, text.splitlines()[0]) == (0, "database: staging")
    assert text.splitlines()[-1].startswith("Executions cancelled: 0.")
    assert schedtasks("environment")[0] == 0


# The admin


@pytest.fixture
def root(client, staff):
    client.force_login(staff)
    return client


PAGE = "/admin/django_sched_tasks/schedulertask/overview/"


def test_the_overview_holds_and_lets_go(root):
    assert "On hold" not in root.get(PAGE).text
    until = timezone.localtime(in_an_hour())
    answer = root.post(f"{PAGE}start_maintenance/", {"until": f"{until:%Y-%m-%dT%H:%M}", "note": "<b>"}, follow=True)
    assert "Maintenance has begun" in answer.text
    assert "(&lt;b&gt;, staff)" in answer.text
    assert "End the maintenance now" in answer.text
    answer = root.post(f"{PAGE}end_maintenance/", follow=True)
    assert "End the maintenance now" not in answer.text
    assert not operations.scheduler_state().is_in_maintenance(timezone.now())


@pytest.mark.parametrize("until", ["", "soon", "2020-01-01T00:00"])
def test_the_overview_refuses_what_is_no_end(root, until):
    answer = root.post(f"{PAGE}start_maintenance/", {"until": until}, follow=True)
    assert "Give the" in answer.text
    assert not SchedulerState.objects.exists()


def test_the_overview_sets_exclusions(root):
    answer = root.post(f"{PAGE}set_exclusions/", {"exclusions": json.dumps(HOLIDAYS)}, follow=True)
    assert "2026-12-25 (Christmas)" in answer.text
    assert operations.scheduler_state().exclusions == HOLIDAYS
    for wrong in ("[", '[{"date": "x"}]', "5"):
        answer = root.post(f"{PAGE}set_exclusions/", {"exclusions": wrong}, follow=True)
        assert 'class="error"' in answer.text
    assert operations.scheduler_state().exclusions == HOLIDAYS
    root.post(f"{PAGE}set_exclusions/", {"exclusions": ""})
    assert operations.scheduler_state().exclusions == []


def test_the_overview_confirms_the_environment(root, elsewhere):
    answer = root.get(PAGE)
    assert "belongs to the environment &#x27;production&#x27;" in answer.text
    assert "Confirm the environment" in answer.text
    answer = root.post(f"{PAGE}confirm_environment/", follow=True)
    assert "Executions cancelled: 0" in answer.text
    assert operations.environment().fits


@pytest.mark.parametrize("name", ["start_maintenance", "end_maintenance", "set_exclusions", "confirm_environment"])
def test_the_overview_asks_for_the_permission_to_pause(client, django_user_model, name):
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_schedulertask"))
    client.force_login(user)
    assert "sched-holding" not in client.get(PAGE).text
    assert client.post(f"{PAGE}{name}/").status_code == 403
    assert client.get(f"{PAGE}{name}/").status_code == 405


def test_excluded_fire_times_are_marked(root, make):
    task = make(
        trigger="cron",
        trigger_args={"minute": 0},
        now=timezone.now(),
        exclusions=[{"from": "2020-01-01", "until": "2999-01-01", "note": "Closed"}],
    )
    marked = "Excluded: it will be skipped (Closed)."
    assert marked in root.get(PAGE).text
    assert marked in root.get(f"/admin/django_sched_tasks/schedulertask/{task.pk}/week/").text
    assert marked in root.get(f"/admin/django_sched_tasks/schedulertask/{task.pk}/change/").text
    form = {"trigger": "cron", "trigger_args": '{"minute": 0}', "timezone": "", "_task": "", "exclusions": "[]"}
    address = "/admin/django_sched_tasks/schedulertask/preview/"
    assert not any("Excluded" in time["note"] for time in root.post(address, form).json()["times"])
    form["exclusions"] = json.dumps(task.exclusions)
    answer = root.post(address, form).json()
    assert {time["note"] for time in answer["times"]} == {marked}
    assert any("2020-01-01" in text for text in answer["policies"])


def test_the_history_tells_who_did_it(staff, django_capture_on_commit_callbacks, elsewhere):
    history.connect()
    with django_capture_on_commit_callbacks(execute=True):
        operations.confirm_environment(user=staff)
        operations.set_exclusions(HOLIDAYS, user=staff)
        operations.start_maintenance(in_an_hour(), note="New disks", user=staff)
        operations.end_maintenance(user=staff)
    told = list(LogEntry.objects.order_by("pk").values_list("user__username", "change_message"))

    assert {user for user, _ in told} == {"staff"}
    assert ["staging" in told[0][1], "Christmas" in told[1][1], "New disks" in told[2][1]] == [True] * 3
    assert told[3][1] == "Maintenance ended."
    assert database.alias() == "default"
    assert SchedulerTask.objects.count() == 0
