"""Builds and runs plans for TensorRT and TensorRT-RTX from an ONNX graph.

Both have the same Python interface; `trt` is the module of either. Networks are strongly typed: the graph determines
the precision.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.engines.backends.base import Array, BuildRequest, GraphSession
from engine.engines.backends.cuda import Buffer, Stream, gpu
from engine.engines.device import Device
from engine.engines.manifest import Manifest
from engine.errors import EngineError
from engine.tokenhmr.graphs import GRAPHS, GraphShapes, graph_shapes

if TYPE_CHECKING:
    from engine.tokenhmr.network import EngineNetwork

logger = logging.getLogger(__name__)


def device(trt: Any, package: str) -> Device | None:
    """Return the first GPU, with the version that plans depend on."""
    found = gpu()
    return None if found is None else Device(found.name, found.architecture, {package: trt.__version__})


def build_plans(
    trt: Any, network: EngineNetwork, folder: Path, request: BuildRequest, configure: Callable[[Any], None]
) -> None:
    """Write a plan for each graph; `configure` sets the builder's configuration. The graphs are deleted."""
    from engine.tokenhmr.export import export

    head = network.network.config.head
    shapes = graph_shapes(head.tokens, head.codes)
    for graph, path in export(network, folder, max_batch=request.max_batch).items():
        plan = _build(trt, path, shapes[graph], request.max_batch, configure)
        plan_path(folder, graph).write_bytes(plan)
        logger.info("%s: %d MB", plan_path(folder, graph).name, plan.nbytes // 10**6)
        path.unlink()
        path.with_name(f"{path.name}.data").unlink()


def load_plans(
    trt: Any, folder: Path, manifest: Manifest, make_context: Callable[[Any], Any]
) -> dict[str, GraphSession]:
    """Load the sessions of all graphs. Raises EngineError if the GPU has too little memory or refuses a plan."""
    found = gpu()
    if found is not None:
        manifest.require_memory(found.name, found.free_bytes)
    shapes = graph_shapes(manifest.tokens, manifest.codes)
    runtime = trt.Runtime(log_of(trt))
    sessions: dict[str, GraphSession] = {}
    for graph in GRAPHS:
        engine = runtime.deserialize_cuda_engine(plan_path(folder, graph).read_bytes())
        if engine is None:
            raise EngineError(
                f"{plan_path(folder, graph)} is refused by {trt.__name__} here: {manifest.rebuild_hint()}"
            )
        sessions[graph] = PlanSession(engine, make_context(engine), shapes[graph], manifest.max_batch)
    return sessions


def plan_path(folder: Path, graph: str) -> Path:
    """Return the path of a graph's plan."""
    return folder / f"{graph}.plan"


def log_of(trt: Any) -> Any:
    """Return a TensorRT logger that forwards to Python's log."""
    severity = trt.ILogger
    levels = {
        severity.INTERNAL_ERROR: logging.ERROR,
        severity.ERROR: logging.ERROR,
        severity.WARNING: logging.WARNING,
        severity.INFO: logging.DEBUG,
    }

    def log(self: Any, level: Any, message: str) -> None:
        if levels.get(level) == logging.ERROR:
            self.last_error = message
        logger.log(levels.get(level, logging.DEBUG), "%s: %s", trt.__name__, message)

    return type("Log", (severity,), {"last_error": "", "log": log})()


def _build(trt: Any, path: Path, shapes: GraphShapes, max_batch: int, configure: Callable[[Any], None]) -> Any:
    log = log_of(trt)
    builder = trt.Builder(log)
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)  # TensorRT 11 has no other kind
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(path)):
        raise EngineError(f"{trt.__name__} {trt.__version__} cannot read the graph: {parser.get_error(0).desc()}")
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    for name, shape in shapes.inputs.items():
        profile.set_shape(name, (1, *shape), (1, *shape), (max_batch, *shape))
    config.add_optimization_profile(profile)
    configure(config)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"{trt.__name__} {trt.__version__} cannot build the engine: {log.last_error.strip()[:300]}")
    return plan


class PlanSession:
    """TensorRT engine with its own stream and fixed memory."""

    def __init__(self, engine: Any, context: Any, shapes: GraphShapes, max_batch: int) -> None:
        self._engine = engine  # must outlive its context
        self._context = context
        self._stream = Stream()
        self._inputs = {name: Buffer((max_batch, *shape)) for name, shape in shapes.inputs.items()}
        self._outputs = {name: Buffer((max_batch, *shape)) for name, shape in shapes.outputs.items()}
        for name, buffer in {**self._inputs, **self._outputs}.items():
            context.set_tensor_address(name, int(buffer.pointer))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        batch = len(next(iter(inputs.values())))
        for name, array in inputs.items():
            buffer = self._inputs[name]
            buffer.host[:batch] = array
            buffer.to_gpu(batch, self._stream)
            self._context.set_input_shape(name, array.shape)
        if not self._context.execute_async_v3(int(self._stream.handle)):
            raise RuntimeError("TensorRT could not run the engine; its log says why")
        for buffer in self._outputs.values():
            buffer.from_gpu(batch, self._stream)
        self._stream.synchronize()
        return {name: buffer.host[:batch].copy() for name, buffer in self._outputs.items()}

    def close(self) -> None:
        self._context = self._engine = None
        for buffer in (*self._inputs.values(), *self._outputs.values()):
            buffer.close()
        self._stream.close()
