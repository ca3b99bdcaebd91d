"""The overview, a task's week, and what runs once with other arguments: what the pages tell, and to whom."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_sched_tasks import operations
from django_sched_tasks.admin import overview
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution

OVERVIEW = "admin:django_sched_tasks_schedulertask_overview"
LIVE = "admin:django_sched_tasks_schedulertask_overview_live"


@pytest.fixture
def node(db):
    now = timezone.now()
    given = {"started_by": "test", "started_at": now, "heartbeat_at": now, "loop_at": now, "slots": 10}
    return SchedulerNode.objects.create(host="here", pid=1, executors=["default"], **given)


@pytest.fixture
def seen(db):
    return lambda **rights: overview.read(timezone.now(), **{"sees_nodes": True, "sees_executions": True, **rights})


def late(execution, **fields):
    earlier = timezone.now() - timedelta(minutes=5)
    TaskExecution.objects.filter(pk=execution.pk).update(**{"run_at": earlier, **fields})


def test_health_in_a_line(seen, node, make_task):
    SchedulerNode.objects.update(loop_at=timezone.now() - timedelta(seconds=20), problem="No room on the disk.")
    operations.pause_task(make_task().pk)
    late(operations.run_task(make_task().pk))

    health = seen().health

    assert (health.nodes, health.slots, health.open) == (1, 10, {"queued": 1})
    assert health.loop_lag == pytest.approx(20, abs=5)
    assert health.oldest_waiting == pytest.approx(300, abs=5)
    assert health.problems == ["here:1: No room on the disk."]
    assert health.tasks == {0: 1, 1: 1}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"queue": "mail"}, "A scheduler takes it next."),
        ({"executor": "processes"}, "No running scheduler has the executor “processes”."),
        ({"claim_rank": None}, "it waits for one to end"),
        ({"handed_back_at": datetime(2026, 1, 1, tzinfo=UTC)}, "could resolve its function"),
        ({"status": "claimed", "claim_rank": None}, "about to start it"),
    ],
)
def test_why_an_execution_is_late(seen, node, task, fields, why):
    late(operations.run_task(task.pk), **fields)

    assert [item.why for item in seen().late if why in item.why] != []


def test_more_reasons_to_be_late(seen, node, task):
    late(operations.run_task(task.pk))
    SchedulerNode.objects.update(slots_in_use=10)
    assert seen().late[0].why.startswith("All slots are in use")
    SchedulerNode.objects.update(queues=["mail"])
    assert seen().late[0].why == "No running scheduler serves the queue “default”."
    SchedulerNode.objects.update(state="dead")
    assert seen().late[0].why == "No scheduler is running."


def test_a_task_that_nobody_plans_is_late(seen, node, make_task):
    task, broken, _well = make_task("Late"), make_task("Broken"), make_task("Well")
    SchedulerTask.objects.filter(pk=task.pk).update(next_run=timezone.now() - timedelta(minutes=5))
    SchedulerTask.objects.filter(pk=broken.pk).update(schedule_error="No such hour.")

    found = {item.task.name: item.why for item in seen().late}
    assert found == {"Late": "The schedulers are behind.", "Broken": "No such hour."}


def test_the_next_day(seen, make_task):
    make_task("Daily")
    make_task("Often", trigger="interval", trigger_args={"seconds": 10})
    make_task("Later", trigger="date", trigger_args={"run_date": "2099-01-01"})
    operations.pause_task(make_task("Paused").pk)

    ahead = seen().ahead
    assert [(task.name, len(times)) for task, times in ahead.tasks] == [("Daily", 1)]
    assert [task.name for task in ahead.often] == ["Often"]


def test_the_last_day_hour_by_hour(seen, task, make_execution):
    now = timezone.now()
    two_days_ago = now - timedelta(days=2)
    make_execution(task, queued_at=two_days_ago, finished_at=two_days_ago, fire_at=two_days_ago)
    for seconds, status in ((1, "succeeded"), (3, "succeeded"), (9, "failed")):
        begun = now - timedelta(seconds=10)
        times = {"run_at": begun - timedelta(seconds=seconds), "started_at": begun}
        make_execution(task, status=status, duration=float(seconds), **times)
    make_execution(task, status="missed", started_at=None, duration=None)

    hours = seen().hours

    assert {tone: sum(counts) for tone, counts in hours.outcomes.items()} == {
        "good": 2,
        "bad": 1,
        "warn": 1,
        "quiet": 0,
    }
    assert len(hours.starts) == 24
    assert max(filter(None, hours.durations["p50"])) == 3
    assert max(filter(None, hours.durations["p95"])) == 9
    assert max(filter(None, hours.lateness["max"])) == pytest.approx(9)
    assert not hours.is_cut


def test_only_the_newest_are_read(seen, task, make_execution, monkeypatch):
    monkeypatch.setattr(overview, "MOST_ROWS", 2)
    for _ in range(3):
        make_execution(task, fire_at=timezone.now())

    hours = seen().hours
    assert (sum(hours.outcomes["good"]), hours.is_cut) == (2, True)


def test_what_fails_again_and_again(seen, make_task, make_execution):
    broken, mended = make_task("Broken"), make_task("Mended")
    for number in range(4):
        make_execution(broken, status="failed", error=f"No {number}", fire_at=timezone.now())
        make_execution(mended, status="failed", fire_at=timezone.now())
    make_execution(mended, fire_at=timezone.now())

    assert [(item.name, item.streak, item.error) for item in seen().failing] == [("Broken", 4, "No 3")]


def test_what_runs_now_with_its_progress(root, task, make_execution, text_of):
    running = {"status": "running", "finished_at": None, "duration": None}
    make_execution(task, **running, progress={"done": 2, "total": 8, "message": "<second>"})

    text = text_of(root.get(reverse(OVERVIEW)))
    assert "25% · 2 / 8 · <second>" in text


def test_the_number_of_queries_does_not_grow(root, node, make_task, make_execution):
    counts = []
    for number in (1, 15):
        for index in range(number):
            task = make_task(f"Task {number}.{index}")
            for _ in range(3):
                make_execution(task, status="failed", fire_at=timezone.now())
            late(operations.run_task(task.pk))
        root.get(reverse(OVERVIEW))
        with CaptureQueriesContext(connection) as queries:
            assert root.get(reverse(OVERVIEW)).status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1]
    to_read_the_clock = 0 if connection.vendor == "sqlite" else 2
    assert counts[0] - to_read_the_clock <= 16


def test_the_answer_that_refreshes_it(root, node, task, make_execution):
    make_execution(task)
    answer = root.get(reverse(LIVE)).json()

    assert set(answer["parts"]) == {
        f"sched-part-{name}" for name in ("health", "late", "running", "failing", "ahead", "hours")
    }
    assert sum(answer["charts"]["good"]) == 1
    assert len(answer["charts"]["hours"]) == len(answer["charts"]["lateness_p95"]) == 24


def test_who_may_not_view_executions_sees_the_rest(may, task, make_execution, text_of):
    make_execution(task, status="failed", error="secret")
    client = may("view_schedulertask")

    text = text_of(client.get(reverse(OVERVIEW)))
    assert "The next 24 hours" in text
    assert "The last 24 hours" not in text
    assert client.get(reverse(LIVE)).json()["charts"] is None
    assert may("view_taskexecution").get(reverse(OVERVIEW)).status_code == 403


def test_the_lists_and_the_index_lead_there(root, may, task):
    url = reverse(OVERVIEW)
    for name in ("schedulertask", "taskexecution", "schedulernode"):
        assert f'href="{url}"' in root.get(reverse(f"admin:django_sched_tasks_{name}_changelist")).content.decode()
    assert f'href="{url}"' in root.get("/admin/django_sched_tasks/").content.decode()
    other = may("view_taskexecution")
    assert url not in other.get(reverse("admin:django_sched_tasks_taskexecution_changelist")).content.decode()


def test_a_week_shows_what_ran_and_what_will(root, task, make_execution, page, text_of):
    ran = make_execution(task, fire_at=timezone.now() - timedelta(hours=1))
    html = root.get(page(task, "week"))

    text = text_of(html)
    assert "1 before now" in text or "1 to come" in text
    assert f'href="{page(ran)}"' in html.content.decode()
    assert "to come" in text_of(root.get(page(task, "week") + "?week=1"))
    assert root.get(page(task, "week") + "?week=x").context["offset"] == 0


def test_a_week_marks_collisions(root, make_task, make_execution, page):
    task = make_task(trigger="interval", trigger_args={"hours": 8}, concurrency_key="disk")
    other = make_task("Other", trigger="interval", trigger_args={"hours": 8}, concurrency_key="disk")
    long = {"duration": 3600.0, "fire_at": timezone.now() - timedelta(days=10)}
    make_execution(task, **long)
    make_execution(other, **long)

    shown = root.get(page(task, "week"))
    assert shown.context["week"].collisions >= 8  # each of the other's begins while one of the task's would run
    assert "Another task with the same concurrency key" in shown.content.decode()


def test_a_week_counts_what_was_skipped_as_a_collision(root, task, make_execution, page):
    make_execution(task, status="skipped", reason="overlap", started_at=None, duration=None)
    assert root.get(page(task, "week")).context["week"].collisions == 1


def test_a_week_of_what_fires_all_the_time_is_cut(root, make_task, page):
    task = make_task(trigger="interval", trigger_args={"seconds": 1})
    week = root.get(page(task, "week")).context["week"]
    assert week.is_cut
    assert str(week.days[-1].lane).count("<rect") < 10


def test_a_week_of_a_broken_task_says_so(root, task, page, text_of):
    SchedulerTask.objects.update(trigger_args={"hour": "25"})
    assert "hour" in text_of(root.get(page(task, "week")))
    SchedulerTask.objects.update(timezone="Nowhere/Atall")
    assert "Nowhere/Atall" in text_of(root.get(page(task, "week")))


def test_run_once_with_other_arguments(root, make_task, make_execution, page):
    task = make_task(func="tests.zoo.tasks:add", kwargs={"a": 1})
    failed = make_execution(task, status="failed", kwargs={"a": 5})
    url = page(task, "run_with")
    assert root.get(f"{url}?execution={failed.pk}").context["form"]["kwargs"].initial == {"a": 5}

    response = root.post(url, {"args": "[]", "kwargs": '{"a": 7}'})
    execution = TaskExecution.objects.get(status="queued")
    assert response.url == page(execution)
    assert (execution.kwargs, execution.requested_by) == ({"a": 7}, "staff")
    task.refresh_from_db()
    assert task.kwargs == {"a": 1}

    root.post(url, {"args": "", "kwargs": '{"a": 8}', "keep": "on"})
    task.refresh_from_db()
    assert task.kwargs == {"a": 8}


def test_a_failed_run_is_mended_as_a_further_attempt(root, make_task, make_execution, page):
    task = make_task(func="tests.zoo.tasks:leaks_password", kwargs={"password": "of-the-task"})
    failed = make_execution(task, status="failed", func=task.func, kwargs={"password": "hunter22"})
    url = f"{page(task, 'run_with')}?execution={failed.pk}"
    assert "hunter22" not in root.get(url).content.decode()

    response = root.post(url, {"args": "[]", "kwargs": '{"password": "*****"}'})
    retry = TaskExecution.objects.get(status="queued")
    assert response.url == page(retry)
    assert (retry.attempt, retry.fire_at, retry.kwargs) == (2, failed.fire_at, {"password": "hunter22"})

    form = root.post(url, {"args": "[]", "kwargs": '{"password": "*****"}'}).context["form"]
    assert "has not ended yet" in form.non_field_errors()[0]


def test_arguments_that_do_not_fit_are_told_at_their_field(root, make_task, page):
    task = make_task(func="tests.zoo.tasks:add", kwargs={"a": 1})
    for kwargs in ('{"c": 1}', "{"):
        form = root.post(page(task, "run_with"), {"args": "[]", "kwargs": kwargs}).context["form"]
        assert list(form.errors) == ["kwargs"]
    assert not TaskExecution.objects.exists()


def test_running_with_other_arguments_needs_the_permission(viewer, may, task, page):
    assert viewer.get(page(task, "run_with")).status_code == 403
    client = may("view_schedulertask", "run_schedulertask")
    assert "keep" not in client.get(page(task, "run_with")).context["form"].fields
    assert client.post(page(task, "run_with"), {"args": "", "kwargs": "", "keep": "on"}).status_code == 302


def test_pages_of_what_is_not_there(root):
    for name in ("week", "run_with"):
        url = reverse(f"admin:django_sched_tasks_schedulertask_{name}", args=["77"])
        assert root.get(url, follow=True).redirect_chain
    assert root.get(reverse("admin:django_sched_tasks_taskexecution_live", args=["77"])).status_code == 404
