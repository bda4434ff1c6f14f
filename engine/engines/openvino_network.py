"""Networks that OpenVINO runs on the processor: reads, compiles and calls them, everywhere in the program."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import engine.privacy  # noqa: F401  before openvino
from engine.engines.kept_network import NetworkRecipe, compiled
from engine.errors import UserError
from engine.shipped import ShippedFileError, checked

if TYPE_CHECKING:
    import openvino as ov

logger = logging.getLogger(__name__)

Array = NDArray[np.float32]

# Pinned (OpenVINO's default), a network's one thread stays on its core even if that core is busy: measured 83 ms in
# place of 2 beside a program that kept the first core busy, while the other cores were idle.
# Its other defaults are bf16 on processors that have it, and int8 arithmetic for int8 weights.
CPU_SETTINGS: dict[str, Any] = {
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
}


class NetworkFileError(UserError):
    """Exported network that is missing or invalid."""


class OpenVinoNetwork:
    """Network compiled for fixed shapes, with its own memory: write to `inputs`, call `infer`, read `outputs`.

    A call with arrays by name does all three.
    """

    def __init__(self, model: ov.Model | NetworkRecipe, *, precision: str = "f32", threads: int | None = None) -> None:
        """Compile a model of fixed shapes, or read what was compiled earlier by the same recipe.

        precision: f32 or bf16. Raises RuntimeError where OpenVINO refuses it.
        """
        import openvino as ov

        self.backend = f"openvino {precision} cpu"
        settings = {**CPU_SETTINGS, "INFERENCE_PRECISION_HINT": precision}
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        network = compiled(model, settings)
        self._request = network.model.create_infer_request()
        self._memory = network.memory
        self.inputs = {_name(port): _array(port) for port in network.model.inputs}
        self.outputs = {_name(port): _array(port) for port in network.model.outputs}
        for i, array in enumerate(self.inputs.values()):
            self._request.set_input_tensor(i, ov.Tensor(array, shared_memory=True))
        for i, array in enumerate(self.outputs.values()):
            self._request.set_output_tensor(i, ov.Tensor(array, shared_memory=True))

    def infer(self) -> None:
        """Overwrite the arrays of `outputs` with the answer to those of `inputs`."""
        self._request.infer(share_outputs=True)

    def __call__(self, **inputs: Array) -> dict[str, Array]:
        """Answer by name for these inputs; the arrays are the caller's to keep."""
        for name, array in inputs.items():
            self.inputs[name][...] = array
        self.infer()
        return {name: array.copy() for name, array in self.outputs.items()}


def read_network(path: Path, inputs: Mapping[str, tuple[int, ...]] | None = None, *, stays: bool = True) -> ov.Model:
    """Read an ONNX or .tflite file and give its inputs fixed shapes, by name.

    stays: the file may be mapped into memory, as nobody removes it. Raises RuntimeError for a file that is no network.
    """
    import openvino as ov

    core = ov.Core()
    if not stays:
        core.set_property({"ENABLE_MMAP": False})
    model = core.read_model(path)
    if inputs is not None:
        model.reshape({name: list(shape) for name, shape in inputs.items()})
    return model


def load_network(path: Path, inputs: Mapping[str, tuple[int, ...]], outputs: tuple[str, ...]) -> OpenVinoNetwork:
    """Load an exported network, for one thread in f32.

    inputs: the shape of each by name, with batch. outputs: names that the graph must have. Raises NetworkFileError for
    a file that is missing, damaged or has other inputs or outputs.
    """
    if not path.is_file():
        raise NetworkFileError(f"the network {path} is missing: restore it (git checkout), or export it again")
    try:
        checked(path)
    except ShippedFileError as error:
        raise NetworkFileError(str(error)) from error
    started = time.perf_counter()
    try:
        recipe = NetworkRecipe((path, Path(__file__)), repr(inputs), lambda: read_network(path, inputs))
        network = OpenVinoNetwork(recipe, threads=1)
        if lacking := [name for name in outputs if name not in network.outputs]:
            raise RuntimeError(f"no output {lacking[0]}")
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise NetworkFileError(f"{path} cannot be used ({reason}): it must have inputs {_in_words(inputs)}") from error
    logger.debug("%s ready in %.0f ms", path.name, 1e3 * (time.perf_counter() - started))
    return network


def _name(port: Any) -> str:
    """The port's name; where it has none, as an output that was cut free, its number."""
    return port.any_name if port.get_names() else str(port.get_index())


def _array(port: Any) -> NDArray[Any]:
    return np.zeros(tuple(port.shape), port.element_type.to_dtype())


def _in_words(inputs: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in inputs.items())
