"""On PostgreSQL the index on open executions is led by their task, so that one task's are found without reading all."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

NAME = "sched_execution_open"


def rebuild(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """The index stays the same to Django: it is the columns of its table that differ by database."""
    if editor.connection.vendor != "postgresql":
        return
    execution = apps.get_model("django_sched_tasks", "TaskExecution")
    index = next(index for index in execution._meta.indexes if index.name == NAME)
    editor.remove_index(execution, index)
    editor.add_index(execution, index)


class Migration(migrations.Migration):
    dependencies = [("django_sched_tasks", "0005_whens_state_and_retention")]
    operations = [migrations.RunPython(rebuild, migrations.RunPython.noop)]
