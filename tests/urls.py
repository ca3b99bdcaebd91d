from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/scheduler/", include("django_sched_tasks.urls")),
    path("reports/", include("scheduler.urls")),
]
