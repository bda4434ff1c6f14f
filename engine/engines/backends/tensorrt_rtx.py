"""TensorRT-RTX, for RTX cards. Builds on any machine, also without a GPU, for several architectures."""

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

_PACKAGE = "tensorrt-rtx"


class TensorRtRtx:
    """Implementation of `engine.engines.backends.base.Backend`. The first load compiles the plan for the GPU."""

    name = _PACKAGE

    def __init__(self) -> None:
        try:
            import tensorrt_rtx
        except ImportError as error:
            raise EngineError(
                f"the tensorrt-rtx backend needs its package ({error}): pip install -r requirements-gpu.txt"
            ) from error
        self._trt: Any = tensorrt_rtx

    def device(self) -> Device | None:
        return device(self._trt, _PACKAGE)

    def build(self, network: EngineNetwork, folder: Path, request: BuildRequest) -> None:
        capabilities = self._trt.ComputeCapability
        known = sorted(name for name in capabilities.__members__ if name.startswith("SM"))
        unknown = [target for target in request.targets if target not in known]
        if unknown:
            raise EngineError(f"tensorrt-rtx does not build for {unknown[0]}; --targets takes {','.join(known)}")
        if not request.targets and self.device() is None:
            raise EngineError(f"here is no GPU to build for: name some with --targets, such as {','.join(known[-4:])}")
        targets = [getattr(capabilities, target) for target in request.targets]

        def configure(config: Any) -> None:
            if targets:
                config.num_compute_capabilities = len(targets)
            for i, target in enumerate(targets):
                config.set_compute_capability(target, i)

        build_plans(self._trt, network, folder, request, configure)

    def check(self, manifest: Manifest, device: Device) -> None:
        manifest.require_version(device, _PACKAGE)
        if device.architecture not in manifest.targets:
            raise EngineError(
                f"the engine is for {', '.join(manifest.targets)}, this is a {device.name} ({device.architecture}): "
                f"{manifest.rebuild_hint(device.architecture)}"
            )

    def load(self, folder: Path, manifest: Manifest) -> dict[str, GraphSession]:
        def make_context(engine: Any) -> Any:
            config = engine.create_runtime_config()
            config.cuda_graph_strategy = self._trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            return engine.create_execution_context(config)

        return load_plans(self._trt, folder, manifest, make_context)


def create() -> TensorRtRtx:
    """Make the backend."""
    return TensorRtRtx()
