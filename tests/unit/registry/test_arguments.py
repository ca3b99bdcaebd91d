"""Arguments that a function, or a database, would not take."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_sched_tasks import conf, registry
from django_sched_tasks.exceptions import InvalidFunction


def plain(kind, /, size, *, since=None): ...


def open_ended(*args, **kwargs): ...


def three(a, b=2, *, c): ...


def resolved(func) -> registry.ResolvedFunction:
    return registry.ResolvedFunction("x:y", func, inspect.signature(func), False, func)


def errors(func, args, kwargs) -> dict[str, str]:
    with pytest.raises(InvalidFunction) as caught:
        registry.check_arguments(resolved(func), args, kwargs)
    return {key: " ".join(texts) for key, texts in caught.value.errors.items()}


@pytest.mark.parametrize(
    ("func", "args", "kwargs", "key", "words"),
    [
        (plain, [1], {"size": 2, "sinse": 3}, "kwargs", "Did you mean 'since'?"),
        (plain, [1], {"size": 2, "zzz": 3}, "kwargs", "Unknown: 'zzz'. It takes (kind, /, size, *, since=None)."),
        (plain, [1], {"size": 2, "kind": 3}, "kwargs", "Unknown: 'kind'"),
        (plain, [1, 2], {"size": 2}, "kwargs", "Given in args already: 'size'"),
        (plain, [1], {}, "kwargs", "Missing: 'size'"),
        (plain, [], {"size": 1}, "args", "Missing by position: 'kind'"),
        (plain, [1, 2, 3], {}, "args", "3 arguments by position are given, 2 are taken"),
        (three, [1], {}, "kwargs", "Missing: 'c'"),
        (plain, (), {}, "args", "a JSON list, not a tuple"),
        (plain, "ab", {}, "args", "a JSON list, not a str"),
        (plain, None, {}, "args", "a JSON list, not a NoneType"),
        (plain, [], [], "kwargs", "a JSON object, not a list"),
        (open_ended, [], {1: 2}, "kwargs", "not a string"),
        (open_ended, ["a\x00b"], {}, "args", "U+0000"),
        (open_ended, [], {"a": ["\ud800"]}, "kwargs", "U+D800"),
        (open_ended, [], {"a\x00": 1}, "kwargs", "U+0000"),
        (open_ended, [float("nan")], {}, "args", "NaN"),
        (open_ended, [float("-inf")], {}, "args", "Infinity"),
        (open_ended, [10**5000], {}, "args", "bits"),
        (open_ended, [object()], {}, "args", "type object is not JSON"),
        (open_ended, [], {"a": "x" * 1_000_000}, "kwargs", "65536 are allowed"),
        (open_ended, ["x" * 40_000], {"a": "x" * 30_000}, "args", "65536 are allowed"),
        (open_ended, [], {"a": "\u76d8" * 30_000}, "kwargs", "90011 bytes"),
    ],
)
def test_wrong_arguments_are_explained_at_their_field(func, args, kwargs, key, words):
    found = errors(func, args, kwargs)
    assert list(found) == [key]
    assert words in found[key]


def test_arguments_nested_too_deep_are_refused():
    deep: list = []
    for _ in range(5_000):
        deep = [deep]
    assert "levels" in errors(open_ended, deep, {})["args"]


def test_both_fields_are_explained_at_once():
    assert set(errors(plain, [1, 2, 3], {"zzz": 1})) == {"args", "kwargs"}


def test_a_function_without_a_signature_takes_any_fit_arguments():
    function = registry.ResolvedFunction("x:y", print, None, False, print)
    registry.check_arguments(function, [1], {"a": 2})
    with pytest.raises(InvalidFunction):
        registry.check_arguments(function, ["\x00"], {})


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    func=st.sampled_from([plain, open_ended, three]),
    args=st.lists(st.integers(), max_size=4),
    kwargs=st.dictionaries(st.sampled_from(["kind", "size", "since", "a", "b", "c", "z"]), st.integers()),
)
def test_arguments_pass_exactly_where_python_would_bind_them(func, args, kwargs):
    try:
        inspect.signature(func).bind(*args, **kwargs)
    except TypeError:
        with pytest.raises(InvalidFunction):
            registry.check_arguments(resolved(func), args, kwargs)
    else:
        registry.check_arguments(resolved(func), args, kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs", "key"),
    [(["flush", "--no-input"], {}, "args"), ([], {"name": "flush"}, "kwargs"), ([7], {}, "args")],
)
def test_a_command_that_the_settings_do_not_name_is_refused_before_it_is_saved(settings, args, kwargs, key):
    settings.SCHED_TASKS = {"COMMANDS": ["check", "clearsessions"]}
    with pytest.raises(InvalidFunction) as caught:
        registry.check_arguments(registry.resolve(conf.RUN_COMMAND), args, kwargs)
    assert "SCHED_TASKS['COMMANDS'] allows: check, clearsessions." in " ".join(caught.value.errors[key])
    registry.check_arguments(registry.resolve(conf.RUN_COMMAND), ["check", "--deploy"], {})
