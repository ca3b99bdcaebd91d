"""The table of the guarantees page names a test for each scenario, or says why there is none."""

import re

import pytest

from tests.chaos.log import PAGES
from tests.support.site import REPOSITORY

pytestmark = pytest.mark.chaos

TABLE = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", (PAGES / "guarantees.md").read_text(), re.MULTILINE)
TESTS = [(int(number), test) for number, _what, by in TABLE for test in re.findall(r"`(tests/[^`]+)`", by)]


def test_all_45_are_told():
    assert [int(number) for number, _what, _by in TABLE] == list(range(1, 46))


@pytest.mark.parametrize(("number", "test"), TESTS)
def test_the_test_is_there_and_carries_its_number(number, test):
    path, name = test.split("::")
    assert f"def {name}(" in (REPOSITORY / path).read_text()
    assert not path.startswith("tests/chaos") or name.startswith(f"test_s{number:02}_")


def test_each_numbered_test_is_in_the_table():
    found = {
        f"tests/chaos/{path.name}::{name}"
        for path in (REPOSITORY / "tests" / "chaos").glob("test_*.py")
        for name in re.findall(r"^def (test_s\d\d_\w+)", path.read_text(), re.MULTILINE)
    }
    named = {test for _number, test in TESTS}
    numbers = {test.split("::test_s")[1][:2] for test in found}
    assert {test.split("::test_s")[1][:2] for test in named if "::test_s" in test and "chaos" in test} == numbers


def test_where_there_is_none_it_says_so():
    for number, _what, by in TABLE:
        assert "`tests/" in by or "not tried" in by, number
