"""Redis and RabbitMQ for Celery, each behind a proxy that a test can cut; what a test sends has a queue of its own."""

import os
import socket
import uuid
from urllib.parse import urlsplit

import pytest

from tests.support.proxy import Proxy

URLS = {
    "redis": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/9"),
    "rabbitmq": os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}


class Broker:
    """One of the brokers; ``url`` leads through the proxy."""

    def __init__(self, name):
        self.name = name
        self.queue = f"sched_tasks_{uuid.uuid4().hex[:12]}"
        parts = urlsplit(URLS[name])
        self._address = (parts.hostname, parts.port)
        self.proxy = Proxy(self._address)
        self.url = parts._replace(
            netloc=parts.netloc.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{self.proxy.port}")
        ).geturl()

    def close(self):
        import kombu

        self.proxy.close()
        with kombu.Connection(URLS[self.name]) as connection:
            queue = kombu.Queue(self.queue, channel=connection.default_channel)
            queue.queue_declare()
            queue.delete()


def require(name):
    """Skip where the broker, or Celery, is not there; fail where REQUIRE_BROKERS says that they must be."""
    if os.environ.get("REQUIRE_BROKERS"):
        socket.create_connection((urlsplit(URLS[name]).hostname, urlsplit(URLS[name]).port), timeout=5).close()
        return
    pytest.importorskip("celery")
    if name == "redis":
        pytest.importorskip("redis")
    parts = urlsplit(URLS[name])
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=2).close()
    except OSError:
        pytest.skip(f"{name} does not answer at {parts.hostname}:{parts.port}")
