"""A look at a chosen instant, channels, and receivers that keep what they are sent."""

import socket

import django
import pytest
from aiosmtpd.controller import Controller

from django_sched_tasks.contrib.alerts import watch
from django_sched_tasks.contrib.alerts.models import Alert, AlertChannel
from django_sched_tasks.models import SchedulerNode
from tests.support.receiver import Receiver


@pytest.fixture
def look(at):
    """Look, and send what is due, as at so many seconds after NOW; answers the open alerts as (condition, title).

    Nodes that have not ended give a sign of life first.
    """

    def look(seconds):
        SchedulerNode.objects.filter(state="alive").update(heartbeat_at=at(seconds), loop_at=at(seconds))
        assert watch.look(at(seconds))
        watch.send_due(at(seconds))
        return sorted(Alert.objects.filter(open_key__isnull=False).values_list("condition", "title"))

    return look


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def webhook(db, receiver):
    return AlertChannel.objects.create(name="hook", kind="webhook", target=f"{receiver.url}/hook", secret="of the hook")


@pytest.fixture
def email(db):
    return AlertChannel.objects.create(name="ops", kind="email", target="ops@example.org, dev@example.org")


class Sink:
    """What an SMTP server has accepted; ``refuses`` makes it refuse."""

    def __init__(self):
        self.messages = []
        self.refuses = False

    async def handle_DATA(self, server, session, envelope):
        if self.refuses:
            return "451 Try later"
        self.messages.append(envelope)
        return "250 OK"


@pytest.fixture
def smtp(settings):
    """A mail server on this host, and a site that sends by it."""
    sink = Sink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    if django.VERSION >= (6, 1):
        options = {"host": "127.0.0.1", "port": port, "timeout": 10}
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 10
    yield sink
    controller.stop()
