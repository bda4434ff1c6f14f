"""Keeps OpenVINO silent: importing this module first makes `import openvino` send nothing.

`import openvino` itself reports the import to Google Analytics through the package openvino-telemetry,
from a forked child process, and writes an identifier to ~/intel, unless the user has opted out. OpenVINO works
without that package and then uses a stub of its own, so it is enough to make it look as if it were not installed.
Every module that imports openvino imports this one first.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None makes its import fail
