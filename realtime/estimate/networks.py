"""Runs an ONNX file with named inputs and outputs on the CPU by OpenVINO."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import engine.privacy  # noqa: F401  before openvino
from engine.engines.openvino_settings import CPU_SETTINGS
from engine.errors import UserError
from engine.shipped import ShippedFileError, checked

logger = logging.getLogger(__name__)

Array = NDArray[np.float32]


class NetworkFileError(UserError):
    """Exported network that is missing or invalid."""


class OnnxNetwork:
    """Network compiled for one batch size, in f32.

    OpenVINO's defaults are bf16 on processors that have it, and int8 arithmetic for int8 weights.
    """

    backend = "openvino f32 cpu"

    def __init__(
        self, path: Path, inputs: Mapping[str, tuple[int, ...]], outputs: tuple[str, ...], threads: int
    ) -> None:
        """Compile the file; inputs: the shape of each by name, with batch; outputs: names that the graph must have.

        Raises NetworkFileError for a file that is missing, unreadable or has other inputs or outputs.
        """
        import openvino as ov

        if not path.is_file():
            raise NetworkFileError(f"the network {path} is missing: restore it (git checkout), or export it again")
        try:
            checked(path)
        except ShippedFileError as error:
            raise NetworkFileError(str(error)) from error
        core = ov.Core()
        started = time.perf_counter()
        try:
            model = core.read_model(path)
            model.reshape({name: list(shape) for name, shape in inputs.items()})
            settings = {
                **CPU_SETTINGS,
                "INFERENCE_PRECISION_HINT": "f32",
                "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,  # int8 weights, but f32 arithmetic
                "INFERENCE_NUM_THREADS": threads,
            }
            compiled = core.compile_model(model, "CPU", settings)
            self._ports = {name: compiled.output(name) for name in outputs}
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise NetworkFileError(
                f"{path} cannot be used ({reason}): it must have inputs {_in_words(inputs)}"
            ) from error
        logger.info("%s compiled in %.0f ms", path.name, 1e3 * (time.perf_counter() - started))
        self._request = compiled.create_infer_request()
        self._inputs = {name: np.zeros(shape, np.float32) for name, shape in inputs.items()}
        for name, array in self._inputs.items():
            self._request.set_tensor(name, ov.Tensor(array, shared_memory=True))

    def output_shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an output, with batch."""
        return tuple(self._ports[name].shape)

    def __call__(self, **inputs: Array) -> dict[str, Array]:
        """Run on arrays by name; the returned arrays belong to the caller."""
        for name, array in inputs.items():
            self._inputs[name][...] = array
        self._request.infer()
        return {name: self._request.get_tensor(port).data.copy() for name, port in self._ports.items()}


def _in_words(inputs: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in inputs.items())
