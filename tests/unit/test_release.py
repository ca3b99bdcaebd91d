"""A release is made of what the tag names: the version stands in one place, and the workflow looks at it."""

import importlib.util
import re

import pytest
import yaml

import django_sched_tasks
from tests.support.pages import ROOT

spec = importlib.util.spec_from_file_location("check_release", ROOT / ".ci" / "check_release.py")
check_release = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_release)

VERSION = django_sched_tasks.__version__
DATED = f"# Changelog\n\n## [{VERSION}] - 2026-01-31\n"


def test_the_version_is_read_from_the_package():
    assert check_release.version() == VERSION


def test_a_tag_of_the_version_with_a_dated_entry_may_be_released():
    assert check_release.problems(f"v{VERSION}", DATED) == []


@pytest.mark.parametrize(
    ("tag", "changelog", "told"),
    [
        ("v9.9.9", DATED, f"the tag must be v{VERSION}"),
        (VERSION, DATED, f"the tag must be v{VERSION}"),
        (f"v{VERSION}", "# Changelog\n\n## [Unreleased]\n", "CHANGELOG.md has no heading"),
        (f"v{VERSION}", f"# Changelog\n\n## [{VERSION}]\n", "CHANGELOG.md has no heading"),
    ],
)
def test_any_other_tag_may_not(tag, changelog, told):
    (problem,) = check_release.problems(tag, changelog)

    assert told in problem


def test_the_version_stands_in_one_place():
    text = (ROOT / "pyproject.toml").read_text()

    assert 'version = { attr = "django_sched_tasks.__version__" }' in text
    assert not re.search(r'^version = "', text, re.MULTILINE)


@pytest.fixture
def workflow():
    path = ROOT / ".github" / "workflows"
    if not path.exists():
        pytest.skip("a source distribution has no workflows")
    return lambda name: yaml.safe_load((path / name).read_text())


def test_nothing_is_published_before_it_is_built_checked_and_tested(workflow):
    jobs = workflow("release.yml")["jobs"]

    assert set(jobs["publish"]["needs"]) == {"build", "test"}
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert any("check_release.py" in step.get("run", "") for step in jobs["build"]["steps"])


def test_the_workflow_tests_the_same_environments_as_ci(workflow):
    jobs = workflow("tests.yml")["jobs"]
    tried = {row["env"] for row in jobs["quick"]["strategy"]["matrix"]["include"]}
    script = (ROOT / ".ci" / "run").read_text()

    assert tried >= set(re.search(r"-e (py311-\S+)", script)[1].split(",")) - {"porting"}
    assert set(jobs["real"]["strategy"]["matrix"]["env"]) >= set(re.findall(r"^run_real (\w+)", script, re.MULTILINE))
