"""Disables OpenVINO's telemetry: after importing this module, `import openvino` sends nothing.

`import openvino` reports itself to Google Analytics from a forked process, and writes an identifier to ~/intel, unless
the user has opted out. The package openvino-telemetry does so. OpenVINO works without that package, so this module
hides it. Every module that imports openvino imports this one first.
"""

from __future__ import annotations

import sys
from typing import Any

_modules: dict[str, Any] = sys.modules
_modules.setdefault("openvino_telemetry", None)  # None makes its import fail
