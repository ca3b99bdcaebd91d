from django.urls import path

from django_sched_tasks.contrib.prometheus.views import metrics

urlpatterns = [path("", metrics, name="sched-tasks-metrics")]
