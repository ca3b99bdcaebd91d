"""The schema that drf-spectacular makes: without a warning, with every answer, and under names of its own."""

import subprocess
import sys
from contextlib import nullcontext

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.validation import validate_schema
from jsonschema import Draft4Validator
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from django_sched_tasks import definitions, exclusions, urls
from django_sched_tasks.api import openapi  # noqa: F401 - where drf-spectacular is an app, the app imports it
from django_sched_tasks.api.serializers import ExecutionSerializer, TaskSerializer
from django_sched_tasks.exceptions import InvalidDefinition

ALWAYS = {"401", "403", "406", "429", "503"}


def made(**settings):
    """The schema of this API as a site makes it that has drf-spectacular, with its settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(APIView, "schema", AutoSchema())
        patch.setattr(api_settings, "DEFAULT_SCHEMA_CLASS", AutoSchema, raising=False)
        for name, value in settings.items():
            patch.setattr(spectacular_settings, name, value, raising=False)
        GENERATOR_STATS.reset()
        found = SchemaGenerator(patterns=urls.urlpatterns).get_schema(request=None, public=True)
        validate_schema(found)
        return found


@pytest.fixture(scope="module")
def schema():
    return made()


def operations_of(schema):
    return {
        f"{method.upper()} {address}": operation
        for address, methods in schema["paths"].items()
        for method, operation in methods.items()
    }


@pytest.mark.parametrize("settings", [{}, {"COMPONENT_SPLIT_REQUEST": True}, {"OAS_VERSION": "3.1.0"}])
def test_it_is_valid_and_made_without_a_warning(settings):
    made(**settings)
    assert not GENERATOR_STATS, [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]


def test_it_has_every_address_and_method(schema):
    methods = sum(len(set(pattern.callback.actions) - {"head"}) for pattern in urls.urlpatterns)
    assert len(operations_of(schema)) == methods


def test_every_operation_tells_what_it_refuses_with(schema):
    for name, operation in operations_of(schema).items():
        assert set(operation["responses"]) >= ALWAYS, name
        if "requestBody" in operation:
            assert set(operation["responses"]) >= {"400", "413", "415"}, name
        if "{" in name:
            assert "404" in operation["responses"], name


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("POST /task/add/", {"201", "400"}),
        ("POST /task/run/{id}/", {"202", "400", "404", "409"}),
        ("POST /tasks/{id}/pause/", {"200", "400", "404", "409"}),
        ("POST /tasks/{id}/resume/", {"200", "400", "404", "409"}),
        ("POST /tasks/{id}/backfill/", {"200", "202", "400", "404", "409"}),
        ("DELETE /tasks/{id}/", {"204", "404"}),
        ("POST /executions/{id}/cancel/", {"200", "400", "404", "409"}),
        ("POST /executions/{id}/retry/", {"202", "400", "404", "409"}),
        ("POST /triggers/preview/", {"200", "400"}),
        ("GET /health/", {"200", "503"}),
        ("GET /stats/", {"200"}),
    ],
)
def test_the_answers_of_the_verbs(schema, name, statuses):
    found = set(operations_of(schema)[name]["responses"]) - {"413", "415"}
    assert found == statuses | ALWAYS


def test_no_answer_is_without_a_form(schema):
    for name, operation in operations_of(schema).items():
        for status, answer in operation["responses"].items():
            assert status == "204" or answer["content"]["application/json"]["schema"], (name, status)


def test_headers(schema):
    found = operations_of(schema)
    run, add = found["POST /task/run/{id}/"], found["POST /task/add/"]
    [key] = [parameter for parameter in run["parameters"] if parameter["in"] == "header"]
    assert (key["name"], key["schema"]["maxLength"]) == ("Idempotency-Key", definitions.IDEMPOTENCY_KEY_LENGTH)
    assert set(add["responses"]["201"]["headers"]) == {"Location"}
    assert set(add["responses"]["503"]["headers"]) == {"Retry-After"}
    assert set(add["responses"]["401"]["headers"]) == {"WWW-Authenticate"}


def test_what_may_be_sent_and_what_is_answered(schema):
    parts = schema["components"]["schemas"]
    sent = parts["ScheduledTaskDefinition"]
    assert set(sent["properties"]) == set(definitions.FIELDS)
    assert (set(sent["required"]), sent["additionalProperties"]) == (set(definitions.REQUIRED), False)
    assert "required" not in parts["PatchedScheduledTaskDefinition"]
    assert set(parts["ScheduledTask"]["required"]) == set(TaskSerializer.Meta.fields)
    assert set(parts["TaskExecution"]["required"]) == set(ExecutionSerializer.Meta.fields)
    timeout = sent["properties"]["timeout"]
    assert (timeout["type"], timeout["minimum"], timeout["maximum"]) == ("integer", 1, 366 * 86_400)


SENT = ("ScheduledTaskDefinition", "PatchedScheduledTaskDefinition", "TriggerPreview", "SchedulerExclusionsRequest")
WINDOW = {"from_time": "22:00", "until_time": "06:00:30"}


@pytest.mark.parametrize("component", SENT)
@pytest.mark.parametrize(
    ("item", "fits"),
    [
        *((item, True) for item in exclusions.EXAMPLE),
        ({"from": "2026-12-24 18:00", "until": "2026-12-24T19:30:00+01:00", "note": "每"}, True),
        (WINDOW, True),
        ({}, False),
        ({"note": "x"}, False),
        ({"date": "25.12.2026"}, False),
        ({"date": "2026-12-25", "weekdays": ["sat"]}, False),
        ({"from": "2026-12-24"}, False),
        ({"weekdays": []}, False),
        ({"weekdays": ["funday"]}, False),
        ({**WINDOW, "until_time": "6:00"}, False),
        ({**WINDOW, "note": "x" * 201}, False),
        ({**WINDOW, "day": 1}, False),
    ],
)
def test_exclusions_are_described_as_they_are_read(schema, component, item, fits):
    described = schema["components"]["schemas"][component]["properties"]["exclusions"]
    assert Draft4Validator(described).is_valid([item]) is fits
    with nullcontext() if fits else pytest.raises(InvalidDefinition):
        exclusions.read([item])


def test_parameters_have_their_types_and_bounds(schema):
    found = operations_of(schema)
    executions = {parameter["name"]: parameter for parameter in found["GET /executions/"]["parameters"]}
    assert "lost" in executions["status"]["schema"]["items"]["enum"]
    assert executions["status"]["explode"] is False
    assert executions["task"]["schema"]["items"]["type"] == "integer"
    assert executions["fire_at_after"]["schema"]["format"] == "date-time"
    [count] = [p for p in found["GET /tasks/{id}/next-runs/"]["parameters"] if p["name"] == "count"]
    assert (count["schema"]["minimum"], count["schema"]["maximum"]) == (1, 1000)
    [of_task] = [p for p in found["GET /tasks/{task}/executions/"]["parameters"] if p["in"] == "path"]
    assert of_task["schema"]["type"] == "integer"


def test_every_list_has_pages(schema):
    lists = {
        address: {parameter["name"]: parameter["schema"] for parameter in methods["get"]["parameters"]}
        for address, methods in schema["paths"].items()
        if address.endswith("/executions/") or address in ("/tasks/", "/nodes/")
    }
    assert len(lists) == 4
    assert all(of_list["page_size"] == lists["/tasks/"]["page_size"] for of_list in lists.values())


def test_its_names_leave_those_of_a_site_alone(schema):
    ours = ("Schedule", "Task", "Trigger", "Backfill", "Paginated", "Patched", "Paused", "Schedulable")
    assert [name for name in schema["components"]["schemas"] if not name.startswith(ours)] == []


def test_a_site_without_drf_spectacular_never_imports_it():
    code = (
        "import sys; sys.modules['drf_spectacular'] = None\n"
        "import django; django.setup()\n"
        "import django_sched_tasks.urls, django_sched_tasks.api.views\n"
        "assert not [name for name in sys.modules if name.startswith('django_sched_tasks.api.openapi')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_site_with_it_has_but_to_install_it():
    code = (
        "import django; from django.conf import settings\n"
        "settings.INSTALLED_APPS += ['drf_spectacular']\n"
        "settings.REST_FRAMEWORK = {'DEFAULT_SCHEMA_CLASS': 'drf_spectacular.openapi.AutoSchema'}\n"
        "django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('spectacular', '--fail-on-warn', '--validate')"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert "ScheduledTaskDefinition" in told.stdout
