"""The benchmarks work, in their smallest sizes; how fast anything is, no test says."""

import json

import pytest

from benchmarks.__main__ import main
from benchmarks.scenarios import SCENARIOS

pytestmark = pytest.mark.integration

FAULTS = ("lost", "double", "unaccounted", "unseen")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_measures_this_project_on_sqlite(scenario, tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    path = tmp_path / "results.json"
    options = ["--smoke", "--scenario", scenario, "--database", "sqlite", "--contender", "ours", "--json", str(path)]

    assert main(options) == 0
    (row,) = json.loads(path.read_text())["rows"]
    assert set(row["figures"]) == {column.key for column in SCENARIOS[scenario].columns}
    assert not any(row["figures"].get(fault) for fault in FAULTS)
