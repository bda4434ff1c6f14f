"""Packages that the check can use, as far as this machine has them."""

from __future__ import annotations

from importlib import import_module

# Import names. What each is for: docs/dependencies.md.
PACKAGES = (
    "torch", "numpy", "dacite", "safetensors", "cv2", "triton", "onnx", "onnxscript", "cuda.bindings", "tensorrt",
    "tensorrt_rtx",
)  # fmt: skip
FILES = ("numpy", "dacite", "safetensors")  # to build an engine from files, and to load it
PLANS = (*FILES, "onnx", "onnxscript", "cuda.bindings")  # to build and run one by TensorRT, beside that itself


def versions() -> dict[str, str | None]:
    """Import each package; return its version ("" where it states none), or None for one that cannot be imported."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = str(getattr(import_module(name), "__version__", ""))
        except (ImportError, OSError):  # OSError: a library of the system is missing, as libGL for cv2
            found[name] = None
    return found
