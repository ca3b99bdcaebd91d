"""The pages of what Django's task framework has enqueued: executions without a scheduled task."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse

from django_sched_tasks import operations
from django_sched_tasks.models import TaskExecution

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIST = "admin:django_sched_tasks_taskexecution_changelist"
PAGE = "admin:django_sched_tasks_taskexecution_change"


@pytest.fixture
def execution(db):
    return operations.enqueue(
        "tests.zoo.background:send",
        name="send",
        args=["a@example.org"],
        kwargs={"password": "hunter2"},
        backend="default",
        queue="mail",
        priority=10,
        now=NOW,
    )


@pytest.fixture
def pages(client, staff):
    client.force_login(staff)
    return client


def test_the_list_tells_them_from_those_of_deleted_tasks(pages, execution):
    html = pages.get(reverse(LIST), {"kind__exact": "enqueued"}).content.decode()

    assert "send" in html
    assert "Enqueued" in html
    assert "deleted" not in html


def test_they_are_found_by_the_id_of_their_result(pages, execution):
    assert pages.get(reverse(LIST), {"q": execution.request}).context["cl"].result_count == 1
    assert pages.get(reverse(LIST), {"q": execution.request[:-1]}).context["cl"].result_count == 0


def test_a_page_shows_what_there_is(pages, execution):
    html = pages.get(reverse(PAGE, args=[execution.pk])).content.decode()

    for text in (execution.request, "tests.zoo.background:send", "a@example.org", "mail", "*****", "Result id"):
        assert text in html, text
    for text in ("hunter2", "deleted", "Job id", "Before and after"):
        assert text not in html, text


def test_they_are_retried_and_cancelled_by_the_buttons(pages, execution):
    def press(verb, execution):
        url = reverse(f"admin:django_sched_tasks_taskexecution_{verb}", args=[execution.pk])
        return pages.post(url, follow=True)

    press("cancel", execution)
    execution.refresh_from_db()
    assert execution.status == "cancelled"
    html = press("retry", execution).content.decode()
    again = TaskExecution.objects.get(attempt=2)
    assert (again.status, again.claim_rank, again.requested_by) == ("queued", -10, "staff")
    assert f"attempt 1, execution #{execution.pk}" in html


def test_health_and_overview_count_them(pages, execution):
    assert operations.health(NOW).oldest_waiting == 0
    html = pages.get(reverse("admin:django_sched_tasks_schedulertask_overview")).content.decode()

    assert f"send #{execution.pk}" in html  # it waits: no scheduler is running


def test_the_api_shows_filters_retries_and_cancels_them(staff_api, execution):
    def ask(method, path, **options):
        return getattr(staff_api, method)(f"/api/scheduler/executions/{path}", **options)

    (shown,) = ask("get", f"?request={execution.request}&kind=enqueued").json()["results"]
    assert (shown["task"], shown["job_id"], shown["request"]) == (None, "", execution.request)
    assert shown["kwargs"] == {"password": "*****"}
    assert ask("post", f"{execution.pk}/cancel/").json()["status"] == "cancelled"
    assert ask("post", f"{execution.pk}/retry/").json()["attempt"] == 2
