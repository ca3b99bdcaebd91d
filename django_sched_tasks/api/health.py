"""For load balancers, orchestrators and monitors: 200 while schedules are kept, else 503, with the reasons."""

from __future__ import annotations

import hmac
from dataclasses import asdict
from typing import Any

from django.db import DatabaseError
from rest_framework.request import Request
from rest_framework.response import Response

from django_sched_tasks import conf, operations
from django_sched_tasks.api.base import SchedulerViewSet
from django_sched_tasks.api.serializers import NoBodySerializer
from django_sched_tasks.models import SchedulerNode


class HealthViewSet(SchedulerViewSet):
    """Who knows ``HEALTH_TOKEN`` needs no account, and no database to be recognised."""

    model = SchedulerNode
    serializer_class = NoBodySerializer

    def get_authenticators(self) -> list[Any]:
        return [] if self._has_token() else super().get_authenticators()

    def get_permissions(self) -> list[Any]:
        return [] if self._has_token() else super().get_permissions()

    def show(self, request: Request) -> Response:
        return _answer(operations.health())

    def handle_exception(self, exc: Exception) -> Any:
        """Whoever logs in by session or by a token in the database cannot even be asked who he is without it."""
        if isinstance(exc, DatabaseError):
            return _answer(operations.Health([str(exc).strip()]))
        return super().handle_exception(exc)

    def _has_token(self) -> bool:
        token = conf.health_token()
        if token is None or self.request is None:  # a generator of schemas asks without a request
            return False
        scheme, _, given = self.request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(given.strip().encode(errors="replace"), token.encode())


def _answer(health: operations.Health) -> Response:
    body = {"status": "ok" if health.is_healthy else "failing", **asdict(health)}
    return Response(body, 200 if health.is_healthy else 503, headers={"Cache-Control": "no-store"})
