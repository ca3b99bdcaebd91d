"""The documentation says what the code says: its lists equal those of the code, its examples work."""

from __future__ import annotations

import argparse
import ast
import enum
import inspect
import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.dispatch import Signal
from django.urls import URLPattern

import django_sched_tasks
from django_sched_tasks import (
    checks,
    conf,
    definitions,
    exceptions,
    operations,
    service,
    signals,
    testing,
    triggers,
    urls,
)
from django_sched_tasks.context import ExecutionContext
from django_sched_tasks.models import ExecutionStatus, Kind, Reason, SchedulerNode, SchedulerTask, TaskExecution

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)])
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sections(name: str) -> dict[str, str]:
    """The parts of a page below its headings of the second level that are a name in code."""
    parts = re.split(r"^## `(.+)`$", text(name), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def below(name: str, heading: str) -> str:
    """What stands below a heading of a page, down to the next of the same level or a higher one."""
    level = heading.split(" ", maxsplit=1)[0]
    _, _, rest = text(name).partition(f"\n{heading}\n")
    assert rest, f"{name} has no heading {heading!r}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(part: str) -> list[list[str]]:
    """The tables' rows that begin with a name in code, as texts of their cells without backticks."""
    lines = re.findall(r"^\| (`.*)\|$", part, re.MULTILINE)
    return [[cell.strip().strip("`") for cell in line.split("|")] for line in lines]


def names(part: str) -> list[str]:
    return [row[0] for row in rows(part)]


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


# Settings


def test_every_setting_is_documented_with_its_default():
    found = {key: re.match(r"\s*Default: `(.+)`\n", part) for key, part in sections("reference/settings.md").items()}
    defaults = {key: plain(ast.literal_eval(match[1])) for key, match in found.items() if match}

    assert defaults == {name: plain(key.default) for name, key in conf.KEYS.items()}


def test_the_environment_variable_is_documented():
    assert conf.AUTO_START_VARIABLE in text("reference/settings.md")
    assert conf.AUTO_START_VARIABLE in text("reference/commands.md")


# Triggers


def test_every_trigger_is_documented_with_its_arguments():
    documented = {kind: tuple(names(part)) for kind, part in sections("reference/triggers.md").items()}

    assert documented == {name: kind.arguments for name, kind in triggers.KINDS.items()}


def examples() -> list[Any]:
    found = []
    for page in PAGES:
        for number, block in enumerate(blocks(page, "json"), start=1):
            found.append(pytest.param(json.loads(block), id=f"{page.relative_to(ROOT)}-{number}"))
    return found


@pytest.mark.parametrize("example", [item for item in examples() if "trigger" in item.values[0]])
def test_triggers_in_examples_are_valid(example):
    triggers.validate(example["trigger"], example["trigger_args"], timezone=example.get("timezone", ""), now=NOW)


@pytest.mark.parametrize("example", [item for item in examples() if "func" in item.values[0]])
def test_tasks_in_examples_are_valid(example):
    assert definitions.clean_new(example, now=NOW)["func"] == example["func"]


def test_the_answer_of_the_preview_is_the_one_of_its_request():
    request, answer = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", _preview(), re.DOTALL))
    given = {"timezone": request["timezone"]}
    after = datetime.fromisoformat(request["after"])
    times = triggers.preview(request["trigger"], request["trigger_args"], after=after, count=request["count"], **given)

    assert answer["description"] == triggers.describe(request["trigger"], request["trigger_args"], **given)
    assert [datetime.fromisoformat(time) for time in answer["fire_times"]] == times


def _preview() -> str:
    return below("reference/http-api.md", "## Preview")


@pytest.mark.parametrize(
    ("zone", "kind", "args", "after", "times"), rows(below("explanation/time-and-dst.md", "## Examples"))
)
def test_fire_times_around_clock_changes_are_as_told(zone, kind, args, after, times):
    expected = [_utc(moment) for moment in times.split(", ")]
    given = json.loads(args)

    assert triggers.preview(kind, given, timezone=zone, after=_utc(after), count=len(expected)) == expected


def _utc(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


# Models, states, signals, checks


@pytest.mark.parametrize("model", [SchedulerTask, TaskExecution, SchedulerNode])
def test_every_field_is_documented(model):
    documented = names(sections("reference/models.md")[model.__name__])

    assert sorted(documented) == sorted(field.name for field in model._meta.concrete_fields)


def test_what_people_give_and_the_policies_are_told_apart():
    given = names(below("reference/models.md", "### What people give"))
    policies = names(below("reference/models.md", "### Policies"))

    assert (set(given), set(policies)) == (
        set(definitions.FIELDS) - set(definitions.POLICIES),
        set(definitions.POLICIES),
    )


def test_the_defaults_of_policies_are_those_of_the_model():
    told = {row[0]: row[1] for row in rows(below("reference/models.md", "### Policies"))}
    defaults = {name: SchedulerTask._meta.get_field(name).get_default() for name in definitions.POLICIES}

    assert told == {name: _told(default) for name, default in defaults.items()}


def _told(default: Any) -> str:
    if default == "":
        return "empty"
    value = default.value if isinstance(default, enum.Enum) else default
    return value if isinstance(value, str) else json.dumps(value)


def test_what_a_save_never_writes_is_what_the_engine_writes():
    documented = set(names(below("reference/models.md", "### What the engine writes")))

    assert documented == SchedulerTask.ENGINE_FIELDS - {"last_run", "next_run", "schedule_error"} | {"id"}


def test_every_state_is_documented():
    assert names(below("reference/execution-states.md", "## States")) == ExecutionStatus.values


def test_every_reason_is_documented():
    assert set(names(below("reference/execution-states.md", "## Reasons"))) == set(Reason.values) - {""}


def test_every_signal_is_documented():
    assert names(text("reference/signals.md")) == [
        name for name, value in vars(signals).items() if isinstance(value, Signal)
    ]


def test_every_check_is_documented():
    backend = (Path(checks.__file__).parent.parent / "tasks_backend.py").read_text(encoding="utf-8")
    of_code = set(re.findall(r"sched_tasks\.[EW]\d{3}", (checks.__doc__ or "") + backend))

    assert list(sections("reference/checks.md")) == sorted(of_code)


# The API


def routes() -> set[tuple[str, str]]:
    return {
        (method.upper(), _address(pattern))
        for pattern in urls.urlpatterns
        for method in pattern.callback.actions
        if method != "head"
    }


def _address(pattern: URLPattern) -> str:
    address = re.sub(r"\(\?P<\w+>[^)]*\)", "{id}", str(pattern.pattern))
    return address.removeprefix("^").removesuffix("$").removesuffix("/?")


def test_every_address_is_documented():
    documented = [(row[0], row[1].removesuffix("/")) for row in rows(below("reference/http-api.md", "## Addresses"))]

    assert len(documented) == len(set(documented))
    assert set(documented) == routes()


def test_every_filter_is_documented():
    from django_sched_tasks.api import filters

    told = dict(re.findall(r"^\| (tasks|executions|nodes) \| (.*?) \|", text("reference/http-api.md"), re.MULTILINE))
    of_code = {
        "tasks": filters.TASK_FILTERS,
        "executions": filters.EXECUTION_FILTERS,
        "nodes": filters.NODE_FILTERS,
    }
    for name, known in of_code.items():
        assert set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", told[name]))) == set(known)


# Python and commands


def test_every_operation_is_documented_with_its_arguments():
    for_the_engine = {"announce_queued", "fail_unstarted", "next_attempt", "pause_after_failures", "queue_followers"}
    for_the_engine |= {"enqueue", "enqueued_attempts"}  # and for the backend of Django's task framework
    for_the_engine |= {"record_environment"}
    own = [
        function
        for name, function in inspect.getmembers(operations, inspect.isfunction)
        if function.__module__.startswith(operations.__name__) and not name.startswith("_")
    ]

    assert set(sections("reference/operations.md")) == {
        f"{function.__name__}({', '.join(inspect.signature(function).parameters)})"
        for function in own
        if function.__name__ not in for_the_engine
    }


@pytest.mark.parametrize("module", [django_sched_tasks, service, testing])
def test_every_public_name_is_documented(module):
    documented = re.findall(r"^`(\w+)`$", sections("reference/python.md")[module.__name__], re.MULTILINE)

    assert set(documented) == set(module.__all__) - {"__version__"}


def test_every_field_of_the_current_execution_is_documented():
    part = sections("reference/python.md")["django_sched_tasks"]

    assert names(part) == [field.name for field in fields(ExecutionContext)]


def test_every_kind_of_execution_is_documented():
    row = next(row for row in rows(sections("reference/python.md")["django_sched_tasks"]) if row[0] == "kind")

    assert re.findall(r"`?(\w+)`", f"{row[1]}`") == Kind.values


def test_every_exception_is_documented():
    own = [value for value in vars(exceptions).values() if inspect.isclass(value)]
    classes = [value.__name__ for value in own if issubclass(value, BaseException)]

    assert names(below("reference/python.md", "## Exceptions")) == classes


def test_every_command_is_documented_with_its_options():
    own = [name for name, app in get_commands().items() if app == "django_sched_tasks"]
    documented = sections("reference/commands.md")

    assert sorted(documented) == sorted(own)
    for name in own:
        parser = load_command_class("django_sched_tasks", name).create_parser("manage.py", name)
        common = load_command_class("django.core", "check").create_parser("manage.py", "check")
        of_all = {option for action in common._actions for option in action.option_strings} - {"--tag"}
        assert set(names(documented[name])) == words_of(parser) - of_all


def words_of(parser):
    """The verbs of a command, and its long options, those of its verbs among them."""
    words = set()
    for action in parser._actions:
        words |= {option for option in action.option_strings if option.startswith("--")}
        if isinstance(action, argparse._SubParsersAction):
            words |= set(action.choices)
            words |= {word for verb in action.choices.values() for word in words_of(verb)}
    return words


def test_every_exit_code_is_documented():
    told = re.findall(r"^\| (\d) \|", sections("reference/commands.md")["runscheduler"], re.MULTILINE)

    assert {int(code) for code in told} == {*service.ExitCode, 2}  # 2 is argparse's own


# All pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_in_pages_parses(page):
    for block in blocks(page, "python"):
        ast.parse(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\(\s*([^)#\s]+)(?:#\S*)?\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]

    assert missing == []


def test_the_readme_names_the_two_commands():
    shown = "\n".join(blocks(ROOT / "README.md", "console"))

    assert "make demo" in shown
    assert "make test" in shown
