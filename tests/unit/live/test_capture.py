"""What a run prints and logs goes to its output, and where it went before."""

import asyncio
import contextvars
import io
import logging
import sys
import threading
from contextlib import redirect_stdout
from datetime import UTC, datetime

import pytest

from django_sched_tasks import context, live

logger = logging.getLogger("tests.capture")


@pytest.fixture
def run():
    """Call a function as a run of its own would; answer what it told."""

    def run(function, execution_id=7, secrets=()):
        side = live.open_run(execution_id, secrets, is_watched=False)
        execution = context.ExecutionContext(
            id=execution_id,
            task_id=3,
            job_id="job",
            kind="manual",
            fire_at=datetime(2026, 1, 1, tzinfo=UTC),
            attempt=1,
            idempotency_key="key",
            side=side,
        )
        token = context.enter(execution)
        try:
            function()
        finally:
            context.leave(token)
        return live.close_run(side)

    return run


@pytest.fixture
def site_log():
    """What a handler of the site, at the level of its logger, sees."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    yield records
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_print_is_kept_and_goes_on(run, capsys):
    def function():
        print("one", 1)
        sys.stdout.writelines(["two\n", "three\n"])
        print("four", file=sys.stderr)

    assert run(function).output == "one 1\ntwo\nthree\nfour\n"
    print("after")
    assert capsys.readouterr() == ("one 1\ntwo\nthree\nafter\n", "four\n")


def test_a_stream_that_somebody_has_put_back_is_wrapped_again(run, capsys):
    sys.stdout = plain = io.StringIO()
    assert run(lambda: print("kept")).output == "kept\n"
    assert plain.getvalue() == "kept\n"


def test_one_proxy_around_another_keeps_a_line_once(run, capsys):
    run(lambda: None)

    class Tee(io.StringIO):
        inner = sys.stdout

        def write(self, text):
            return self.inner.write(text)

    sys.stdout = Tee()
    assert run(lambda: print("once")).output == "once\n"


def test_a_redirected_print_is_the_functions_own(run, capsys):
    def function():
        with redirect_stdout(io.StringIO()):
            print("elsewhere")
        print("here")

    assert run(function).output == "here\n"


def test_records_are_kept_from_info_up_whatever_the_levels_of_the_site(run, site_log):
    def function():
        logger.debug("detail")
        logger.info("progress of %d", 5)
        logger.warning("watch out")

    lines = run(function).output.splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [
        "INFO tests.capture: progress of 5",
        "WARNING tests.capture: watch out",
    ]
    assert [record.getMessage() for record in site_log] == ["watch out"]


def test_outside_a_run_logging_is_as_it_was(run, site_log):
    run(lambda: None)
    logger.info("nothing")
    logger.warning("something")
    assert not logger.isEnabledFor(logging.INFO)
    assert [record.getMessage() for record in site_log] == ["something"]
    assert not hasattr(site_log[0], "execution_id")


def test_a_record_says_whose_it_is(run, site_log):
    run(lambda: logger.warning("mine"))
    (record,) = site_log
    assert (record.execution_id, record.task_id, record.job_id) == (7, 3, "job")


def test_a_handler_that_prints_does_not_double_a_record(run, capsys):
    """Also Python's handler of last resort, which prints where a site has configured nothing."""

    def function():
        handler = logging.StreamHandler(sys.stdout)
        logger.addHandler(handler)
        try:
            logger.error("once")
        finally:
            logger.removeHandler(handler)

    assert run(function).output.count("once") == 1
    assert "once" in capsys.readouterr().out


def test_what_is_switched_off_stays_off(run):
    def function():
        logging.disable(logging.WARNING)
        logger.disabled = False
        try:
            logger.info("quiet")
            logger.error("loud")
        finally:
            logging.disable(logging.NOTSET)
        logger.disabled = True
        logger.error("disabled")
        logger.disabled = False

    assert "loud" in (output := run(function).output)
    assert "quiet" not in output
    assert "disabled" not in output


def test_a_traceback_and_a_record_that_cannot_be_formatted_are_kept(run, site_log, capsys):
    def function():
        try:
            raise ValueError("broken")
        except ValueError:
            logger.exception("it failed")
        logger.info("%d", "no number")

    output = run(function).output
    assert "ValueError: broken" in output
    assert "'%d' could not be formatted" in output


def test_the_runs_own_logger_works_from_any_thread(run):
    def function():
        own = context.current_execution().logger
        thread = threading.Thread(target=own.info, args=("from a bare thread",))
        thread.start()
        thread.join()

    assert "INFO django_sched_tasks.run: from a bare thread" in run(function).output


def test_the_runs_own_logger_names_the_line_that_logged(run, caplog):
    run(lambda: context.current_execution().logger.warning("here"))
    assert caplog.records[-1].filename == "test_capture.py"


def test_threads_and_tasks_with_its_context_belong_to_the_run(run):
    async def coroutine():
        async def child():
            print("task")

        await asyncio.create_task(child())
        await asyncio.to_thread(print, "to_thread")

    def function():
        copied = contextvars.copy_context()
        thread = threading.Thread(target=copied.run, args=(print, "thread"))
        thread.start()
        thread.join()
        asyncio.run(coroutine())

    assert run(function).output == "thread\ntask\nto_thread\n"


def test_what_is_written_after_the_end_is_not_kept(run):
    late = threading.Event()
    threads = []

    def function():
        def write_late():
            late.wait(5)
            print("late")

        threads.append(threading.Thread(target=contextvars.copy_context().run, args=(write_late,)))
        threads[0].start()
        print("in time")

    told = run(function)
    late.set()
    threads[0].join()
    assert told.output == "in time\n"


def test_secrets_are_hidden_by_value_and_by_name(run):
    def function():
        print("logging in with hunter22")
        sys.stdout.write("hunt")
        sys.stdout.write("er22\n")
        print('{"api_key": "abcdef", "user": "ada"} token=xyz123')

    assert run(function, secrets=["hunter22"]).output == (
        "logging in with *****\n*****\n" + '{"api_key": "*****", "user": "ada"} token=*****\n'
    )


def test_what_no_column_holds_is_replaced(run):
    assert run(lambda: print("nul \0 and \ud800")).output == "nul � and �\n"
