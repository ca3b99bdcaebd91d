from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:django_sched_tasks_schedulertask_changelist")),
    path("admin/", admin.site.urls),
    path("api/scheduler/", include("django_sched_tasks.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("reports/", include("scheduler.urls")),
]
