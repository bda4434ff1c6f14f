"""Settings with which every OpenVINO network is compiled for the processor."""

from __future__ import annotations

# Pinned, which is the default, the one thread of a network stays on its core whoever else is busy there: 83 ms in place
# of 2 were measured beside a program that kept the first core for itself, while the other cores had nothing to do.
CPU_SETTINGS: dict[str, str | bool] = {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
