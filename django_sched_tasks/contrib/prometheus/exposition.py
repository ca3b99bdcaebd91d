"""Who may read the metrics, and what there is to read."""

from __future__ import annotations

import hmac
import os

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from django_sched_tasks import conf
from django_sched_tasks.contrib.prometheus.cluster import ClusterCollector


def registry() -> CollectorRegistry:
    """The process's own; where its processes share a directory, that of all of them together."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    together.register(ClusterCollector())
    return together


def has_token(authorization: str) -> bool:
    """Whether a header ``Authorization`` carries the token; never, where none is set."""
    token = conf.option("PROMETHEUS", "TOKEN")
    scheme, _, given = authorization.partition(" ")
    if token is None or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode(errors="replace"), token.encode())
