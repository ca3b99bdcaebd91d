"""The reader of the pages: what a person at a shell may count on."""

import signal

import pytest

from tests.support.pages import Command
from tests.support.reader import Reader

pytestmark = pytest.mark.pages


@pytest.fixture
def reader(tmp_path):
    folder = tmp_path / "reader"
    folder.mkdir()
    reader = Reader(folder)
    yield reader
    reader.close()


def test_a_variable_is_there_for_the_next_line_and_for_no_program(reader):
    reader.run("colour=\"red\n'and' blue\"; export shape=round")
    assert reader.run("echo $colour; printenv colour shape; true") == "red 'and' blue\nround\n"


def test_a_line_begins_where_the_one_before_has_gone(reader):
    reader.run("mkdir 'a folder' && cd 'a folder'")
    assert reader.run("pwd").endswith("/reader/a folder\n")


def test_what_a_page_says_of_the_output_must_be_so(reader):
    reader.run(Command("printf 'one\\ntwo\\nthree\\n'", "one\n...\nthree\n"))
    with pytest.raises(AssertionError, match=r"and not:\s+four"):
        reader.run(Command("echo one", "four\n"))


def test_ctrl_c_ends_what_stays_however_the_tests_were_started(reader):
    process = reader.stay("sleep 60")
    process.signal(signal.SIGINT)
    assert process.wait() == -signal.SIGINT


def test_the_broker_of_a_page_is_the_one_of_these_tests(reader, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:6380/3")
    reader.write("settings.py", 'BROKER = "redis://127.0.0.1:6379/0"\n')
    assert reader.run("cat settings.py") == 'BROKER = "redis://elsewhere:6380/3"\n'
