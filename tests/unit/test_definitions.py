"""What a task's definition must look like: every error at its field, all at once."""

import pytest
from django.test import override_settings

from django_sched_tasks import definitions
from django_sched_tasks.exceptions import InvalidDefinition
from django_sched_tasks.models import SchedulerTask

NEW = {"name": "T", "func": "tests.zoo.tasks:ok", "trigger": "interval", "trigger_args": {"minutes": 1}}


def errors_of(now, **changes):
    with pytest.raises(InvalidDefinition) as caught:
        definitions.clean_new({**NEW, **changes}, now=now)
    return caught.value.errors


def test_the_given_fields_come_back_clean(now):
    cleaned = definitions.clean_new({**NEW, "priority": 5, "timeout": 3.0, "coalesce": False}, now=now)
    assert cleaned == {**NEW, "priority": 5, "timeout": 3, "coalesce": False}


def test_what_is_required(now):
    with pytest.raises(InvalidDefinition) as caught:
        definitions.clean_new({}, now=now)
    assert set(caught.value.errors) == {"name", "func", "trigger", "trigger_args"}


def test_all_errors_come_at_once(now):
    found = errors_of(now, name="x" * 300, func="os:system", trigger_args={"minuts": 1}, args=1, overlap="wait")
    assert set(found) == {"name", "func", "trigger_args", "args", "overlap"}


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "blank"),
        ("name", "  ", "blank"),
        ("name", "x" * 129, "128"),
        ("name", 5, "must be text"),
        ("name", None, "null was given; it must be text"),
        ("name", "a\0b", "U+0000"),
        ("description", "\ud800", "U+D800"),
        ("queue", "", "blank"),
        ("retry_on", "OSError", "must be a JSON list"),
        ("retry_on", [5], "is not the name of an exception"),
        ("retry_on", ["OSErorr"], "Did you mean 'OSError'?"),
        ("retry_on", ["print"], "no exception of Python's own"),
        ("retry_on", ["requests."], "is not the name of an exception"),
        ("retry_jitter", 1.5, "1.0"),
        ("timezone", "Mars/Base", "Mars/Base"),
        ("executor", "gpu", "There is no executor 'gpu'. Known are: default"),
        ("args", {}, "an object was given; it must be a JSON list"),
        ("kwargs", [], "a list was given; it must be a JSON object"),
        ("executor_options", "x", "must be a JSON object"),
        ("kwargs", {"a": float("nan")}, "NaN"),
        ("args", ["\0"], "U+0000"),
        ("coalesce", "False", "text was given; it must be true or false"),
        ("priority", "5", "text was given; it must be a whole number"),
        ("retry_jitter", "0.5", "text was given; it must be a number"),
        ("retry_jitter", True, "it must be a number"),
        ("coalesce", None, "None"),
        ("misfire_grace_time", 0, "1"),
        ("misfire_grace_time", [1], "a list was given; it must be a whole number"),
        ("max_instances", -1, "1"),
        ("max_instances", True, "it must be a whole number"),
        ("max_instances", 1.5, "a whole number"),
        ("max_catch_up", 100_000, "10000"),
        ("overlap", "wait", "wait"),
        ("on_crash", "shrug", "shrug"),
        ("retry_backoff", 0.5, "1"),
        ("retry_backoff", float("inf"), "Infinity"),
        ("priority", 101, "100"),
        ("timeout", 10**30, ""),
        ("minuts", 1, "There is no such field"),
        ("fnc", "x", "Did you mean 'func'?"),
        ("status", 0, "There is no such field"),
    ],
)
def test_a_wrong_field(now, field, value, says):
    found = errors_of(now, **{field: value})
    assert list(found) == [field]
    assert says in " ".join(found[field])


@pytest.mark.parametrize("trigger", [["x"], 5, None, "lunar"])
def test_a_wrong_kind_of_trigger(now, trigger):
    assert "trigger" in errors_of(now, trigger=trigger)


@pytest.mark.parametrize("args", [["x"], "x", None, {"minuts": 1}, {"minutes": 0}, {"end_date": "2020-01-01"}])
def test_wrong_arguments_of_a_trigger(now, args):
    assert list(errors_of(now, trigger_args=args)) == ["trigger_args"]


def test_arguments_that_do_not_fit_the_function(now):
    assert list(errors_of(now, func="tests.zoo.tasks:add", kwargs={"c": 1})) == ["kwargs"]


def test_an_empty_job_id_is_made_up_and_a_blank_one_refused(now):
    assert "job_id" not in definitions.clean_new({**NEW, "job_id": ""}, now=now)
    assert "job_id" in errors_of(now, job_id="  ")


def test_a_single_date_is_late_rather_than_never(now):
    date = {"trigger": "date", "trigger_args": {"run_date": "2026-02-01"}}
    assert definitions.clean_new({**NEW, **date}, now=now)["misfire_grace_time"] is None
    assert definitions.clean_new({**NEW, **date, "misfire_grace_time": 5}, now=now)["misfire_grace_time"] == 5
    assert "misfire_grace_time" not in definitions.clean_new(NEW, now=now)


@override_settings(SCHED_TASKS={"DEFAULTS": {"coalesce": False, "max_instances": 4, "colour": "red"}})
def test_the_sites_defaults_are_for_what_was_left_out(now):
    cleaned = definitions.clean_new({**NEW, "max_instances": 2}, now=now)
    assert (cleaned["coalesce"], cleaned["max_instances"]) == (False, 2)


# Changes.


@pytest.fixture
def stored():
    return SchedulerTask(**NEW, priority=3)


def test_only_what_changed_is_checked(now, stored):
    stored.func, stored.trigger_args = "gone.tasks:nothing", {"minutes": 1, "end_date": "2020-01-01"}
    changes = {"name": "New", "func": stored.func, "trigger_args": stored.trigger_args}
    assert definitions.clean_changes(stored, changes, now=now) == changes


def test_a_change_is_checked_together_with_what_is_stored(now, stored):
    with pytest.raises(InvalidDefinition) as caught:
        definitions.clean_changes(stored, {"trigger": "cron", "args": [1]}, now=now)
    assert set(caught.value.errors) == {"trigger_args", "args"}


@pytest.mark.parametrize("value", [True, 3.5, "x", None])
def test_a_value_that_only_looks_like_the_stored_one_is_checked(now, stored, value):
    with pytest.raises(InvalidDefinition):
        definitions.clean_changes(stored, {"priority": value}, now=now)


def test_exceptions_to_retry_are_kept_as_given(now):
    names = ["OSError", "requests.exceptions.Timeout", "builtins.ValueError"]
    assert definitions.clean_new({**NEW, "retry_on": names}, now=now)["retry_on"] == names


# Beside the definition.


def test_a_note(now):
    assert definitions.clean_note("  why ") == "why"
    for wrong in (5, "x" * 256, "a\0"):
        with pytest.raises(InvalidDefinition) as caught:
            definitions.clean_note(wrong)
        assert list(caught.value.errors) == ["note"]


def test_an_idempotency_key():
    assert definitions.clean_idempotency_key("x" * 64) == "x" * 64
    for wrong in (5, "x" * 65, "a\0"):
        with pytest.raises(InvalidDefinition) as caught:
            definitions.clean_idempotency_key(wrong)
        assert list(caught.value.errors) == ["Idempotency-Key"]
