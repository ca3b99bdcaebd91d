"""What other apps hang onto executions: around the call, after a run that was broken off, and along with a request."""

from contextlib import contextmanager

import pytest

from django_sched_tasks import current_execution, hooks, operations
from django_sched_tasks.models import TaskExecution


@pytest.fixture
def hang(monkeypatch):
    """Hang something onto a hook, for this test."""

    def hang(name, *items):
        monkeypatch.setattr(hooks, name, [*getattr(hooks, name), *items])

    return hang


def recorder(told):
    @contextmanager
    def around(claim, hide):
        told.append(("enter", claim.id, current_execution().id))
        try:
            yield
        except BaseException as error:
            told.append(("error", hide(str(error))))
            raise
        else:
            told.append(("exit",))

    return around


def broken(claim, hide):
    raise RuntimeError("the hook's own fault")


def test_a_run_is_surrounded(hang, make, node):
    told = []
    hang("around_run", recorder(told))
    operations.run_task(make().pk, now=node.now)
    (execution,) = node.tick()

    assert execution.status == "succeeded"
    assert told == [("enter", execution.pk, execution.pk), ("exit",)]


@pytest.mark.parametrize("changes", [{"func": "raises"}, {"func": "raises", "transactional": True}])
def test_a_hook_sees_what_the_function_raises(hang, make, node, changes):
    told = []
    hang("around_run", recorder(told))
    operations.run_task(make(**changes).pk, now=node.now)
    (execution,) = node.tick()

    assert execution.status == "failed"
    assert [event[0] for event in told] == ["enter", "error"]
    assert told[1][1] in execution.error


def test_a_hook_that_fails_changes_nothing(hang, make, node, caplog):
    told = []

    @contextmanager
    def fails_at_the_end(claim, hide):
        yield
        raise RuntimeError("at its end")

    hang("around_run", broken, recorder(told), fails_at_the_end)
    operations.run_task(make().pk, now=node.now)
    (execution,) = node.tick()

    assert execution.status == "succeeded"
    assert [event[0] for event in told] == ["enter", "exit"]
    assert "the hook's own fault" in caplog.text
    assert "at its end" in caplog.text


def test_a_hook_cannot_swallow_a_failure(hang, make, node):
    @contextmanager
    def swallows(claim, hide):
        try:
            yield
        except Exception:
            return

    hang("around_run", swallows)
    operations.run_task(make("raises").pk, now=node.now)
    (execution,) = node.tick()

    assert execution.status == "failed"


def test_what_is_gathered_goes_along_with_a_request(hang, make, node, at, caplog):
    seen = []

    @contextmanager
    def around(claim, hide):
        seen.append(claim.headers)
        yield

    def fails():
        raise RuntimeError("nothing to give")

    hang("gatherers", lambda: {"trace": "one"}, fails, lambda: {"more": [1]})
    hang("around_run", around)
    execution = operations.run_task(make("raises", max_retries=1).pk, now=node.now)
    node.run_until(at(300))

    assert execution.headers == {"trace": "one", "more": [1]}
    assert seen[:2] == [execution.headers, execution.headers]  # the retry's as well
    assert "nothing to give" in caplog.text


def test_a_retry_that_somebody_asks_for_has_headers_of_its_own(hang, make, node):
    execution = operations.run_task(make("raises").pk, now=node.now)
    node.tick()
    TaskExecution.objects.filter(pk=execution.pk).update(headers={"kept": 1, "trace": "old"})
    hang("gatherers", lambda: {"trace": "new"})

    assert operations.retry_execution(execution.pk, now=node.now).headers == {"kept": 1, "trace": "new"}


def test_a_backfill_takes_them_along(hang, make, node, at):
    hang("gatherers", lambda: {"trace": "one"})
    task = make()
    operations.backfill(task.pk, at(60), at(120), now=at(180))

    assert list(TaskExecution.objects.filter(kind="backfill").values_list("headers", flat=True)) == [
        {"trace": "one"},
        {"trace": "one"},
    ]


def test_without_hooks_there_are_no_headers(make, node):
    assert operations.run_task(make().pk, now=node.now).headers is None
