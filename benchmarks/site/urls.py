"""The contender's API where it has one, and beside it a bare one of REST framework."""

from typing import Any

from django.apps import apps
from django.urls import include, path

urlpatterns: list[Any] = []

if apps.is_installed("django_sched_tasks"):
    from benchmarks.site.views import NoteViewSet

    urlpatterns = [
        path("api/scheduler/", include("django_sched_tasks.urls")),
        path("notes/", NoteViewSet.as_view({"get": "list", "post": "create"})),
    ]
