from django_sched_tasks.models.execution import ExecutionStatus, Kind, Reason, TaskExecution, count_up_to
from django_sched_tasks.models.node import NodeState, SchedulerNode
from django_sched_tasks.models.state import SchedulerState
from django_sched_tasks.models.task import OnCrash, Overlap, SchedulerTask, Source, TaskStatus

__all__ = [
    "ExecutionStatus",
    "Kind",
    "NodeState",
    "OnCrash",
    "Overlap",
    "Reason",
    "SchedulerNode",
    "SchedulerState",
    "SchedulerTask",
    "Source",
    "TaskExecution",
    "TaskStatus",
    "count_up_to",
]
