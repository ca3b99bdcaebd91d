"""The admin's pages of alerts, rules and channels, the command, and the system check."""

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.urls import reverse

from django_sched_tasks.contrib.alerts import watch
from django_sched_tasks.contrib.alerts.checks import check_email_timeout
from django_sched_tasks.contrib.alerts.models import Alert, AlertChannel, AlertDelivery, AlertRule
from django_sched_tasks.models import SchedulerTask


def url(name, *args):
    return reverse(f"admin:sched_tasks_alerts_{name}", args=args)


@pytest.fixture
def office(client, staff):
    client.force_login(staff)
    return client


@pytest.fixture
def alert(make, at):
    SchedulerTask.objects.filter(pk=make(name="Nightly").pk).update(schedule_error="Broken <b>", status=0)
    AlertRule.objects.create(condition="no_node", is_enabled=False)
    watch.look(at(0))
    return Alert.objects.get()


def test_the_list_and_the_page_of_an_alert(office, webhook, alert):
    page = office.get(url("alert_changelist")).content.decode()
    assert "The trigger of Nightly cannot be planned" in page
    assert "sched-bad" in page
    page = office.get(url("alert_change", alert.pk)).content.decode()
    assert "Broken &lt;b&gt;" in page
    assert "hook" in page
    assert 'name="_save"' not in page


def test_an_alert_is_acknowledged_in_the_list(office, alert):
    answer = office.post(
        url("alert_changelist"), {"action": "acknowledge", "_selected_action": [alert.pk]}, follow=True
    )
    alert.refresh_from_db()

    assert "1 alert is acknowledged." in answer.content.decode()
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", "staff")


def test_who_may_only_look_cannot_acknowledge(client, visitor, alert):
    from django.contrib.auth.models import Permission

    visitor.is_staff = True
    visitor.save()
    visitor.user_permissions.add(Permission.objects.get(codename="view_alert"))
    client.force_login(visitor)
    client.post(url("alert_changelist"), {"action": "acknowledge", "_selected_action": [alert.pk]})
    alert.refresh_from_db()

    assert client.get(url("alert_changelist")).status_code == 200
    assert alert.state == "open"


@pytest.mark.usefixtures("webhook", "email")
@pytest.mark.parametrize("page", ["alert", "alertrule", "alertchannel"])
def test_the_lists_need_no_more_statements_for_more_rows(office, make, django_assert_max_num_queries, page):
    for number in range(6):
        task = make(name=f"Task {number}")
        AlertRule.objects.create(condition="failed", task=task).channels.set(AlertChannel.objects.all())
        Alert.objects.create(
            condition="failed", subject=f"task:{number}", task=task, title="T", opened_at=task.created_at,
            seen_at=task.created_at,
        )  # fmt: skip
    with django_assert_max_num_queries(14):
        assert office.get(url(f"{page}_changelist")).status_code == 200


def test_a_secret_is_kept_and_never_shown(office, webhook):
    page = office.get(url("alertchannel_change", webhook.pk)).content.decode()
    assert "of the hook" not in page
    form = {"name": "hook", "kind": "webhook", "target": webhook.target, "secret": "", "is_enabled": "on"}
    office.post(url("alertchannel_change", webhook.pk), form)
    webhook.refresh_from_db()
    assert (webhook.secret, webhook.is_default) == ("of the hook", False)
    office.post(url("alertchannel_change", webhook.pk), {**form, "secret": " another "})
    webhook.refresh_from_db()
    assert webhook.secret == " another "


def test_a_channel_can_be_tried(office, webhook, receiver):
    office.post(url("alertchannel_changelist"), {"action": "send_test", "_selected_action": [webhook.pk]})
    watch.send_due()

    assert receiver.received[0].json == {"event": "test", "delivery": AlertDelivery.objects.get().pk, "alert": None}


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("webhook", "ftp://example.org/"),
        ("webhook", "example.org/hook"),
        ("webhook", "https://"),
        ("webhook", "https://example.org:99999/"),
        ("webhook", "https://example.org/a b"),
        ("email", ""),
        ("email", "ops@example.org, nobody"),
    ],
)
def test_a_wrong_target_is_refused(office, kind, target):
    answer = office.post(url("alertchannel_add"), {"name": "new", "kind": kind, "target": target})

    assert "target" in answer.context["adminform"].form.errors
    assert not AlertChannel.objects.exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"condition": "node_gone", "threshold": 5}, "threshold"),
        ({"condition": "failed", "threshold": 0}, "threshold"),
        ({"condition": "overdue"}, "condition"),
    ],
)
def test_a_wrong_rule_is_refused(db, values, field):
    AlertRule.objects.create(condition="overdue")
    with pytest.raises(ValidationError) as caught:
        AlertRule(**values).full_clean()

    assert field in caught.value.message_dict


def test_a_rule_of_the_nodes_is_for_no_task(make):
    with pytest.raises(ValidationError) as caught:
        AlertRule(condition="no_node", task=make()).full_clean()

    assert "task" in caught.value.message_dict


def test_a_task_with_rules_and_alerts_can_be_deleted_in_the_admin(office, alert):
    task = SchedulerTask.objects.get()
    AlertRule.objects.create(condition="failed", task=task)
    office.post(reverse("admin:django_sched_tasks_schedulertask_delete", args=[task.pk]), {"post": "yes"})
    alert.refresh_from_db()

    assert not SchedulerTask.objects.exists()
    assert (alert.task, AlertRule.objects.filter(condition="failed").count()) == (None, 0)


def test_the_command_looks_and_tells(db, make, webhook, receiver, capsys):
    SchedulerTask.objects.filter(pk=make(name="Nightly").pk).update(schedule_error="Broken.", status=0)
    call_command("sched_alerts")

    assert "schedule_error    The trigger of Nightly cannot be planned" in capsys.readouterr().out
    assert len(receiver.received) == 1


def test_a_mail_server_without_a_time_out_is_warned_of(settings):
    import django

    assert check_email_timeout() == []
    backend = "django.core.mail.backends.smtp.EmailBackend"
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend}}
    else:
        settings.EMAIL_BACKEND = backend
    assert [message.id for message in check_email_timeout()] == ["sched_tasks_alerts.W001"]
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": {"timeout": 10}}}
    else:
        settings.EMAIL_TIMEOUT = 10
    assert check_email_timeout() == []
