"""Secrets are hidden where they are shown, and put back where they are given back."""

import time

import pytest
from django.test import override_settings

from django_sched_tasks import registry
from django_sched_tasks.exceptions import InvalidFunction
from django_sched_tasks.redaction import HIDDEN, Arguments, MissingSecret, Redactor, is_secret_name

LEAKS = "tests.zoo.tasks:leaks_password"
MARKED = "tests.zoo.tasks:keeps_pin"


@pytest.mark.parametrize("name", ["password", "DB_PASSWORD", "apiKey", "api-key", "access_token", "clientSecret"])
def test_names_that_mean_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["user", "path", "key", "pass_through", "since"])
def test_names_that_do_not(name):
    assert not is_secret_name(name)


@override_settings(SCHED_TASKS={"REDACT": ["pin"]})
def test_the_words_are_those_of_the_setting():
    assert is_secret_name("PIN")
    assert not is_secret_name("password")


@override_settings(SCHED_TASKS={"REDACT": []})
def test_no_words_hide_nothing_but_what_is_marked():
    assert not is_secret_name("password")
    assert Arguments(["a", "b"], {"b"}).hidden([1, 2], {}) == ([1, HIDDEN], {})
    assert Redactor().hide("password=hunter2") == "password=hunter2"


def test_arguments_are_hidden_by_position_name_and_depth():
    args, kwargs = Arguments(["user", "password"]).hidden(
        ["ada", "hunter2", "rest"], {"token": None, "options": {"api_key": ["k"], "list": [{"secret": 1}, 2]}}
    )
    assert args == ["ada", HIDDEN, "rest"]
    assert kwargs == {"token": None, "options": {"api_key": HIDDEN, "list": [{"secret": HIDDEN}, 2]}}


def test_what_was_hidden_comes_back():
    secrets = Arguments(["user", "password"])
    stored_args, stored = ["ada", "hunter2"], {"options": {"api_key": "k", "n": 1}, "list": [{"token": "t"}]}
    args, kwargs = secrets.hidden(stored_args, stored)
    assert secrets.restored_args(args, stored_args) == stored_args
    assert secrets.restored_kwargs(kwargs, stored) == stored
    changed = {"options": {"api_key": HIDDEN, "n": 2}, "list": []}
    assert secrets.restored_kwargs(changed, stored) == {"options": {"api_key": "k", "n": 2}, "list": []}


def test_asterisks_elsewhere_are_just_that():
    assert Arguments(["user"]).restored_args([HIDDEN], ["ada"]) == [HIDDEN]


@pytest.mark.parametrize(("given", "stored"), [({"token": HIDDEN}, {}), ({"a": {"token": HIDDEN}}, {"a": [1]})])
def test_a_hidden_secret_that_nobody_has_is_refused(given, stored):
    with pytest.raises(MissingSecret):
        Arguments().restored_kwargs(given, stored)


def test_of_a_function_the_names_and_marks_are_known():
    assert registry.hidden_arguments(LEAKS, ["hunter2"], {"token": "t"}) == ([HIDDEN], {"token": HIDDEN})
    assert registry.hidden_arguments(MARKED, ["ada", 1234], {}) == (["ada", HIDDEN], {})
    assert registry.hidden_arguments("no.such:function", ["x"], {"password": "y"}) == (["x"], {"password": HIDDEN})
    assert registry.hidden_arguments(LEAKS, "odd", None) == ("odd", None)


def test_the_refusal_names_the_field():
    with pytest.raises(InvalidFunction) as refused:
        registry.restored_arguments(LEAKS, {"args": [HIDDEN]}, [], {})
    assert list(refused.value.errors) == ["args"]
    assert "Give its value" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password=hunter2 user=ada", "password=***** user=ada"),
        ("PASSWORD: 'hunter2', x", "PASSWORD: '*****', x"),
        ('{"access_token": "abc", "n": 1}', '{"access_token": "*****", "n": 1}'),
        ("?api_key=abc&page=2", "?api_key=*****&page=2"),
        ("Api-Key: abc", "Api-Key: *****"),
        ("token: Bearer abc.def", "token: *****"),
        ("the password is long", "the password is long"),
    ],
)
def test_texts_are_hidden_by_name(text, shown):
    assert Redactor().hide(text) == shown


@pytest.mark.parametrize("text", ["x" * 65_536, "password" * 8_192, "a-" * 32_768])
def test_a_long_word_takes_no_long_time(text):
    began = time.process_time()

    assert Redactor().hide(text) == text
    assert Redactor().hide(f"{text}={text} {text}") == f"{text}={HIDDEN if 'password' in text else text} {text}"
    assert time.process_time() - began < 2


def test_texts_are_hidden_by_value_the_longest_first():
    redactor = Redactor(["hunter2", "hunter2long", "abc"])
    assert redactor.hide_values("hunter2long hunter2 abc") == f"{HIDDEN} {HIDDEN} abc"


def test_the_secrets_of_a_run_are_all_texts_in_them():
    secrets = Arguments(["user", "credentials"]).secret_texts(["ada", {"a": "one", "b": [2, True, None]}], {"n": "x"})
    assert list(secrets) == ["one", "2"]


def test_a_mark_must_name_a_parameter():
    def function(a):
        pass

    function.__qualname__ = "function"
    with pytest.raises(TypeError, match=r"no parameter 'b'. It has: a"):
        registry.schedulable(secrets=["b"])(function)
    with pytest.raises(TypeError, match="write a list"):
        registry.schedulable(secrets="a")(function)
