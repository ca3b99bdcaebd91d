"""Who may do what: staff, with Django's permissions for the model."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

BY_METHOD = {
    "GET": "view",
    "HEAD": "view",
    "OPTIONS": "view",
    "POST": "add",
    "PUT": "change",
    "PATCH": "change",
    "DELETE": "delete",
}


class SchedulerPermission(BasePermission):
    """Staff who hold the permission that the action needs."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user: Any = request.user
        if not user or not user.is_authenticated or not getattr(user, "is_staff", False):
            return False
        return bool(user.has_perm(needed_permission(request, view)))


def needed_permission(request: Request, view: Any) -> str:
    """The permission's full name: what the view says its action needs, else the one of the method for its model."""
    model = view.model._meta
    verb = BY_METHOD.get(request.method or "", "change")
    return f"{model.app_label}.{view.needs.get(view.action, f'{verb}_{model.model_name}')}"
