"""The list of tasks, and what may be done from it and from a task's page."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_sched_tasks import operations
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution, TaskStatus

TASKS = "admin:django_sched_tasks_schedulertask_changelist"


@pytest.fixture
def act(messages_of):
    def do(client, action, *tasks):
        data = {"action": action, "_selected_action": [task.pk for task in tasks]}
        return messages_of(client.post(reverse(TASKS), data, follow=True))

    return do


@pytest.fixture
def node(db):
    now = timezone.now()
    return SchedulerNode.objects.create(host="here", pid=1, started_by="test", started_at=now, heartbeat_at=now)


def finish(task):
    SchedulerTask.objects.filter(pk=task.pk).update(status=TaskStatus.FINISHED)


def test_the_list_tells_state_trigger_times_and_outcome(root, task, make_execution, page, text_of):
    earlier = timezone.now() - timedelta(hours=1)
    make_execution(task, status="failed", fire_at=earlier)
    last = make_execution(task, status="succeeded")
    make_execution(task, status="running", kind="manual", finished_at=None, fire_at=timezone.now())

    response = root.get(reverse(TASKS))

    text = text_of(response)
    for part in (
        "Nightly sync",
        "Active",
        "Every day at 02:00 (UTC)",
        "Succeeded",
        f"{task.next_run:%Y-%m-%d} 02:00:00",
    ):
        assert part in text
    assert f'href="{page(last)}"' in response.content.decode()


def test_times_are_the_readers(root, task, text_of):
    with timezone.override("Asia/Shanghai"):
        response = root.get(reverse(TASKS))

    assert f"{task.next_run:%Y-%m-%d} 10:00:00" in text_of(response)
    assert f"CST = {task.next_run:%Y-%m-%d} 02:00:00 UTC" in response.content.decode()


@pytest.mark.parametrize("client_name", ["root", "viewer"])
def test_thirty_tasks_need_no_more_queries_than_one(request, client_name, make_task, make_execution):
    client = request.getfixturevalue(client_name)
    counts = []
    for number in (1, 29):
        for index in range(number):
            make_execution(make_task(f"Task {number}.{index}"))
        client.get(reverse(TASKS))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(reverse(TASKS)).status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[0] <= 10


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("status__exact=0", ["Paused one"]),
        ("trigger=interval", ["Paused one"]),
        ("queue=mail", ["Mail"]),
        ("source__exact=api", ["Mail", "Paused one"]),
        ("q=zoo.tasks:add", ["Mail"]),
        ("q=quarterly", ["Mail"]),
        ("o=4", ["Paused one", "Mail"]),
    ],
)
def test_filters_search_and_order(root, make_task, query, names):
    paused = make_task("Paused one", trigger="interval", trigger_args={"hours": 1})
    make_task("Mail", queue="mail", func="tests.zoo.tasks:add", args=[1], description="Quarterly")
    operations.pause_task(paused.pk)
    SchedulerTask.objects.filter(pk=paused.pk).update(next_run=timezone.now())

    response = root.get(f"{reverse(TASKS)}?{query}")

    assert [task.name for task in response.context["cl"].result_list] == names


def test_pause_says_what_it_did_and_what_not(root, act, make_task):
    one, two, paused, finished = (make_task(name) for name in ("One", "Two", "Paused", "Finished"))
    operations.pause_task(paused.pk)
    finish(finished)
    operations.run_task(one.pk)

    done, refused = act(root, "pause", one, two, paused, finished)

    assert done == "2 tasks are paused. 1 was paused already. 1 queued execution still runs."
    assert refused.startswith("“Finished”: The task has finished")
    assert SchedulerTask.objects.get(pk=one.pk).updated_by == "staff"


def test_resume_says_what_it_did_and_what_not(root, act, make_task):
    paused, active, finished = (make_task(name) for name in ("Paused", "Active", "Finished"))
    operations.pause_task(paused.pk)
    finish(finished)

    done, refused = act(root, "resume", paused, active, finished)

    assert done == "1 task is active again. 1 was active already."
    assert refused.startswith("“Finished”: The task has finished.")
    assert SchedulerTask.objects.get(pk=paused.pk).status == TaskStatus.ACTIVE


def test_refusals_of_one_reason_are_told_together(root, act, make_task):
    tasks = [make_task(f"T{number}") for number in range(7)]
    SchedulerTask.objects.update(status=TaskStatus.FINISHED)

    [refused] = act(root, "resume", *tasks)

    assert refused.startswith("“T0”, “T1”, “T2”, “T3”, “T4” and 2 more: The task has finished.")


def test_run_now_queues_and_links(root, act, node, make_task, page):
    tasks = [make_task("One"), make_task("<Two>")]

    [done] = act(root, "run_now", *tasks)

    assert done.startswith("2 executions are queued.")
    for execution in TaskExecution.objects.all():
        assert f'href="{page(execution)}"' in done
        assert execution.requested_by == "staff"
    assert "&lt;Two&gt;" in done


def test_run_now_says_when_nobody_will_run_it(root, act, task):
    assert "No scheduler is running" in act(root, "run_now", task)[1]


def test_a_task_that_went_away_meanwhile_is_told(root, act, task, monkeypatch):
    def gone(*args, **options):
        raise SchedulerTask.DoesNotExist

    monkeypatch.setattr(operations, "run_task", gone)

    assert act(root, "run_now", task) == ["“Nightly sync”: It has been deleted meanwhile."]


@pytest.mark.parametrize("name", ["run", "pause", "resume"])
def test_buttons_of_the_page(root, task, page, name):
    before = timezone.now()
    if name == "resume":
        operations.pause_task(task.pk)
    assert f'action="{page(task, name)}"' in root.get(page(task)).content.decode()

    response = root.post(page(task, name), {"note": "Moving"}, follow=True)

    assert response.redirect_chain == [(page(task), 302)]
    task.refresh_from_db()
    assert task.status == (TaskStatus.PAUSED if name == "pause" else TaskStatus.ACTIVE)
    assert task.pause_note == ("Moving" if name == "pause" else "")
    assert TaskExecution.objects.filter(queued_at__gte=before).exists() == (name == "run")


def test_a_note_that_is_too_long_is_told(root, task, page, messages_of):
    response = root.post(page(task, "pause"), {"note": "x" * 300}, follow=True)

    assert "at most 255" in messages_of(response)[0]


def test_buttons_are_pressed_not_followed(root, task, page):
    assert root.get(page(task, "run")).status_code == 405


def test_buttons_need_the_csrf_token(staff, task, page):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)

    assert client.post(page(task, "run")).status_code == 403


def test_a_viewer_sees_all_and_can_do_nothing(viewer, task, page, text_of):
    shown, listed = viewer.get(page(task)), viewer.get(reverse(TASKS))

    assert "Every day at 02:00" in text_of(shown)
    for response in (shown, listed):
        html = response.content.decode().partition('id="content"')[2]
        assert 'type="submit"' not in html.replace('<input type="submit" value="Search">', "")
        assert 'name="action"' not in html
        assert "sched-button" not in html
    for name in ("run", "pause", "resume", "change", "delete"):
        assert viewer.post(page(task, name)).status_code == 403


def test_who_may_only_pause_sees_only_that(may, task, act, page):
    client = may("view_schedulertask", "pause_schedulertask")
    html = client.get(page(task)).content.decode()

    assert page(task, "pause") in html
    assert page(task, "run") not in html
    choices = dict(client.get(reverse(TASKS)).context["action_form"].fields["action"].choices)
    assert {"pause", "resume"} == set(choices) - {""}
    assert act(client, "pause", task) == ["1 task is paused."]
    act(client, "run_now", task)
    assert TaskExecution.objects.count() == 0


def test_links_lead_only_where_the_reader_may_go(may, make_task, make_execution, page):
    execution = make_execution(make_task())
    client = may("view_schedulertask")

    html = client.get(reverse(TASKS)).content.decode() + client.get(page(execution.task)).content.decode()

    assert "Succeeded" in html
    assert page(execution) not in html


def test_pausing_alone_opens_no_page(may, task, page):
    client = may("pause_schedulertask", "run_schedulertask")

    assert client.get(page(task)).status_code == 403
    assert client.post(page(task, "pause")).status_code == 403


def test_deleting_says_that_history_stays_and_keeps_it(may, task, make_execution, page, text_of):
    client = may("view_schedulertask", "delete_schedulertask")  # and nothing over executions
    ran = make_execution(task)
    waiting = operations.run_task(task.pk)

    text = text_of(client.get(page(task, "delete")))
    assert "The history is kept" in text
    assert "Task execution" not in text

    assert client.post(page(task, "delete"), {"post": "yes"}).status_code == 302
    assert not SchedulerTask.objects.exists()
    rows = TaskExecution.objects.order_by("pk").values_list("pk", "task_id", "task_name", "status", "reason")
    assert list(rows) == [
        (ran.pk, None, "Nightly sync", "succeeded", ""),
        (waiting.pk, None, "Nightly sync", "cancelled", "task_removed"),
    ]


def test_deleting_many_keeps_their_history(root, make_task, make_execution, text_of):
    tasks = [make_task("One"), make_task("Two")]
    for task in tasks:
        make_execution(task)
    data = {"action": "delete_selected", "_selected_action": [task.pk for task in tasks]}

    assert "The history is kept" in text_of(root.post(reverse(TASKS), data))
    root.post(reverse(TASKS), data | {"post": "yes"})

    assert not SchedulerTask.objects.exists()
    assert TaskExecution.objects.filter(task=None).count() == 2


def test_the_page_of_deletion_costs_the_same_with_a_long_history(root, task, make_execution, page):
    counts = []
    for number in (1, 20):
        for _index in range(number):
            make_execution(task, fire_at=timezone.now())
        with CaptureQueriesContext(connection) as queries:
            root.get(page(task, "delete"))
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_the_buttons_of_a_row_lead_back_to_the_list_as_it_was(root, task, page, messages_of):
    url = f"{reverse(TASKS)}?trigger=cron&q=sync"
    html = root.get(url).content.decode()
    assert f'formaction="{page(task, "run")}?list=trigger%3Dcron%26q%3Dsync"' in html

    data = {f"note-{task.pk}": "From the row", "note": "Another field's"}
    response = root.post(f"{page(task, 'pause')}?list=trigger%3Dcron%26q%3Dsync", data, follow=True)

    assert response.redirect_chain == [(url, 302)]
    assert messages_of(response) == ["1 task is paused."]
    task.refresh_from_db()
    assert task.pause_note == "From the row"


def test_a_row_has_the_buttons_that_fit(root, may, make_task, page):
    active, paused, finished = (make_task(name) for name in ("Active", "Paused", "Finished"))
    operations.pause_task(paused.pk)
    finish(finished)

    html = root.get(reverse(TASKS)).content.decode()
    for task, names in ((active, {"run", "pause"}), (paused, {"run", "resume"}), (finished, {"run"})):
        assert {name for name in ("run", "pause", "resume") if f'"{page(task, name)}?list=' in html} == names

    html = may("view_schedulertask", "pause_schedulertask").get(reverse(TASKS)).content.decode()
    assert f"{page(active, 'pause')}?list=" in html
    assert f"{page(active, 'run')}?list=" not in html


def test_a_note_for_all_that_are_selected(root, make_task):
    tasks = [make_task("One"), make_task("Two")]
    data = {"action": "pause", "note": "Moving", "_selected_action": [task.pk for task in tasks]}
    root.post(reverse(TASKS), data)

    assert set(SchedulerTask.objects.values_list("pause_note", flat=True)) == {"Moving"}


def test_the_latest_outcomes_in_a_strip(root, task, make_execution, text_of):
    now = timezone.now()
    for number in range(25):
        status = "failed" if number in (3, 22) else "succeeded"  # the former is too long ago to be shown
        make_execution(task, status=status, fire_at=now + timedelta(seconds=number), duration=number / 10)

    response = root.get(reverse(TASKS))
    html = response.content.decode()
    assert html.count("<rect") == 20
    assert html.count("sched-fill-bad") == 1
    assert 'aria-label="Succeeded: 19, Failed: 1"' in html
    assert "95% succeeded, typically 1.4 s" in text_of(response)


@pytest.mark.parametrize(
    ("condition", "names"), [("late", {"Late", "Waits"}), ("broken", {"Broken"}), ("open", {"Waits"})]
)
def test_tasks_that_somebody_should_look_at(root, make_task, condition, names):
    late, broken, waits, _well = (make_task(name) for name in ("Late", "Broken", "Waits", "Well"))
    SchedulerTask.objects.filter(pk=late.pk).update(next_run=timezone.now() - timedelta(minutes=5))
    SchedulerTask.objects.filter(pk=broken.pk).update(schedule_error="No.")
    operations.run_task(waits.pk)
    TaskExecution.objects.update(run_at=timezone.now() - timedelta(minutes=5))

    response = root.get(f"{reverse(TASKS)}?condition={condition}")
    assert {task.name for task in response.context["cl"].result_list} == names
