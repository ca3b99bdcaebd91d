"""How long the suite takes: short, as CI runs it, or with CHAOS=full in the environment as the acceptance asks for."""

import os

FULL = os.environ.get("CHAOS", "") == "full"
