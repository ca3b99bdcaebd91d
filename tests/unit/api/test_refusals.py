"""What must be a 400 that names the field, on every database; never a 500."""

import json

import pytest

from django_sched_tasks.models import SchedulerTask


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"func": "os:system"}, "func", "'os'"),
        ({"func": "subprocess:call"}, "func", "subprocess"),
        ({"func": "builtins:eval"}, "func", "'builtins'"),
        ({"func": "tests.zoo.tasks:time.sleep"}, "func", "path of a function"),
        ({"func": "tests.zoo.tasks:current_execution"}, "func", "not defined in"),
        ({"func": "tests.zoo.tasks:_read_the_file"}, "func", "private"),
        ({"func": "tests.zoo.tasks:Effect"}, "func", "class"),
        ({"func": "tests.zoo.missing:ok"}, "func", "missing"),
        ({"func": "tests.zoo.tasks:okay"}, "func", "tests.zoo.tasks:ok"),
        ({"func": ["x"]}, "func", "text"),
        ({"func": None}, "func", "text"),
        ({"kwargs": {"nope": 1}}, "kwargs", "Unknown"),
        ({"args": [1, 2, 3]}, "args", "given"),
        ({"args": {"a": 1}}, "args", "list"),
        ({"kwargs": [1]}, "kwargs", "object"),
        ({"trigger": ["x"]}, "trigger", "kind of trigger"),
        ({"trigger": {"x": 1}}, "trigger", "kind of trigger"),
        ({"trigger": None}, "trigger", "kind of trigger"),
        ({"trigger": "corn"}, "trigger", "cron"),
        ({"trigger_args": "x"}, "trigger_args", "object"),
        ({"trigger_args": []}, "trigger_args", "object"),
        ({"trigger_args": None}, "trigger_args", "object"),
        ({"trigger_args": {"minuts": 5}}, "trigger_args", "minutes"),
        ({"trigger_args": {"seconds": 0}}, "trigger_args", "second"),
        ({"trigger_args": {"seconds": -5}}, "trigger_args", "second"),
        ({"trigger_args": {"seconds": [1]}}, "trigger_args", "second"),
        ({"trigger_args": {"\0": 1}}, "trigger_args", "U+0000"),
        ({"trigger": "cron", "trigger_args": {"hour": "25"}}, "trigger_args", "25"),
        ({"trigger": "cron", "trigger_args": {"month": "2", "day": "30"}}, "trigger_args", "never"),
        ({"trigger": "date", "trigger_args": {"run_date": "2020-01-01"}}, "trigger_args", "2020"),
        ({"trigger": "or", "trigger_args": {"triggers": "x"}}, "trigger_args", "triggers"),
        ({"timezone": "Mars/Base"}, "timezone", "time zone"),
        ({"timezone": ["UTC"]}, "timezone", "text"),
        ({"name": "x" * 300}, "name", "128"),
        ({"name": ""}, "name", "blank"),
        ({"name": "   "}, "name", "blank"),
        ({"name": None}, "name", "text"),
        ({"name": 5}, "name", "text"),
        ({"name": "nul\0"}, "name", "U+0000"),
        ({"name": "lone \ud800"}, "name", "U+D800"),
        ({"description": "nul\0"}, "description", "U+0000"),
        ({"job_id": "x" * 65}, "job_id", "64"),
        ({"kwargs": {"text": "nul\0"}}, "kwargs", "U+0000"),
        ({"args": ["lone \udfff"]}, "args", "U+DFFF"),
        ({"kwargs": {"text": "x" * 1_000_000}}, "kwargs", "bytes"),
        ({"kwargs": {"number": 10**400}}, "kwargs", "bits"),
        ({"max_instances": "many"}, "max_instances", "text was given; it must be a whole number"),
        ({"max_instances": "5"}, "max_instances", "whole number"),
        ({"max_instances": 0}, "max_instances", "1"),
        ({"max_instances": 2**70}, "max_instances", "less than"),
        ({"max_instances": True}, "max_instances", "number"),
        ({"max_retries": [1]}, "max_retries", "a list was given; it must be a whole number"),
        ({"max_retries": 1.5}, "max_retries", "whole"),
        ({"retry_backoff": "1.5"}, "retry_backoff", "text was given; it must be a number"),
        ({"coalesce": "true"}, "coalesce", "it must be true or false"),
        ({"coalesce": 1}, "coalesce", "it must be true or false"),
        ({"coalesce": None}, "coalesce", "True or False"),
        ({"overlap": "explode"}, "overlap", "explode"),
        ({"executor": "moon"}, "executor", "default"),
        ({"executor_options": [1]}, "executor_options", "object"),
        ({"priority": 101}, "priority", "100"),
        ({"nmae": "x"}, "nmae", "name"),
        ({"user": "x"}, "user", "no such field"),
        ({"now": "x"}, "now", "no such field"),
        ({"plan_at": None}, "plan_at", "no such field"),
        ({"lone \ud800": 1}, "lone \ufffd", "no such field"),
        ({"": 1}, "", "no such field"),
    ],
)
def test_a_wrong_definition_is_refused_at_its_field(client, definition, changes, field, text):
    answer = client.raw("tasks/", json.dumps(definition(**changes)).encode())
    assert answer.status_code == 400, answer.content
    assert text in " ".join(answer.json()[field])
    assert not SchedulerTask.objects.exists()


@pytest.mark.parametrize("name", ["name", "func", "trigger", "trigger_args"])
def test_the_required_fields_are_required(client, definition, name):
    given = definition()
    del given[name]
    answer = client.post("task/add", given)
    assert (answer.status_code, answer.json()) == (400, {name: ["This field is required."]})


def test_all_errors_are_told_at_once(client):
    answer = client.post("task/add", {"func": "os:system", "trigger": "cron", "nmae": "x"})
    assert set(answer.json()) == {"name", "trigger_args", "func", "nmae"}


def test_a_job_id_that_is_taken_is_refused(client, definition, add):
    add(job_id="nightly")
    for answer in [
        client.post("task/add", definition(job_id="nightly")),
        client.patch(f"tasks/{add().pk}", {"job_id": "nightly"}),
    ]:
        assert answer.status_code == 400
        assert "'nightly'" in answer.json()["job_id"][0]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"[]", "list was given"),
        (b"[1, 2]", "a list was given"),
        (b"null", "null was given"),
        (b'"text"', "'text' was given"),
        (b"5", "5 was given"),
        (b"true", "true was given"),
        (b"{", "not JSON"),
        (b" ", "not JSON"),
        (b"{'name': 1}", "not JSON"),
        (b'{"name": NaN}', "not JSON"),
        (b'{"name": -Infinity}', "not JSON"),
        (b'{"name": "\xff"}', "not JSON"),
        (b'{"number": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"\x00", "not JSON"),
        (b"[" * 200_000 + b"]" * 200_000, "nested"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "nested"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("path", ["task/add", "task/pause/{}", "task/resume/{}", "task/run/{}", "triggers/preview"])
def test_a_body_that_is_no_json_object_is_refused(client, task, path, body, text):
    answer = client.raw(path.format(task.pk), body)
    assert answer.status_code == 400
    assert text in answer.json()["detail"]


def test_json_depth_that_no_database_takes_is_refused(client, definition):
    deep = "x"
    for _ in range(100):
        deep = [deep]
    answer = client.post("task/add", definition(args=[deep]))
    assert (answer.status_code, list(answer.json())) == (400, ["args"])


def test_a_number_beyond_all_floats_is_refused(client, definition):
    body = json.dumps(definition(timeout="?")).replace('"?"', "1e400")
    answer = client.raw("task/add", body.encode())
    assert (answer.status_code, list(answer.json())) == (400, ["timeout"])


def test_forms_are_not_read(client, task):
    for path in ["task/add", f"task/run/{task.pk}"]:
        answer = client.raw(path, b"name=x", content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 415


def test_an_empty_form_is_as_good_as_no_body(client, task):
    answer = client.raw(f"task/pause/{task.pk}", b"", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "bz2_codec", "nonsense"])
def test_json_is_utf_8_whatever_charset_is_claimed(client, definition, charset):
    body = json.dumps(definition(name="每日"), ensure_ascii=False).encode()
    answer = client.raw("task/add", body, content_type=f"application/json; charset={charset}")
    assert (answer.status_code, answer.json()["name"]) == (201, "每日")


def test_a_body_beyond_the_sites_limit_is_refused(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = client.raw("task/add", b'{"name": "' + b"x" * 1000 + b'"}')
    assert answer.status_code == 413
    assert "larger" in answer.json()["detail"]


def test_a_large_body_is_refused_where_the_site_has_no_limit(client, settings, definition):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    answer = client.post("task/add", definition(kwargs={"text": "x" * 3_000_000}))
    assert (answer.status_code, list(answer.json())) == (400, ["kwargs"])


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("task/pause/{}", {"note": 5}, "note"),
        ("task/pause/{}", {"note": None}, "note"),
        ("task/pause/{}", {"note": "x" * 256}, "note"),
        ("task/pause/{}", {"note": "nul\0"}, "note"),
        ("task/pause/{}", {"noet": "x"}, "noet"),
        ("task/resume/{}", {"note": "x"}, "note"),
        ("task/run/{}", {"args": "x"}, "args"),
        ("task/run/{}", {"args": None}, "args"),
        ("task/run/{}", {"args": [1, 2, 3]}, "args"),
        ("task/run/{}", {"args": ["nul\0"]}, "args"),
        ("task/run/{}", {"kwargs": [1]}, "kwargs"),
        ("task/run/{}", {"kwargs": {"nope": 1}}, "kwargs"),
        ("task/run/{}", {"kwargs": {"text": "x" * 1_000_000}}, "kwargs"),
        ("task/run/{}", {"argz": []}, "argz"),
        ("task/run/{}", {"user": "x"}, "user"),
    ],
)
def test_a_wrong_request_is_refused_at_its_field(client, task, path, body, field):
    answer = client.post(path.format(task.pk), body)
    assert (answer.status_code, list(answer.json())) == (400, [field])


@pytest.mark.parametrize("key", ["x" * 65, "nul\0", "\xff" * 65])
def test_a_wrong_idempotency_key_is_refused(client, task, key):
    answer = client.post(f"task/run/{task.pk}", {}, **{"Idempotency-Key": key})
    assert (answer.status_code, list(answer.json())) == (400, ["Idempotency-Key"])


IDS = ["0", "-1", "abc", "1.5", "1e3", "%00", "١", "%E2%82%AC", f"{2**63}", "99999999999999999999", "9" * 5000]


@pytest.mark.parametrize("given", IDS)
def test_what_no_id_can_be_is_not_found(client, db, given):
    for path in ["tasks/{}", "tasks/{}/next-runs", "tasks/{}/executions", "executions/{}", "nodes/{}"]:
        answer = client.get(path.format(given))
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("There is no ")
    for path in ["task/pause/{}", "task/resume/{}", "task/run/{}", "executions/{}/cancel", "executions/{}/retry"]:
        assert client.post(path.format(given)).status_code == 404


def test_an_id_that_is_not_there_is_not_found(client, task):
    path = f"tasks/{task.pk + 1}"
    answers = [client.get(path), client.put(path, {}), client.patch(path, {}), client.delete(path)]
    answers += [client.get(f"{path}/executions"), client.post(f"task/run/{task.pk + 1}")]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].json() == {"detail": f"There is no scheduled task with the id '{task.pk + 1}'."}
