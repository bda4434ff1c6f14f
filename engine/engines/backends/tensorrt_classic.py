"""TensorRT 10 or 11, for data-centre GPUs. An engine runs only on the GPU model it was built on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.engines.backends.base import BuildRequest, GraphSession
from engine.engines.backends.tensorrt_common import build_plans, device, load_plans
from engine.engines.device import Device
from engine.engines.manifest import Manifest
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.tokenhmr.network import EngineNetwork

_PACKAGE = "tensorrt"
_OLDEST, _NEWEST = 10, 11


def import_tensorrt() -> Any:
    """Import tensorrt. Raises EngineError if it is missing or its version is unsupported."""
    try:
        import tensorrt
    except ImportError as error:
        raise EngineError(
            f"this backend needs TensorRT ({error}): pip install tensorrt (10 or 11), or use --backend tensorrt-rtx"
        ) from error
    if not _OLDEST <= major_version(tensorrt) <= _NEWEST:
        raise EngineError(
            f"TensorRT {tensorrt.__version__} is not supported: pip install 'tensorrt>={_OLDEST},<{_NEWEST + 1}'"
        )
    return tensorrt


def major_version(trt: Any) -> int:
    """Return the major version of the module."""
    return int(trt.__version__.split(".")[0])


class TensorRt:
    """Implementation of `engine.engines.backends.base.Backend`."""

    name = _PACKAGE

    def __init__(self) -> None:
        self._trt = import_tensorrt()

    def device(self) -> Device | None:
        return device(self._trt, _PACKAGE)

    def build(self, network: EngineNetwork, folder: Path, request: BuildRequest) -> None:
        refuse_foreign_build(self.device(), request, self.name)
        build_plans(self._trt, network, folder, request, lambda config: None)

    def check(self, manifest: Manifest, device: Device) -> None:
        manifest.require_version(device, _PACKAGE)
        if manifest.device != device.name:
            raise EngineError(
                f"the engine was built on a {manifest.device}, this is a {device.name}: {manifest.rebuild_hint()}"
            )

    def load(self, folder: Path, manifest: Manifest) -> dict[str, GraphSession]:
        return load_plans(self._trt, folder, manifest, lambda engine: engine.create_execution_context())


def refuse_foreign_build(device: Device | None, request: BuildRequest, name: str) -> None:
    """Raise EngineError without a GPU or for another one, since TensorRT times kernels while it builds."""
    if device is None:
        raise EngineError(
            f"{name} builds on the GPU that will run the engine, and here is none; tensorrt-rtx builds anywhere"
        )
    others = [target for target in request.targets if target != device.architecture]
    if others:
        raise EngineError(f"{name} builds for the GPU at hand, {device.architecture}, not for {others[0]}")


def create() -> TensorRt:
    """Make the backend."""
    return TensorRt()
