"""Promise 6: what a node does on tables that are newer than its release."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from django_sched_tasks.engine.schema import SchemaGuard
from django_sched_tasks.engine.wakeup import peek


@pytest.fixture
def guard(db):
    return SchemaGuard("default")


def count(guard):
    return peek("default", guard.count_sql()).extra[0]


def test_the_tables_of_this_release_are_worked_on(guard):
    assert count(guard) >= 2
    assert guard.allows(count(guard))
    assert guard.problem == ""


def test_a_newer_schema_is_left_alone_until_it_is_known_again(guard, caplog):
    assert guard.allows(count(guard))
    newer = MigrationRecorder.Migration.objects.create(app="django_sched_tasks", name="9999_of_next_year")
    assert not guard.allows(count(guard))
    assert "9999_of_next_year" in guard.problem
    assert "upgrade its release" in caplog.text
    newer.delete()
    assert guard.allows(count(guard))
    assert guard.problem == ""


def test_other_apps_migrations_do_not_matter(guard):
    MigrationRecorder.Migration.objects.create(app="shop", name="9999_of_next_year")
    assert guard.allows(count(guard))


def test_it_asks_only_when_something_has_changed(guard, django_assert_num_queries):
    guard.allows(count(guard))
    now_has = count(guard)
    with django_assert_num_queries(0):
        assert guard.allows(now_has)


def test_tables_made_without_migrations_are_worked_on(guard, monkeypatch):
    monkeypatch.setattr(connection.introspection, "table_names", lambda *args, **kwargs: [])
    assert guard.count_sql() == "0"
    monkeypatch.undo()
    assert guard.allows(0)
