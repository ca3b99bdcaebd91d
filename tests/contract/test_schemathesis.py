"""A site with a scheduler, and Schemathesis in front of it: what the schema says is what the API does."""

import json
import os
import subprocess
import sys

import pytest

from tests.contract.narrowing import FUNC, narrowed

pytestmark = pytest.mark.schemathesis

USER = "staff"
SECONDS = int(os.environ.get("SCHEMATHESIS_SECONDS", "90"))  # of each of the two runs
ROWS = 30
SETTINGS = """
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
"""
JOBS = "def anything(*args, **kwargs):\n    return len(args) + len(kwargs)\n"
SEED = f"""
import django; django.setup()
from django.contrib.auth import get_user_model
from django_sched_tasks import operations
get_user_model().objects.create_superuser({USER!r}, password={USER!r})
when = {{"trigger": "interval", "trigger_args": {{"hours": 1}}}}
tasks = [operations.add_task(name=f"Task {{n}}", func={FUNC!r}, **when) for n in range({ROWS})]
executions = [operations.run_task(task.pk) for task in tasks]
print([task.pk for task in tasks], "|", [execution.pk for execution in executions])
"""
CONFIG = """
seed = 20260101
max-time = {seconds}
request-timeout = 60.0
continue-on-failure = true

[cache]
enabled = false

[generation]
max-examples = {examples}
database = "none"
allow-x00 = {nul}

# Whether a request is valid depends there on functions, triggers, rows, days and the time, which no schema tells.
[[operations]]
include-path-regex = "/(add|tasks|tasks/{{id}}|run|run/{{id}}|retry|backfill|preview|maintenance|exclusions)/$"
include-method = ["POST", "PUT", "PATCH"]

[operations.checks.positive_data_acceptance]
expected-statuses = {accepted}
"""
ACCEPTED = ["2xx", "401", "403", "404", "409"]


class Live:
    """A site under gunicorn, with a scheduler in it, its schema and what it holds."""

    def __init__(self, site):
        self.site = site
        site.write("warehouse/jobs.py", JOBS)
        seeded = site.python("-c", SEED).stdout.strip().splitlines()[-1]
        self.tasks, self.executions = map(json.loads, seeded.split("|"))
        site.manage("spectacular", "--fail-on-warn", "--validate", "--format", "openapi-json", "--file", "schema.json")
        self.schema = json.loads((site.path / "schema.json").read_text())
        self.server = site.gunicorn("--threads", "4", "--limit-request-line", "0", workers=1)
        site.wait_for_node()

    def check(self, schema, *, phases, mode, **config):
        """Run all checks; whatever they find is the failure."""
        location = self.site.write("checked.json", json.dumps(schema))
        config = self.site.write("schemathesis.toml", CONFIG.format(seconds=SECONDS, **config))
        done = subprocess.run(
            [
                *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
                *(
                    "--config-file",
                    config,
                    "run",
                    location,
                    "--checks",
                    "all",
                    "--phases",
                    phases,
                    "--mode",
                    mode,
                    "--no-color",
                ),
                *("--url", f"http://127.0.0.1:{self.server.port}", "--auth", f"{USER}:{USER}"),
            ],
            cwd=self.site.path,
            env=self.site.env(SCHEMATHESIS_HOOKS=""),
            capture_output=True,
            text=True,
            timeout=2 * SECONDS + 60,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-2_000:]}"
        return done.stdout


@pytest.fixture
def live(database, make_site):
    return Live(make_site(database, apps=["drf_spectacular"], settings=SETTINGS))


def test_the_api_is_what_its_schema_says(live):
    accepted = json.dumps([*ACCEPTED, "400"])
    told = live.check(live.schema, phases="coverage,fuzzing", examples=5, mode="all", nul="true", accepted=accepted)
    assert f"Tested: {_operations(live.schema)}" in told


def test_what_is_valid_is_accepted(live):
    schema = narrowed(live.schema, live.tasks, live.executions)
    told = live.check(
        schema, phases="fuzzing,stateful", examples=8, mode="positive", nul="false", accepted=json.dumps(ACCEPTED)
    )
    assert f"Tested: {_operations(schema)}" in told


def _operations(schema):
    return sum(map(len, schema["paths"].values()))
