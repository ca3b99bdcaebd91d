"""Log records that say in which execution they were made."""

import io
import logging

import pytest

from django_sched_tasks import operations
from django_sched_tasks.logs import ExecutionFilter

FORMAT = "%(execution_id)s %(task_id)s %(job_id)s %(message)s"


@pytest.fixture
def handler():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.addFilter(ExecutionFilter())
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("func", ["logs", "logs_async"])
def test_records_made_in_a_run_carry_its_ids(handler, make, node, func):
    task = make(func)
    operations.run_task(task.pk, now=node.now)
    (execution,) = node.tick()

    assert execution.status == "succeeded", execution.error
    assert f"{execution.pk} {task.pk} {task.job_id} said in a run\n" in handler.stream.getvalue()


def test_outside_a_run_there_is_nothing_to_carry(handler):
    logging.getLogger("shop").warning("said outside")

    assert handler.stream.getvalue() == "- - - said outside\n"


def test_what_stands_for_nothing_can_be_chosen():
    record = logging.makeLogRecord({})
    assert ExecutionFilter(outside=None).filter(record)

    assert (record.execution_id, record.task_id, record.job_id) == (None, None, None)


def test_what_a_record_has_already_stays():
    record = logging.makeLogRecord({"task_id": "of Celery"})
    ExecutionFilter().filter(record)

    assert record.task_id == "of Celery"
