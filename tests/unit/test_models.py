"""The tables: who writes which column, what plain SQL gets, and what the database refuses."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from django_sched_tasks import operations, planning
from django_sched_tasks.models import (
    ExecutionStatus,
    NodeState,
    SchedulerNode,
    SchedulerTask,
    TaskExecution,
    portable,
)
from django_sched_tasks.models.bulk import insert_derived, update_rows
from django_sched_tasks.models.indexes import PartialIndex


def engine_columns(task):
    return SchedulerTask.objects.values(*SchedulerTask.ENGINE_FIELDS).get(pk=task.pk)


# Saving.


def test_a_stale_instance_never_writes_the_engines_columns(make, node, at):
    task = make()
    stale = SchedulerTask.objects.get(pk=task.pk)
    node.run_until(at(60))
    operations.prune(0, now=at(90))
    before = engine_columns(task)
    stale.name = "Renamed"
    stale.save()
    assert engine_columns(task) == before
    assert SchedulerTask.objects.get().name == "Renamed"


def test_a_save_of_the_when_is_seen_by_the_next_pass(make, at, stored):
    task = make()
    task.trigger_args = {"minutes": 2}
    task.save()
    planning.plan(at(30), using="default")
    assert stored(task).next_run == at(120)


def test_a_partly_loaded_instance_saves_what_it_has(make, stored):
    task = make(description="old")
    part = SchedulerTask.objects.only("name").get(pk=task.pk)
    part.name = "New"
    part.save()
    assert (stored(task).name, stored(task).description) == ("New", "old")


def test_what_a_caller_names_is_written(make, stored):
    task = make()
    task.name, task.description = "New", "not written"
    task.save(update_fields=["name"])
    assert (stored(task).name, stored(task).description) == ("New", "")


@pytest.mark.django_db
def test_an_instance_made_by_hand_is_planned_by_the_next_pass(at, stored):
    task = SchedulerTask.objects.create(
        name="T", func="tests.zoo.tasks:ok", trigger="interval", trigger_args={"minutes": 1}
    )
    planning.plan(at(0), using="default")
    assert stored(task).next_run == at(60)


# When a task is due.


def due(now):
    return list(SchedulerTask.objects.filter(plan_at__lte=now).values_list("pk", flat=True))


@pytest.mark.parametrize(
    "change",
    [
        {"trigger": "cron"},
        {"trigger_args": {"minutes": 2}},
        {"timezone": "Asia/Tokyo"},
        {"status": 0},
        {"planned_trigger": None},
    ],
)
def test_a_change_of_the_when_makes_a_task_due_at_once(make, now, change):
    task = make()
    assert due(now) == []
    SchedulerTask.objects.filter(pk=task.pk).update(**change)
    assert due(now) == [task.pk]


def test_other_changes_do_not(make, now, at):
    task = make()
    SchedulerTask.objects.filter(pk=task.pk).update(name="New", priority=5, args=[1], pause_note="x")
    assert (due(now), due(at(60))) == ([], [task.pk])


# Plain SQL.


def insert(**columns):
    names = ", ".join(connection.ops.quote_name(name) for name in columns)
    with connection.cursor() as cursor:
        places = ", ".join(["%s"] * len(columns))
        cursor.execute(f"INSERT INTO sys_scheduler_task ({names}) VALUES ({places})", list(columns.values()))


NEW = {"name": "T", "func": "tests.zoo.tasks:ok", "trigger": "interval", "trigger_args": '{"minutes": 1}'}


@pytest.mark.django_db
def test_a_plain_insert_gets_every_default():
    insert(**NEW)
    task = SchedulerTask.objects.get()
    like = SchedulerTask(**{**NEW, "trigger_args": {"minutes": 1}})
    told_apart = {"id", "job_id", "created_at", "updated_at", "plan_at", "source"}
    for field in SchedulerTask._meta.concrete_fields:
        if field.name not in told_apart:
            assert getattr(task, field.name) == getattr(like, field.name), field.name
    assert (len(task.job_id), task.source) == (32, "import")
    assert abs((task.created_at - like.created_at).total_seconds()) < 60


@pytest.mark.django_db
def test_a_plain_insert_is_planned_and_runs(node, at):
    insert(**NEW)
    insert(**NEW)
    node.run_until(at(60))
    assert TaskExecution.objects.filter(status="succeeded").count() == 2


# What the database refuses.


@pytest.mark.parametrize("change", [{"status": 3}, {"overlap": "wait"}, {"on_crash": "shrug"}, {"job_id": "taken"}])
def test_a_task_outside_its_bounds(make, change):
    make(job_id="taken")
    task = make()
    with pytest.raises(IntegrityError), transaction.atomic():
        SchedulerTask.objects.filter(pk=task.pk).update(**change)


@pytest.mark.parametrize("change", [{"status": "sleeping"}, {"kind": "odd"}])
def test_an_execution_outside_its_bounds(make, at, change):
    operations.run_task(make().pk, now=at(1))
    with pytest.raises(IntegrityError), transaction.atomic():
        TaskExecution.objects.update(**change)


@pytest.mark.django_db
def test_a_node_outside_its_bounds(node):
    with pytest.raises(IntegrityError), transaction.atomic():
        SchedulerNode.objects.update(state="ghost")
    assert set(NodeState.values) == {"alive", "stopping", "stopped", "dead"}


def test_a_fire_time_has_one_row_for_each_attempt(make, at):
    operations.run_task(make().pk, now=at(1))
    twin = TaskExecution.objects.get()
    twin.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)
    twin.attempt = 2
    twin.save(force_insert=True)


def test_rows_of_deleted_tasks_may_be_alike(make, at):
    for _ in range(2):
        task = make()
        operations.run_task(task.pk, idempotency_key="k", now=at(1))
        operations.remove_task(task.pk, now=at(2))
    assert TaskExecution.objects.filter(task=None, fire_at=at(1)).count() == 2


def test_every_state_has_its_word():
    for status in ExecutionStatus:
        assert status == status.value == str(status)
        assert status.label


# Many rows in one statement.


def test_update_rows_gives_each_row_its_own_values(make):
    tasks = [make() for _ in range(3)]
    rows = [(task.pk, number, f"N{number}") for number, task in enumerate(tasks)]
    update_rows(SchedulerTask, ("priority", "name"), rows, using="default")
    assert list(SchedulerTask.objects.order_by("pk").values_list("priority", "name")) == [
        (0, "N0"),
        (1, "N1"),
        (2, "N2"),
    ]


def test_update_rows_leaves_what_does_not_meet_the_condition(make):
    one, other = make(priority=5), make()
    rows = [(one.pk, "A"), (other.pk, "B")]
    update_rows(SchedulerTask, ("name",), rows, using="default", where="target.priority = 5")
    assert list(SchedulerTask.objects.order_by("pk").values_list("name", flat=True)) == ["A", "Task"]


def test_insert_derived_takes_more_rows_than_a_statement_has_parameters_and_keeps_their_order(make, now):
    count = 300
    task = make(queue="mail")
    times = [now + timedelta(seconds=number) for number in reversed(range(count))]
    values = [(task.pk, "manual", "queued", at, at, str(number)) for number, at in enumerate(times)]
    columns = ("task", "kind", "status", "fire_at", "run_at", "request")
    taken = {"task_name": "name", "job_id": "job_id", "func": "func", "args": "args", "queue": "queue"}
    insert_derived(TaskExecution, SchedulerTask, taken, columns, values, using="default")
    assert TaskExecution.objects.filter(covers=1, args=[], queue="mail", job_id=task.job_id).count() == count
    assert list(TaskExecution.objects.order_by("pk").values_list("fire_at", flat=True)) == times


def test_more_executions_are_locked_and_started_than_a_statement_has_parameters(make, now):
    task, count = make(), 2 * portable.CHUNK + 1
    many = [
        TaskExecution(task=task, kind="manual", status="queued", fire_at=now, run_at=now, request=str(number))
        for number in range(count)
    ]
    ids = [execution.pk for execution in TaskExecution.objects.bulk_create(many)]
    assert portable.lock_own(ids, None, using="default") == [(pk, "queued") for pk in sorted(ids)]
    portable.start(ids, now, using="default")
    assert TaskExecution.objects.filter(status="running", started_at=now).count() == count


# Partial indexes.


def test_a_partial_index_is_one_where_the_database_knows_such(db):
    index = PartialIndex(fields=("finished_at",), where=Q(finished_at__isnull=True), name="probe")
    sql = str(index.create_sql(TaskExecution, connection.schema_editor(collect_sql=True)))
    assert ("WHERE" in sql) == connection.features.supports_partial_indexes
    assert "finished_at" in sql


@pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL, which drops what a condition says")
def test_open_executions_are_found_by_their_task(db):
    definition = "SELECT indexdef FROM pg_indexes WHERE indexname = 'sched_execution_open'"
    migration = import_module("django_sched_tasks.migrations.0006_open_by_task")
    with connection.cursor() as cursor:
        cursor.execute(definition)
        assert "(task_id) WHERE" in cursor.fetchone()[0]
        cursor.execute("DROP INDEX sched_execution_open")
        cursor.execute(
            "CREATE INDEX sched_execution_open ON sys_scheduler_execution (finished_at, task_id) "
            "WHERE finished_at IS NULL"
        )
        with connection.schema_editor(atomic=False) as editor:
            migration.rebuild(apps, editor)
        cursor.execute(definition)
        assert "(task_id) WHERE" in cursor.fetchone()[0]


def test_a_partial_index_survives_a_migration():
    index = PartialIndex(fields=("finished_at",), where=Q(finished_at__isnull=True), name="probe")
    path, arguments, options = index.deconstruct()
    assert path == "django_sched_tasks.models.indexes.PartialIndex"
    assert PartialIndex(*arguments, **options) == index


INDEXES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
    "postgresql": "SELECT indexname FROM pg_indexes",
    "mysql": "SELECT index_name FROM information_schema.statistics WHERE table_schema = DATABASE()",
}


def test_the_tables_have_their_indexes(db):
    with connection.cursor() as cursor:
        cursor.execute(INDEXES[connection.vendor])
        found = {name for (name,) in cursor.fetchall()}
    for model in (SchedulerTask, TaskExecution, SchedulerNode):
        assert {index.name for index in model._meta.indexes} <= found
