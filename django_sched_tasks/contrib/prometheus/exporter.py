"""A port of its own for a process that hosts a node and serves no pages, such as ``runscheduler``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.db import connections
from prometheus_client.exposition import make_wsgi_app

from django_sched_tasks import conf, signals
from django_sched_tasks.contrib.prometheus import exposition

logger = logging.getLogger(__name__)

_started = threading.Event()


def connect() -> None:
    signals.node_beat.connect(_on_beat, dispatch_uid=__name__)


def _on_beat(**_payload: Any) -> None:
    """At the first sign of life: only a process that hosts a node has any."""
    port = conf.option("PROMETHEUS", "PORT")
    if port is None or _started.is_set():
        return
    _started.set()
    try:
        start(conf.option("PROMETHEUS", "ADDRESS"), port)
    except OSError as error:
        logger.error("No metrics are served on port %s: %s", port, error)


def start(address: str, port: int) -> WSGIServer:
    server = make_server(address, port, _app, server_class=_Server, handler_class=_Handler)
    threading.Thread(target=server.serve_forever, name="sched-tasks-metrics", daemon=True).start()
    logger.info("Metrics are served on %s:%s.", address, server.server_port)
    return server


def _app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Whoever reaches the port may read, unless there is a token."""
    try:
        if conf.option("PROMETHEUS", "TOKEN") is not None and not exposition.has_token(
            environ.get("HTTP_AUTHORIZATION", "")
        ):
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")])
            return [b"Send the token.\n"]
        answer: Iterable[bytes] = make_wsgi_app(exposition.registry())(environ, start_response)
        return answer
    finally:
        connections.close_all()  # each request has a thread of its own


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)
