"""The settings: read live, checked key by key."""

from pathlib import Path

import pytest

from django_sched_tasks import conf


def keys_with_problems():
    return [key for key, _sentence, _hint in conf.problems()]


def test_a_site_without_the_setting_has_the_defaults(settings):
    del settings.SCHED_TASKS

    assert keys_with_problems() == []
    assert {name: conf.get(name) for name in conf.KEYS} == {name: key.default for name, key in conf.KEYS.items()}


def test_the_defaults_are_right_themselves():
    assert [name for name, key in conf.KEYS.items() if not key.is_valid(key.default)] == []


def test_a_value_is_read_when_it_is_used(settings):
    settings.SCHED_TASKS = {"POLL_INTERVAL": 3}
    assert conf.poll_interval() == 3.0
    settings.SCHED_TASKS = {"POLL_INTERVAL": 4}
    assert conf.poll_interval() == 4.0


def test_an_unknown_key_names_the_nearest(settings):
    settings.SCHED_TASKS = {"POLL_INTERVALL": 3}

    assert list(conf.problems()) == [
        ("POLL_INTERVALL", "SCHED_TASKS has an unknown key 'POLL_INTERVALL'.", "Did you mean 'POLL_INTERVAL'?")
    ]


def test_an_unknown_key_that_is_near_to_none_lists_them(settings):
    settings.SCHED_TASKS = {"zzz": 3}

    [(_key, _sentence, hint)] = conf.problems()
    assert "POLL_INTERVAL" in hint


WRONG = [
    ("AUTO_START", 1),
    ("LOCK_FILE", ""),
    ("LOCK_FILE", 7),
    ("TASK_MODULES", "tasks"),
    ("TASK_MODULES", [""]),
    ("ALLOWED_FUNCS", {"shop.tasks:*"}),
    ("EXECUTORS", {}),
    ("EXECUTORS", {"default": {}}),
    ("EXECUTORS", {"default": {"BACKEND": "a.B", "OPTION": {}}}),
    ("EXECUTORS", {"default": {"BACKEND": "a.B", "OPTIONS": []}}),
    ("EXECUTORS", {"default": "a.B"}),
    ("QUEUES", []),
    ("QUEUES", "default"),
    ("DEFAULTS", []),
    ("POLL_INTERVAL", 0),
    ("POLL_INTERVAL", True),
    ("HEARTBEAT_INTERVAL", "5"),
    ("NODE_TIMEOUT", -1),
    ("PREFETCH", 1.5),
    ("SHUTDOWN_GRACE", None),
    ("RETENTION", {"weeks": 1}),
    ("RETENTION", 90),
    ("API_PERMISSION_CLASSES", "a.B"),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_is_told_and_counts_as_absent(settings, key, value):
    settings.SCHED_TASKS = {key: value}

    assert keys_with_problems() == [key]
    assert conf.get(key) == conf.KEYS[key].default


def test_a_setting_that_is_no_dict_is_told_and_counts_as_absent(settings):
    settings.SCHED_TASKS = ["POLL_INTERVAL"]

    assert keys_with_problems() == ["SCHED_TASKS"]
    assert conf.poll_interval() == 1.0


def test_a_node_must_be_able_to_miss_a_sign_of_life(settings):
    settings.SCHED_TASKS = {"HEARTBEAT_INTERVAL": 60}

    assert keys_with_problems() == ["NODE_TIMEOUT"]


@pytest.mark.parametrize(
    ("variable", "setting", "expected"),
    [
        ("", True, True),
        ("", False, False),
        ("0", True, False),
        ("1", False, True),
        (" 1 ", False, True),
        ("yes", False, False),
    ],
)
def test_the_environment_overrides_auto_start(settings, monkeypatch, variable, setting, expected):
    monkeypatch.setenv("SCHED_TASKS_AUTO_START", variable)
    settings.SCHED_TASKS = {"AUTO_START": setting}

    assert conf.auto_start() is expected


def test_the_lock_file_is_a_path_or_nothing(settings):
    settings.SCHED_TASKS = {"LOCK_FILE": Path("/run/site.lock")}
    assert conf.lock_file() == "/run/site.lock"
    settings.SCHED_TASKS = {}
    assert conf.lock_file() is None


def test_retention_in_days_or_for_ever(settings):
    settings.SCHED_TASKS = {"RETENTION": {"days": 7}}
    assert conf.retention_days() == 7.0
    settings.SCHED_TASKS = {"RETENTION": None}
    assert conf.retention_days() is None


@pytest.mark.parametrize(
    ("retention", "days", "count"),
    [({"days": 7}, 7.0, None), ({"count": 100}, None, 100), ({"days": 0.5, "count": 1}, 0.5, 1), (None, None, None)],
)
def test_retention_by_age_and_by_number(settings, retention, days, count):
    settings.SCHED_TASKS = {"RETENTION": retention}
    assert (conf.retention_days(), conf.retention_count()) == (days, count)


@pytest.mark.parametrize(
    "retention", [{}, {"days": 0}, {"days": None}, {"count": 0}, {"count": 1.5}, {"count": True}, {"weeks": 1}, 90]
)
def test_a_wrong_retention_is_told_and_the_default_is_used(settings, retention):
    settings.SCHED_TASKS = {"RETENTION": retention}
    assert [name for name, _text, _hint in conf.problems()] == ["RETENTION"]
    assert (conf.retention_days(), conf.retention_count()) == (90.0, None)


def test_lists_are_given_out_as_tuples(settings):
    settings.SCHED_TASKS = {"TASK_MODULES": ["tasks"], "ALLOWED_FUNCS": ["a.b:*"]}

    assert (conf.task_modules(), conf.allowed_funcs()) == (("tasks",), ("a.b:*",))


@pytest.mark.parametrize(
    ("given", "queues", "web"),
    [
        ({}, None, None),
        ({"QUEUES": ["mail", "etl"]}, {"mail": None, "etl": None}, {"mail": None, "etl": None}),
        ({"QUEUES": {"etl": 2, "mail": None}}, {"etl": 2, "mail": None}, {"etl": 2, "mail": None}),
        ({"WEB_QUEUES": []}, None, {}),
        ({"QUEUES": ["etl"], "WEB_QUEUES": {"mail": 1}}, {"etl": None}, {"mail": 1}),
        ({"QUEUES": {"etl": 0}}, None, None),
        ({"QUEUES": []}, None, None),
    ],
)
def test_queues_are_names_with_or_without_slots(settings, given, queues, web):
    settings.SCHED_TASKS = given
    assert (conf.queues(), conf.web_queues()) == (queues, web)
