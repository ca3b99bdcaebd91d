"""What holds for the whole scheduler: maintenance, the exclusions of all tasks, and the environment."""

from __future__ import annotations

from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from django_sched_tasks import database, exclusions, operations
from django_sched_tasks.api import reading
from django_sched_tasks.api.base import SchedulerViewSet
from django_sched_tasks.api.rows import utc_text
from django_sched_tasks.api.serializers import ExclusionsSerializer, MaintenanceSerializer, NoBodySerializer
from django_sched_tasks.api.views import PAUSE
from django_sched_tasks.models import SchedulerState


class StateViewSet(SchedulerViewSet):
    """Who may view tasks may look; who may pause them may change it."""

    serializer_class = NoBodySerializer
    needs = dict.fromkeys(("start_maintenance", "end_maintenance", "set_exclusions", "confirm_environment"), PAUSE)

    def get_object(self) -> SchedulerState:
        """The only one there is: no address has an id, and REST framework asks for it to answer OPTIONS."""
        return operations.scheduler_state()

    def show_maintenance(self, request: Request) -> Response:
        return Response(_maintenance(operations.scheduler_state()))

    @action(detail=False, methods=["put"], serializer_class=MaintenanceSerializer)
    def start_maintenance(self, request: Request) -> Response:
        """Plan and claim nothing until an instant; what runs goes on."""
        given = reading.read_fields(request, ("until", "note"), required=("until",))
        until = reading.read_instant("until", given.pop("until"))
        return Response(_maintenance(operations.start_maintenance(until, **given, user=request.user)))

    def end_maintenance(self, request: Request) -> Response:
        return Response(_maintenance(operations.end_maintenance(user=request.user)))

    def show_exclusions(self, request: Request) -> Response:
        return Response(_exclusions(operations.scheduler_state()))

    @action(detail=False, methods=["put"], serializer_class=ExclusionsSerializer)
    def set_exclusions(self, request: Request) -> Response:
        """Exclude these dates and windows for all tasks, in place of those before."""
        given = reading.read_fields(request, ("exclusions",), required=("exclusions",))
        return Response(_exclusions(operations.set_exclusions(given["exclusions"], user=request.user)))

    def show_environment(self, request: Request) -> Response:
        return Response(_environment(operations.environment()))

    @action(detail=False, methods=["post"], serializer_class=NoBodySerializer)
    def confirm_environment(self, request: Request) -> Response:
        """The database belongs to the environment of this process from now on."""
        reading.read_fields(request, ())
        done = operations.confirm_environment(user=request.user)
        return Response(_environment(done.environment) | {"cancelled": done.cancelled, "let_go": done.let_go})


def _maintenance(state: SchedulerState) -> dict[str, Any]:
    if state.maintenance_until is None or not state.is_in_maintenance(database.now()):
        return {"active": False, "until": None, "note": "", "by": ""}
    until = utc_text(state.maintenance_until)
    return {"active": True, "until": until, "note": state.maintenance_note, "by": state.maintenance_by}


def _exclusions(state: SchedulerState) -> dict[str, Any]:
    return {"exclusions": state.exclusions, "descriptions": exclusions.describe(state.exclusions)}


def _environment(environment: operations.Environment) -> dict[str, Any]:
    return {
        "recorded": environment.recorded or None,
        "here": environment.here or None,
        "fits": environment.fits,
        "problem": environment.problem,
    }
