"""The client, imported from its folder, as a user has it who installed it."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[3] / "clients" / "python"
sys.path.insert(0, str(PACKAGE / "src"))
