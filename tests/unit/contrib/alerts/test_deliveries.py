"""What is told of alerts: to real receivers, which may be slow, wrong or away; and never twice by two nodes."""

import email
import email.policy
import hashlib
import hmac
import socket
import threading
from datetime import timedelta

import pytest
from django.db import connections

from django_sched_tasks import database
from django_sched_tasks.contrib.alerts import book, delivery, signals, watch
from django_sched_tasks.contrib.alerts.models import Alert, AlertChannel, AlertDelivery, AlertRule, Event
from django_sched_tasks.models import SchedulerTask

pytestmark = pytest.mark.django_db


@pytest.fixture
def broken(make, at):
    """Make tasks whose schedules are broken, which is a state that a test can end; answers them."""

    def broken(*names):
        tasks = [make(name=name, trigger="cron", trigger_args={"month": 1}) for name in names]
        SchedulerTask.objects.filter(pk__in=[task.pk for task in tasks]).update(schedule_error="Broken.", status=0)
        return tasks

    return broken


@pytest.fixture(autouse=True)
def without_nodes(db):
    AlertRule.objects.create(condition="no_node", is_enabled=False)


def mend():
    SchedulerTask.objects.update(schedule_error="")


def states():
    return list(AlertDelivery.objects.order_by("pk").values_list("event", "state", "attempts"))


# Webhooks


@pytest.mark.usefixtures("webhook")
def test_a_webhook_is_told_of_the_beginning_and_the_end(look, broken, receiver, settings):
    settings.SCHED_TASKS = {**settings.SCHED_TASKS, "ALERTS": {"BASE_URL": "https://example.org/"}}
    (task,) = broken("Nightly")
    look(0)
    mend()
    look(100)
    opened, resolved = receiver.received

    alert = Alert.objects.get()
    assert opened.path == "/hook"
    assert opened.headers["Content-Type"] == "application/json"
    assert opened.json["event"] == "opened"
    assert (
        opened.json["alert"].items()
        >= {
            "id": alert.pk,
            "condition": "schedule_error",
            "subject": f"task:{task.pk}",
            "title": "The trigger of Nightly cannot be planned",
            "detail": "Broken.",
            "state": "open",
            "task": {"id": task.pk, "job_id": task.job_id, "name": "Nightly"},
            "opened_at": "2026-01-01T00:00:00Z",
            "resolved_at": None,
            "url": f"https://example.org/admin/sched_tasks_alerts/alert/{alert.pk}/change/",
        }.items()
    )
    assert (resolved.json["event"], resolved.json["alert"]["state"]) == ("resolved", "resolved")
    assert states() == [("opened", "sent", 1), ("resolved", "sent", 1)]


@pytest.mark.usefixtures("webhook")
def test_a_webhook_is_signed(look, broken, receiver, at):
    broken("Nightly")
    look(0)
    (request,) = receiver.received
    timestamp = request.headers["X-Sched-Tasks-Timestamp"]
    expected = hmac.new(b"of the hook", timestamp.encode() + b"." + request.body, hashlib.sha256).hexdigest()

    assert request.headers["X-Sched-Tasks-Signature"] == f"sha256={expected}"
    assert timestamp == str(int(at(0).timestamp()))
    assert request.headers["X-Sched-Tasks-Delivery"] == str(AlertDelivery.objects.get().pk)


@pytest.mark.usefixtures("webhook")
def test_without_a_secret_there_is_no_signature(look, broken, receiver):
    AlertChannel.objects.update(secret="")
    broken("Nightly")
    look(0)

    assert "X-Sched-Tasks-Signature" not in receiver.received[0].headers


@pytest.mark.usefixtures("webhook")
def test_a_webhook_that_fails_is_called_again_later_and_later(look, broken, receiver, at):
    receiver.answers = [500, 503]
    broken("Nightly")
    look(0)
    assert states() == [("opened", "pending", 1)]
    assert AlertDelivery.objects.get().error == "The receiver answered 500."
    assert watch.send_due(at(29)) == 0
    assert watch.send_due(at(31)) == 0  # the 503
    assert watch.send_due(at(80)) == 0  # twice as long
    assert watch.send_due(at(92)) == 1

    assert len(receiver.received) == 3
    assert {request.headers["X-Sched-Tasks-Delivery"] for request in receiver.received} == {
        str(AlertDelivery.objects.get().pk)
    }
    assert states() == [("opened", "sent", 3)]


@pytest.mark.usefixtures("webhook")
def test_a_webhook_is_given_up_in_the_end(look, broken, receiver, at):
    receiver.answers = [500] * 2
    broken("Nightly")
    look(0)
    watch.send_due(at(86_401))

    assert states() == [("opened", "failed", 2)]
    assert watch.send_due(at(2 * 86_400)) == 0


@pytest.mark.usefixtures("webhook")
def test_a_redirect_is_not_followed(look, broken, receiver):
    receiver.answers = [(302, {"Location": f"{receiver.url}/elsewhere"})]
    broken("Nightly")
    look(0)

    assert [request.path for request in receiver.received] == ["/hook"]
    assert AlertDelivery.objects.get().error == "The receiver answered 302."


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/hook?key=hidden-key", "http://no.such.host.invalid/hidden-key"])
@pytest.mark.usefixtures("webhook")
def test_a_receiver_that_cannot_be_reached_is_told_without_its_address(look, broken, target, caplog):
    AlertChannel.objects.update(target=target)
    broken("Nightly")
    look(0)

    assert AlertDelivery.objects.get().error.startswith("The receiver cannot be reached: ")
    assert "hidden-key" not in AlertDelivery.objects.get().error + caplog.text


@pytest.mark.usefixtures("webhook")
def test_a_receiver_that_says_nothing_is_not_waited_for(look, broken, settings):
    settings.SCHED_TASKS = {**settings.SCHED_TASKS, "ALERTS": {"WEBHOOK_TIMEOUT": 0.2}}
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        AlertChannel.objects.update(target=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        broken("Nightly")
        look(0)

    assert "TimeoutError" in AlertDelivery.objects.get().error


def test_one_that_fails_does_not_hold_up_the_others(look, broken, webhook, receiver):
    AlertChannel.objects.create(name="down", kind="webhook", target="http://127.0.0.1:9/")
    broken("Nightly")
    look(0)

    assert len(receiver.received) == 1
    assert sorted(states()) == [("opened", "pending", 1), ("opened", "sent", 1)]


# Who sends


def test_what_somebody_has_claimed_is_left_to_him_until_his_claim_ends(webhook, receiver, at):
    """As a node that was killed in the middle of it leaves it behind."""
    AlertDelivery.objects.create(
        channel=webhook, event="test", created_at=at(0), due_at=at(0), claimed_until=at(120), claim="of the dead"
    )
    assert watch.send_due(at(60)) == 0
    assert watch.send_due(at(121)) == 1
    assert len(receiver.received) == 1


def test_two_that_want_the_same_send_it_once(webhook, receiver, at):
    """Both have read it as free before either has claimed it."""
    row = AlertDelivery.objects.create(channel=webhook, event="test", created_at=at(0), due_at=at(0))

    assert [delivery._send_webhook(row.pk, lambda: at(1), "default") for _ in range(2)] == [1, 0]
    assert len(receiver.received) == 1


def test_two_that_want_to_mail_send_one(email, mailoutbox, at):
    AlertDelivery.objects.create(channel=email, event="test", created_at=at(0), due_at=at(0))

    assert [delivery._send_email(email.pk, lambda: at(1), "default") for _ in range(2)] == [1, 0]
    assert len(mailoutbox) == 1


@pytest.mark.usefixtures("two_connections")
def test_nodes_that_look_at_once_open_one_alert_and_tell_it_once(make, at, receiver):
    AlertChannel.objects.create(name="hook", kind="webhook", target=receiver.url)
    SchedulerTask.objects.filter(pk=make().pk).update(schedule_error="Broken.", status=0)
    AlertRule.objects.get_or_create(condition="no_node", defaults={"is_enabled": False})
    together = threading.Barrier(3)

    def node():
        together.wait()
        for _ in range(5):
            database.retrying(lambda: watch.look(at(0)))
            watch.send_due(at(0))
        connections.close_all()

    threads = [threading.Thread(target=node) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert Alert.objects.count() == 1
    assert len(receiver.received) == 1


# E-mail


def messages(smtp):
    return [email_of(envelope) for envelope in smtp.messages]


def email_of(envelope):
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


@pytest.mark.usefixtures("email")
def test_what_gathers_is_one_mail(look, broken, smtp):
    broken("First", "Second")
    look(0)
    assert smtp.messages == []
    broken("Third")
    look(20)
    look(40)
    (message,) = messages(smtp)

    assert message["Subject"] == "[Django] 3 alerts"
    assert message["To"] == "ops@example.org, dev@example.org"
    assert smtp.messages[0].rcpt_tos == ["ops@example.org", "dev@example.org"]
    text = message.get_content().replace("\r\n", "\n")
    for name in ("First", "Second", "Third"):
        assert f"* The trigger of {name} cannot be planned\n  Schedule error, since 2026-01-01 00:00:" in text
    assert states() == [("opened", "sent", 1)] * 3


@pytest.mark.usefixtures("email")
def test_mails_are_kept_apart_and_news_waits(look, broken, smtp):
    broken("First")
    look(0)
    look(40)
    broken("Second")
    look(60)
    mend()
    look(120)
    look(200)
    assert len(smtp.messages) == 1
    assert messages(smtp)[0]["Subject"] == "[Django] The trigger of First cannot be planned"
    look(341)
    _first, digest = messages(smtp)

    assert digest["Subject"] == "[Django] 2 resolved"
    text = digest.get_content().replace("\r\n", "\n")
    assert "Open:" not in text
    assert "* The trigger of First cannot be planned\n" in text
    assert "since 2026-01-01 00:01:00 UTC, until 2026-01-01 00:02:00 UTC" in text  # told as over alone


@pytest.mark.usefixtures("email")
def test_a_mail_server_that_refuses_is_tried_again(look, broken, smtp, at):
    smtp.refuses = True
    broken("Nightly")
    look(0)
    look(40)
    assert states() == [("opened", "pending", 1)]
    assert "451" in AlertDelivery.objects.get().error
    smtp.refuses = False
    assert watch.send_due(at(60)) == 0
    assert watch.send_due(at(71)) == 1
    assert len(smtp.messages) == 1
    assert AlertChannel.objects.get().failures == 0


@pytest.mark.usefixtures("email")
def test_a_mail_server_that_stays_away_is_given_up(look, broken, smtp, at):
    smtp.refuses = True
    broken("Nightly")
    look(0)
    watch.send_due(at(86_401))

    assert states() == [("opened", "failed", 1)]


@pytest.mark.usefixtures("email")
def test_a_title_cannot_add_headers(look, broken, smtp):
    broken("Nightly\nBcc: all@example.org")
    look(0)
    look(40)
    (message,) = messages(smtp)

    assert message["Bcc"] is None
    assert smtp.messages[0].rcpt_tos == ["ops@example.org", "dev@example.org"]


# Whom it concerns


def test_a_rules_own_channels_are_told_and_no_others(look, broken, webhook, receiver, email):
    loud, _quiet = broken("Loud", "Quiet")
    rule = AlertRule.objects.create(condition="schedule_error", task=loud)
    rule.channels.add(webhook)
    AlertChannel.objects.filter(pk=webhook.pk).update(is_default=False)
    look(0)

    assert [request.json["alert"]["task"]["name"] for request in receiver.received] == ["Loud"]
    assert list(AlertDelivery.objects.filter(channel=email).values_list("alert__task__name", flat=True)) == ["Quiet"]


@pytest.mark.usefixtures("webhook", "email")
def test_a_channel_that_is_off_is_told_nothing(look, broken, receiver):
    AlertChannel.objects.update(is_enabled=False)
    broken("Nightly")
    look(0)

    assert (receiver.received, AlertDelivery.objects.count()) == ([], 0)


@pytest.mark.usefixtures("webhook")
def test_what_waits_for_a_channel_that_is_off_is_given_up(look, broken, receiver):
    receiver.answers = [500]
    broken("Nightly")
    look(0)
    AlertChannel.objects.update(is_enabled=False)
    look(86_000)
    assert states() == [("opened", "pending", 1)]
    look(86_500)

    assert states() == [("opened", "failed", 1)]
    assert len(receiver.received) == 1


def test_old_tests_of_channels_are_deleted(look, webhook, at):
    AlertDelivery.objects.create(channel=webhook, event="test", created_at=at(0), due_at=at(0))
    look(0)
    assert states() == [("test", "sent", 1)]
    look(91 * 86_400)

    assert not AlertDelivery.objects.exists()


def test_the_end_is_told_to_those_who_were_told_the_beginning(look, broken, webhook, receiver):
    broken("Nightly")
    look(0)
    AlertChannel.objects.create(name="new", kind="webhook", target=f"{receiver.url}/new")
    mend()
    look(100)

    assert [request.path for request in receiver.received] == ["/hook", "/hook"]


def test_the_signals(look, broken, staff, at):
    told = []

    def hear(signal, sender, alert, **more):
        told.append((signal, alert.state, more))

    for signal in (signals.alert_opened, signals.alert_resolved, signals.alert_acknowledged):
        signal.connect(hear)
    try:
        broken("Nightly")
        look(0)
        look(20)
        assert book.acknowledge([Alert.objects.get().pk], user=staff, now=at(30))
        assert book.acknowledge([Alert.objects.get().pk], user=staff, now=at(31)) == []
        mend()
        look(100)
    finally:
        for signal in (signals.alert_opened, signals.alert_resolved, signals.alert_acknowledged):
            signal.disconnect(hear)

    assert [(signal, state) for signal, state, _more in told] == [
        (signals.alert_opened, "open"),
        (signals.alert_acknowledged, "acknowledged"),
        (signals.alert_resolved, "resolved"),
    ]
    assert told[1][2] == {"user": "staff"}


@pytest.mark.usefixtures("webhook")
def test_a_receiver_of_the_signal_that_raises_changes_nothing(look, broken, receiver):
    def bad(signal, **payload):
        raise RuntimeError("a receiver's own fault")

    signals.alert_opened.connect(bad)
    try:
        broken("Nightly")
        look(0)
    finally:
        signals.alert_opened.disconnect(bad)
    assert len(receiver.received) == 1


def test_a_mail_waits_and_a_webhook_and_a_test_do_not(webhook, email, at):
    alert = Alert(pk=1)
    due = [
        book.new_delivery(channel, event, at(0), given).due_at - at(0)
        for channel, event, given in (
            (webhook, Event.OPENED, alert),
            (email, Event.OPENED, alert),
            (email, Event.TEST, None),
        )
    ]

    assert due == [timedelta(0), timedelta(seconds=30), timedelta(0)]
