"""Settings with which every OpenVINO network is compiled for the CPU."""

from __future__ import annotations

# Pinned (the default), a network's one thread stays on its core even if that core is busy: measured 83 ms instead of 2
# beside a program that used the first core, while the other cores were idle.
CPU_SETTINGS: dict[str, str | bool] = {"PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
