"""What the form asks while it is filled in."""

import pytest
from django.urls import reverse
from django.utils import translation

from django_sched_tasks.admin import policies

FUNCTIONS = "admin:django_sched_tasks_schedulertask_functions"
PREVIEW = "admin:django_sched_tasks_schedulertask_preview"
TYPED = {"trigger": "cron", "trigger_args": '{"hour": "8"}', "timezone": "Asia/Shanghai"}


@pytest.fixture
def preview(root):
    return lambda **changes: root.post(reverse(PREVIEW), {**TYPED, **changes}).json()


def test_functions_come_with_their_docstring_and_inputs(root):
    found = {item["path"]: item for item in root.get(reverse(FUNCTIONS)).json()["functions"]}

    known = found["tests.zoo.tasks:keywords_only"]
    assert [(item["name"], item["type"], item["required"]) for item in known["inputs"]] == [
        ("kind", "text", True),
        ("since", "text", False),
    ]
    assert found["tests.zoo.tasks:add"]["doc"] == "Add two numbers."


def test_a_trigger_is_told_in_words_with_its_next_ten_fire_times(preview):
    answer = preview()

    assert answer["description"] == "Every day at 08:00 (Asia/Shanghai)"
    assert answer["zone"] == "Asia/Shanghai"
    assert len(answer["times"]) == 10
    assert {time["text"][-8:] for time in answer["times"]} == {"08:00:00"}
    assert answer["times"][0]["zone"] == "CST"


@pytest.mark.parametrize(
    ("changes", "field", "part"),
    [
        ({"trigger": "crontab", "trigger_args": '{"expression": "61 * * * *"}'}, "trigger_args", "A right one"),
        ({"trigger": "crontab", "trigger_args": '{"expression": "* * *"}'}, "trigger_args", "has 3 fields"),
        ({"trigger_args": "{hour"}, "trigger_args", "Enter a valid JSON"),
        ({"timezone": "Asia/Shangai"}, "timezone", "Asia/Shanghai"),
        ({"trigger": "date", "trigger_args": '{"run_date": "2020-01-01"}'}, "trigger_args", "in the past"),
    ],
)
def test_what_is_wrong_is_told_before_saving(preview, changes, field, part):
    answer = preview(**changes)

    assert part in answer["errors"][field][0]
    assert "times" not in answer


def test_clock_changes_are_marked(preview):
    answer = preview(trigger="crontab", trigger_args='{"expression": "30 2 31 3,10 *"}', timezone="Europe/Berlin")
    notes = {time["text"][:10]: time["note"] for time in answer["times"]}

    assert any("The clocks change before this one" in note for note in notes.values())


def test_an_interval_counts_from_the_anchor_of_its_task(root, make_task):
    task = make_task(trigger="interval", trigger_args={"hours": 1})
    data = {"trigger": "interval", "trigger_args": '{"hours": 1}', "timezone": "", "_task": task.pk}
    times = root.post(reverse(PREVIEW), data).json()["times"]

    assert times[0]["iso"][14:19] == f"{task.anchor:%M:%S}"


def test_policies_are_told_in_words(preview):
    told = " ".join(preview(max_retries="3", retry_delay="90", timeout="60", misfire_grace_time="3600")["policies"])

    for part in ("within 1 hour", "may take 1 minute", "up to 3 times, first after 1 minute 30 seconds"):
        assert part in told
    assert "However late" in " ".join(preview(misfire_grace_time="")["policies"])


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"max_instances": None}, "Any number"),
        ({"max_instances": 3, "overlap": "queue"}, "At most 3 at a time; a fire time meanwhile waits."),
        ({"max_instances": 1, "overlap": "replace"}, "replaces what waits"),
        ({"max_instances": 1, "concurrency_key": "disk"}, "key “disk”"),
        ({"coalesce": False, "max_catch_up": 5}, "up to 5 run one after another"),
        ({"on_crash": "retry"}, "it runs again"),
        ({"transactional": True}, "it runs again"),
        ({"pause_on_failure": 4}, "after 4 failures in a row"),
        ({"max_retries": 1, "retry_delay": 5}, "tried again once, after 5 seconds"),
    ],
)
def test_each_policy_has_its_sentence(given, part):
    with translation.override("en"):
        assert part in " ".join(policies.sentences(given))


def test_who_may_only_look_is_not_helped_to_write(viewer, task):
    assert viewer.get(reverse(FUNCTIONS)).status_code == 403
    assert viewer.post(reverse(PREVIEW), TYPED).status_code == 403


def test_nothing_is_answered_to_a_get(root):
    assert root.get(reverse(PREVIEW)).status_code == 405


def test_the_pages_script_begins_with_its_texts_in_the_readers_language(root, viewer, task, page):
    url = reverse("admin:django_sched_tasks_schedulertask_add")
    assert b'id="sched-form-config"' in root.get(url).content
    assert b'id="sched-form-config"' not in viewer.get(page(task)).content
