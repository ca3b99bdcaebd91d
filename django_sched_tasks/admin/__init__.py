"""The admin's pages of tasks, executions and nodes. A site of its own may register these classes with its models."""

from django.contrib import admin

from django_sched_tasks.admin.execution import ExecutionAdmin
from django_sched_tasks.admin.node import NodeAdmin
from django_sched_tasks.admin.task import TaskAdmin
from django_sched_tasks.models import SchedulerNode, SchedulerTask, TaskExecution

__all__ = ["ExecutionAdmin", "NodeAdmin", "TaskAdmin"]

admin.site.register(SchedulerTask, TaskAdmin)
admin.site.register(TaskExecution, ExecutionAdmin)
admin.site.register(SchedulerNode, NodeAdmin)
