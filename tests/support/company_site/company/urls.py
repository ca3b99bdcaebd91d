from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path

urlpatterns = [
    path("", lambda request: HttpResponse("Welcome")),
    path("admin/", admin.site.urls),
    path("api/scheduler/", include("django_sched_tasks.urls")),
]
