"""The page that Prometheus reads."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.exposition import choose_encoder

from django_sched_tasks.contrib.prometheus import exposition

PERMISSION = "django_sched_tasks.view_schedulernode"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever has the token, or is staff and may see nodes."""
    if not (exposition.has_token(request.headers.get("Authorization", "")) or _may_see(request)):
        return HttpResponse("Send the token: Authorization: Bearer …\n", "text/plain; charset=utf-8", 401, headers=_ASK)
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(exposition.registry()), content_type=content_type)


_ASK = {"WWW-Authenticate": "Bearer"}


def _may_see(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return user is not None and user.is_staff and user.has_perm(PERMISSION)
