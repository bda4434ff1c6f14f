from __future__ import annotations

import engine.privacy  # noqa: F401  before anything can import openvino
