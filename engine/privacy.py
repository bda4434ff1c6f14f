"""Disables OpenVINO's telemetry: after importing this module, `import openvino` sends nothing.

`import openvino` reports itself to Google Analytics through the package openvino-telemetry, from a forked process, and
writes an identifier to ~/intel, unless the user has opted out. OpenVINO works without that package, so this module
hides it. Every module that imports openvino imports this one first.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None makes its import fail
