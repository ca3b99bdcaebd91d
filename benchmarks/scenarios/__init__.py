"""What is measured, by name."""

from benchmarks.scenarios.api import API
from benchmarks.scenarios.base import NORMAL, QUICK, Column, Figures, Hurry, Scenario, TooLate
from benchmarks.scenarios.burst import BURST, SEVERAL
from benchmarks.scenarios.change import CHANGE
from benchmarks.scenarios.history import HISTORY
from benchmarks.scenarios.idle import IDLE
from benchmarks.scenarios.kill import KILL
from benchmarks.scenarios.steady import STEADY

__all__ = ["NORMAL", "QUICK", "SCENARIOS", "Column", "Figures", "Hurry", "Scenario", "TooLate"]

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario for scenario in (BURST, STEADY, IDLE, CHANGE, SEVERAL, KILL, API, HISTORY)
}
