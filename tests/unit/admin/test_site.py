"""Within other admin sites."""

from django.contrib import admin
from django.urls import clear_url_caches, path

from django_sched_tasks.admin import ExecutionAdmin, TaskAdmin
from django_sched_tasks.models import SchedulerTask, TaskExecution


def serve(settings, site):
    settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": [path("office/", site.urls)]})
    clear_url_caches()


def test_a_site_of_its_own(settings, root, task, make_execution):
    site = admin.AdminSite(name="office")
    site.register(SchedulerTask, TaskAdmin)
    site.register(TaskExecution, ExecutionAdmin)
    serve(settings, site)
    execution = make_execution(task)

    html = root.get("/office/django_sched_tasks/schedulertask/").content.decode()
    assert f"/office/django_sched_tasks/taskexecution/{execution.pk}/change/" in html
    response = root.post(f"/office/django_sched_tasks/schedulertask/{task.pk}/pause/", follow=True)
    assert response.redirect_chain == [(f"/office/django_sched_tasks/schedulertask/{task.pk}/change/", 302)]
    assert root.get(f"/office/django_sched_tasks/taskexecution/{execution.pk}/change/").status_code == 200


def test_a_site_without_the_pages_of_executions(settings, root, task, make_execution):
    site = admin.AdminSite(name="office")
    site.register(SchedulerTask, TaskAdmin)
    serve(settings, site)
    make_execution(task)

    for url in (
        "/office/django_sched_tasks/schedulertask/",
        f"/office/django_sched_tasks/schedulertask/{task.pk}/change/",
    ):
        response = root.get(url)
        assert b"Succeeded" in response.content
        assert b"taskexecution" not in response.content
