"""A site whose admin is its own, under another name and address."""

from django.contrib import admin
from django.urls import path

from django_sched_tasks.admin import ExecutionAdmin, NodeAdmin, TaskAdmin
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution


class OfficeSite(admin.AdminSite):
    site_header = "The office"


office = OfficeSite(name="office")
office.register(SchedulerTask, TaskAdmin)
office.register(TaskExecution, ExecutionAdmin)
office.register(SchedulerNode, NodeAdmin)

urlpatterns = [path("office/", office.urls)]
