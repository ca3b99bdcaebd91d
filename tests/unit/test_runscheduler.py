"""What ``manage.py runscheduler`` makes of its arguments."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError

from django_sched_tasks import service
from django_sched_tasks.exceptions import SchedulerUnavailable


@pytest.fixture
def started(monkeypatch):
    """With what a scheduler would have been run."""
    calls = []
    monkeypatch.setattr(service, "run_scheduler", lambda **options: calls.append(options))
    return calls


@pytest.mark.parametrize(
    ("given", "queues"),
    [
        ([], None),
        (["--queues", "etl"], {"etl": None}),
        (["--queues", " etl : 2 , mail "], {"etl": 2, "mail": None}),
    ],
)
def test_queues_are_names_with_or_without_slots(started, given, queues):
    call_command("runscheduler", *given)
    assert [options["queues"] for options in started] == [queues]


@pytest.mark.parametrize("given", ["", "etl,", "etl:", "etl:0", "etl:-1", "etl:two", ":2", "etl:2:3", "etl:²"])
def test_other_queues_are_refused_with_a_right_example(started, given):
    with pytest.raises(CommandError, match="etl:2,mail"):
        call_command("runscheduler", "--queues", given)
    assert started == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OperationalError("no such table: sys_scheduler_task"), "run 'manage.py migrate'"),
        (OperationalError("connection refused"), "The database cannot be asked: connection refused"),
        (InterfaceError("connection already closed"), "The database cannot be asked"),
        (SchedulerUnavailable("Not here."), "Not here."),
    ],
)
def test_why_it_failed_is_told_in_a_sentence(monkeypatch, error, says):
    def fail(**options):
        raise error

    monkeypatch.setattr(service, "run_scheduler", fail)
    with pytest.raises(CommandError, match=says):
        call_command("runscheduler", "--once")
