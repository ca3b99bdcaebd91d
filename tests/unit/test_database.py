"""The database that holds the tasks: its clock, its transient errors, and connections of our own."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.test import override_settings
from django.utils import timezone

from django_sched_tasks import database
from django_sched_tasks.engine.clock import DatabaseClock
from django_sched_tasks.engine.wakeup import Peek, peek


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(database.time, "sleep", lambda seconds: None)


class Cause(Exception):
    def __init__(self, sqlstate):
        self.sqlstate = sqlstate


def from_postgresql(sqlstate):
    error = OperationalError("x")
    error.__cause__ = Cause(sqlstate)
    return error


@pytest.mark.parametrize(
    ("error", "is_conflict", "is_outage"),
    [
        (from_postgresql("40001"), True, True),
        (from_postgresql("40P01"), True, True),
        (from_postgresql("55P03"), True, True),
        (from_postgresql("08006"), False, True),
        (OperationalError(1213, "Deadlock found"), True, True),
        (OperationalError(1205, "Lock wait timeout exceeded"), True, True),
        (OperationalError(2006, "Server has gone away"), False, True),
        (OperationalError("database is locked"), True, True),
        (OperationalError("database table is locked: x"), True, True),
        (InterfaceError("connection already closed"), False, True),
        (IntegrityError("duplicate key"), False, False),
        (ValueError("database is locked"), False, False),
    ],
)
def test_which_errors_pass(error, is_conflict, is_outage):
    assert (database.is_conflict(error), database.is_outage(error)) == (is_conflict, is_outage)


def failing(times, error):
    calls = []

    def work():
        calls.append(1)
        if len(calls) <= times:
            raise error
        return len(calls)

    return work


@pytest.mark.django_db(transaction=True)
class TestRetrying:
    def test_a_conflict_is_tried_again(self):
        assert database.retrying(failing(3, OperationalError("database is locked"))) == 4

    def test_the_last_conflict_is_raised(self):
        with pytest.raises(OperationalError):
            database.retrying(failing(database.RETRIES, OperationalError("database is locked")))

    def test_other_errors_are_not_tried_again(self):
        work = failing(1, DatabaseError("syntax"))
        with pytest.raises(DatabaseError):
            database.retrying(work)
        assert work() == 2

    def test_inside_a_transaction_nothing_is_tried_again(self):
        with pytest.raises(OperationalError), transaction.atomic():
            database.retrying(failing(1, OperationalError("database is locked")))


# The clock.


@pytest.mark.django_db
def test_the_databases_instant_is_aware_and_in_utc():
    now = database.now()
    assert now.utcoffset() == timedelta(0)
    assert abs(timezone.now() - now) < timedelta(seconds=60)


@pytest.mark.django_db
@override_settings(TIME_ZONE="Asia/Shanghai")
def test_it_is_in_utc_whatever_the_sites_zone():
    connection.ensure_connection()
    assert abs(timezone.now() - database.now()) < timedelta(seconds=60)


@pytest.mark.parametrize(
    "value", ["2026-01-01 02:03:04.500", datetime(2026, 1, 1, 2, 3, 4, 500_000), "2026-01-01T02:03:04.5+00:00"]
)
def test_a_raw_value_becomes_an_instant(value):
    assert database.as_instant(value) == datetime(2026, 1, 1, 2, 3, 4, 500_000, tzinfo=UTC)


def test_no_value_stays_none():
    assert database.as_instant(None) is None


def test_a_clock_goes_on_between_two_readings():
    clock = DatabaseClock(datetime(2026, 1, 1, tzinfo=UTC))
    first, second = clock.now(), clock.now()
    assert datetime(2026, 1, 1, tzinfo=UTC) <= first <= second < datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def test_a_clock_says_how_far_this_host_is_ahead():
    clock = DatabaseClock(timezone.now() - timedelta(hours=1))
    assert clock.offset == pytest.approx(3600, abs=1)
    clock.set(timezone.now())
    assert clock.offset == pytest.approx(0, abs=1)


# When there is something to do.


@pytest.mark.django_db
def test_with_nothing_to_do_there_is_nothing_due():
    seen = peek("default")
    assert (seen.plan_at, seen.run_at, seen.next_due) == (None, None, None)
    assert abs(timezone.now() - seen.now) < timedelta(seconds=60)


def test_the_earliest_of_both_is_due(make, node, at, django_assert_num_queries):
    make()
    make(trigger_args={"hours": 1})
    with django_assert_num_queries(1):
        assert peek("default").next_due == at(60)
    node.now = at(60)
    node.plan()
    seen = peek("default")
    assert (seen.plan_at, seen.run_at, seen.next_due) == (at(120), at(60), at(60))


def test_an_edited_task_is_due_since_long_ago(make, now):
    task = make()
    task.trigger_args = {"minutes": 2}
    task.save()
    assert peek("default").next_due < now - timedelta(days=365)


def test_a_waiting_execution_wakes_nobody(now):
    assert Peek(now, None, None).next_due is None


# Connections of our own.


@pytest.mark.django_db(transaction=True)
def test_an_engines_thread_has_a_connection_of_its_own_kind():
    seen = {}

    def adopt():
        wrapper = database.adopt_own_connection()
        wrapper.ensure_connection()
        seen.update(wrapper.settings_dict, vendor=wrapper.vendor, works=wrapper.is_usable())
        wrapper.close()

    thread = threading.Thread(target=adopt)
    thread.start()
    thread.join()
    assert seen["works"]
    if seen["vendor"] == "postgresql":
        assert "idle_in_transaction_session_timeout" in seen["OPTIONS"]["options"]
    if seen["vendor"] == "mysql":
        assert "innodb_lock_wait_timeout" in seen["OPTIONS"]["init_command"]
    assert "options" not in connection.settings_dict["OPTIONS"]  # the host's own is left as it was


@pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("waits_for_disk", "value"), [(True, "on"), (False, "off")])
def test_who_decides_what_can_be_decided_again_does_not_wait_for_the_disk(waits_for_disk, value):
    seen = []

    def ask():
        wrapper = database.adopt_own_connection(waits_for_disk=waits_for_disk)
        with wrapper.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            seen.extend(cursor.fetchone())
        wrapper.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert seen == [value]


@pytest.mark.parametrize(
    ("tune", "given", "expected"),
    [
        (database._tune_postgresql, {"pool": True, "options": "-c x=1"}, {"connect_timeout": 5}),
        (database._tune_postgresql, {"connect_timeout": 1}, {"connect_timeout": 1}),
        (database._tune_mysql, {"init_command": "SET x=1"}, {"read_timeout": 30}),
        (database._tune_sqlite, {"timeout": 60}, {"timeout": 60, "transaction_mode": "IMMEDIATE"}),
        (database._tune_sqlite, {}, {"timeout": 20.0, "transaction_mode": "IMMEDIATE"}),
    ],
)
def test_the_hosts_options_are_kept_but_for_what_would_hang_us(tune, given, expected):
    options = dict(given)
    tune(options)
    assert options.items() >= expected.items()
    assert "pool" not in options
    if "options" in given:
        assert options["options"].startswith("-c x=1 ")
    if "init_command" in given:
        assert options["init_command"].startswith("SET x=1; ")
