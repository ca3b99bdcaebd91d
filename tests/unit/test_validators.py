"""The field validators say in Django's exception what registry and triggers say in ours."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from django_sched_tasks.validators import validate_function_path, validate_trigger_kind


@pytest.mark.parametrize("value", ["os:system", "nothing", None, ["x"]])
def test_a_wrong_function_path_is_refused_with_a_cure(value):
    with pytest.raises(ValidationError, match="ALLOWED_FUNCS"):
        validate_function_path(value)


def test_a_function_that_may_be_scheduled_passes(settings):
    settings.SCHED_TASKS = {"ALLOWED_FUNCS": ["django.utils.timezone:now"]}
    validate_function_path("django.utils.timezone:now")


@pytest.mark.parametrize("kind", ["cron", "crontab", "interval", "date", "calendarinterval", "or"])
def test_known_triggers_pass(kind):
    validate_trigger_kind(kind)


@pytest.mark.parametrize(
    ("value", "words"),
    [("intervall", "Did you mean 'interval'"), ("x", "Known are"), (["x"], "Known are"), (None, "Known are")],
)
def test_an_unknown_trigger_is_refused_with_a_hint(value, words):
    with pytest.raises(ValidationError, match=words):
        validate_trigger_kind(value)
