"""Registry of the backends that run TokenHMR. A backend's packages are imported on request only."""

from __future__ import annotations

from importlib import import_module

from engine.engines.backends.base import Backend
from engine.errors import EngineError

_MODULES = {
    "torch": "pytorch",
    "openvino": "openvino_cpu",
    "tensorrt-rtx": "tensorrt_rtx",
    "tensorrt": "tensorrt_classic",
    "torch2trt": "torch2trt_plan",
}
BACKENDS = tuple(_MODULES)


def backend(name: str) -> Backend:
    """The backend of that name. Raises EngineError for an unknown one, or where its packages are not installed."""
    if name not in _MODULES:
        raise EngineError(f"there is no backend '{name}': choose one of {', '.join(BACKENDS)}")
    created: Backend = import_module(f"engine.engines.backends.{_MODULES[name]}").create()
    return created
