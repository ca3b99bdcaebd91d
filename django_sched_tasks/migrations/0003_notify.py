"""On PostgreSQL the database itself tells the nodes of a change, so that an edit in SQL counts as any other."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

CHANNEL = "sys_scheduler"

CREATE = f"""
CREATE FUNCTION sys_scheduler_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}', TG_ARGV[0]);
    RETURN NULL;
END $$;

CREATE FUNCTION sys_scheduler_notify_queued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM queued WHERE claim_rank IS NOT NULL) THEN
        PERFORM pg_notify('{CHANNEL}', 'execution');
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION sys_scheduler_notify_beat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}', 'node ' || NEW.id);
    RETURN NULL;
END $$;

-- A definition that is not the one planned by has a plan_at of long ago, whoever wrote it.
CREATE TRIGGER sys_scheduler_task_changed AFTER INSERT OR UPDATE ON sys_scheduler_task
    FOR EACH ROW WHEN (NEW.plan_at < '1001-01-01 00:00:00+00')
    EXECUTE FUNCTION sys_scheduler_notify('task');

CREATE TRIGGER sys_scheduler_execution_queued AFTER INSERT ON sys_scheduler_execution
    REFERENCING NEW TABLE AS queued FOR EACH STATEMENT
    EXECUTE FUNCTION sys_scheduler_notify_queued();

CREATE TRIGGER sys_scheduler_execution_let_in AFTER UPDATE OF claim_rank ON sys_scheduler_execution
    FOR EACH ROW WHEN (OLD.claim_rank IS NULL AND NEW.claim_rank IS NOT NULL)
    EXECUTE FUNCTION sys_scheduler_notify('execution');

CREATE TRIGGER sys_scheduler_execution_cancel AFTER UPDATE OF cancel_requested_at ON sys_scheduler_execution
    FOR EACH ROW WHEN (OLD.cancel_requested_at IS NULL AND NEW.cancel_requested_at IS NOT NULL)
    EXECUTE FUNCTION sys_scheduler_notify('cancel');

-- A node that hears its own sign of life knows that notifications reach it.
CREATE TRIGGER sys_scheduler_node_beat AFTER UPDATE OF heartbeat_at ON sys_scheduler_node
    FOR EACH ROW EXECUTE FUNCTION sys_scheduler_notify_beat();
"""

DROP = """
DROP TRIGGER sys_scheduler_node_beat ON sys_scheduler_node;
DROP TRIGGER sys_scheduler_execution_cancel ON sys_scheduler_execution;
DROP TRIGGER sys_scheduler_execution_let_in ON sys_scheduler_execution;
DROP TRIGGER sys_scheduler_execution_queued ON sys_scheduler_execution;
DROP TRIGGER sys_scheduler_task_changed ON sys_scheduler_task;
DROP FUNCTION sys_scheduler_notify_beat();
DROP FUNCTION sys_scheduler_notify_queued();
DROP FUNCTION sys_scheduler_notify();
"""


def create(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE, params=None)


def drop(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP, params=None)


class Migration(migrations.Migration):
    dependencies = [("django_sched_tasks", "0002_runs_elsewhere_and_health")]

    operations = [migrations.RunPython(create, drop, elidable=False)]
