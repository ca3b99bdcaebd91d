"""What may be scheduled, when it would run, where it runs, and the whole in figures: nothing here changes anything."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from django_sched_tasks import database, exclusions, operations, registry, triggers
from django_sched_tasks.api import reading, statistics
from django_sched_tasks.api.base import SchedulerViewSet
from django_sched_tasks.api.filters import NODE_FILTERS, search_words
from django_sched_tasks.api.fire_times import fire_times
from django_sched_tasks.api.serializers import (
    ExecutorSerializer,
    FunctionSerializer,
    NoBodySerializer,
    NodeSerializer,
    PreviewSerializer,
)
from django_sched_tasks.exceptions import InvalidTrigger
from django_sched_tasks.models import SchedulerNode


class NodeViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, SchedulerViewSet):
    """The scheduler processes."""

    model = SchedulerNode
    serializer_class = NodeSerializer
    filters = NODE_FILTERS
    search_fields = ("host", "started_by")
    ordering_fields = ("host", "state", "started_at", "heartbeat_at", "stopped_at")

    def read_pk(self, given: str) -> uuid.UUID | None:
        try:
            return uuid.UUID(given)
        except ValueError:
            return None


class FunctionViewSet(SchedulerViewSet):
    """What may be scheduled."""

    serializer_class = FunctionSerializer
    search_fields = ("path", "doc")

    def list(self, request: Request) -> Response:
        words = [word.casefold() for word in search_words(request)]
        found = [
            function
            for function in registry.functions()
            if all(word in f"{function.path}\n{function.doc}".casefold() for word in words)
        ]
        page = self.paginate_queryset(found) or []
        return self.get_paginated_response([asdict(function) for function in page])


class ExecutorViewSet(SchedulerViewSet):
    """The executors of the site, and what each of them can do."""

    serializer_class = ExecutorSerializer

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(operations.executors()) or []
        return self.get_paginated_response([asdict(executor) for executor in page])


class TriggerViewSet(SchedulerViewSet):
    """Triggers, without a task."""

    serializer_class = PreviewSerializer
    needs = {"preview": "view_schedulertask"}

    def preview(self, request: Request) -> Response:
        """A trigger in words and its next fire times; nothing is saved."""
        given = reading.read_fields(
            request,
            ("trigger", "trigger_args", "timezone", "count", "after", "exclusions"),
            required=("trigger", "trigger_args"),
        )
        count, now = reading.read_count(given.get("count")), database.now()
        after = now if given.get("after") is None else reading.read_instant("after", given["after"])
        trigger, trigger_args, timezone = given["trigger"], given["trigger_args"], given.get("timezone") or ""
        own = given.get("exclusions", [])
        try:
            triggers.validate(trigger, trigger_args, timezone=timezone, now=min(now, after))
        except InvalidTrigger:  # asked about long ago, it may still fire within reach of today
            triggers.validate(trigger, trigger_args, timezone=timezone, now=now)
        exclusions.read(own)
        return Response(fire_times(trigger, trigger_args, timezone, after=after, count=count, own_exclusions=own))


class StatsViewSet(SchedulerViewSet):
    """The whole in a few figures."""

    serializer_class = NoBodySerializer

    def show(self, request: Request) -> Response:
        return Response(statistics.figures(database.now()))
