"""Runs small image networks from .tflite files on the CPU, by OpenVINO or on request by LiteRT."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

import engine.privacy  # noqa: F401  before openvino
from engine.engines.kept_network import NetworkRecipe
from engine.engines.openvino_network import OpenVinoNetwork, read_network
from engine.errors import UserError

if TYPE_CHECKING:
    import openvino as ov

logger = logging.getLogger(__name__)

Backend = Literal["openvino", "litert"]


class ModelFileError(UserError):
    """Model file that cannot be used."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Expected shapes of a network, and the conversion of 8-bit pixels to its input: (pixel - mean) / scale, RGB."""

    name: str
    input_size: int  # the input is (1, size, size, 3)
    mean: float
    scale: float
    outputs: tuple[tuple[int, ...], ...]  # required shapes, without dimensions of 1; all other outputs are removed

    def expectation(self) -> str:
        """Format the shapes for messages."""
        outputs = " and ".join(_in_words((1, *shape)) for shape in self.outputs)
        return f"input {_in_words((1, self.input_size, self.input_size, 3))} and outputs {outputs}"

    def select(self, shapes: Sequence[tuple[int, ...]]) -> list[int]:
        """Return the index into `shapes` of each required output, in order for equal shapes, or LookupError."""
        left = dict(enumerate(tuple(d for d in shape if d != 1) for shape in shapes))
        chosen: list[int] = []
        for wanted in self.outputs:
            index = next((i for i, shape in left.items() if shape == wanted), None)
            if index is None:
                raise LookupError(
                    f"no {'other ' if wanted in self.outputs[: len(chosen)] else ''}output {_in_words((1, *wanted))}"
                )
            del left[index]
            chosen.append(index)
        return chosen


class Network(Protocol):
    """Network with fixed memory: write pixels to `input_bgr`, then `infer`.

    `input_bgr` is (size, size, 3) uint8. `infer` returns float32 arrays shaped as in the spec's `outputs`; they are
    views that the next `infer` overwrites.
    """

    input_bgr: NDArray[np.uint8]

    def infer(self) -> tuple[NDArray[np.float32], ...]: ...


def load_network(path: Path, spec: NetworkSpec, backend: Backend = "openvino", threads: int = 1) -> Network:
    """Read and compile the .tflite file.

    Raises:
        ModelFileError: it is no TensorFlow Lite file, or its shapes differ from `spec`.
        UserError: `backend` is litert and its package is not installed.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ModelFileError(f"cannot read model {path}: {error.strerror}") from error
    if head[4:8] != b"TFL3":
        raise ModelFileError(f"{path} is not a TensorFlow Lite file; the {spec.name} has {spec.expectation()}")
    try:
        if backend == "litert":
            return LiteRtNetwork(path, spec, threads)
        return PixelNetwork(path, spec, threads)
    except (LookupError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise ModelFileError(
            f"{path} cannot serve as the {spec.name} ({reason}); it must have {spec.expectation()}"
        ) from error


class PixelNetwork:
    """Network run by OpenVINO, with pixel conversion inside and without unused outputs (BlazePose's mask branch).

    It is read whole, since its file may be a temporary one. In bf16 it would ruin landmarks.
    """

    def __init__(self, path: Path, spec: NetworkSpec, threads: int) -> None:
        recipe = NetworkRecipe((path, Path(__file__)), repr(spec), lambda: _on_pixels(path, spec))
        self._network = OpenVinoNetwork(recipe, threads=threads)
        ((self.input_bgr,),) = self._network.inputs.values()
        outputs = zip(self._network.outputs.values(), spec.outputs, strict=True)
        self._views = tuple(output.reshape(shape) for output, shape in outputs)

    def infer(self) -> tuple[NDArray[np.float32], ...]:
        self._network.infer()
        return self._views


def _on_pixels(path: Path, spec: NetworkSpec) -> ov.Model:
    """Read the network, convert pixels in it, and cut unused outputs off."""
    import openvino as ov
    from openvino.preprocess import ColorFormat, PrePostProcessor

    whole = read_network(path, stays=False)
    _check_input([tuple(port.shape) for port in whole.inputs], spec)
    wanted = spec.select([tuple(port.shape) for port in whole.outputs])
    results = [ov.opset13.result(whole.outputs[i].get_node().input_value(0)) for i in wanted]
    steps = PrePostProcessor(ov.Model(results, whole.get_parameters(), spec.name))
    nhwc = ov.Layout("NHWC")
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(nhwc).set_color_format(ColorFormat.BGR)
    steps.input().model().set_layout(nhwc)
    to_rgb = steps.input().preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.RGB)
    to_rgb.mean(spec.mean).scale(spec.scale)
    return steps.build()


class LiteRtNetwork:
    """Network run by LiteRT (package ai-edge-litert), for machines without OpenVINO support."""

    def __init__(self, path: Path, spec: NetworkSpec, threads: int) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise UserError(
                f"the litert backend needs the package ai-edge-litert ({error}); "
                "run `pip install ai-edge-litert` or choose the openvino backend"
            ) from error
        self._interpreter: Any = Interpreter(str(path), num_threads=threads)
        self._interpreter.allocate_tensors()
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        _check_input([tuple(int(d) for d in each["shape"]) for each in inputs], spec)
        wanted = spec.select([tuple(int(d) for d in each["shape"]) for each in outputs])
        self._input_index = inputs[0]["index"]
        self._output_indices = [outputs[i]["index"] for i in wanted]
        self._spec = spec
        self._input = np.zeros((1, spec.input_size, spec.input_size, 3), np.float32)
        self.input_bgr = np.zeros((spec.input_size, spec.input_size, 3), np.uint8)

    def infer(self) -> tuple[NDArray[np.float32], ...]:
        np.subtract(self.input_bgr[..., ::-1], np.float32(self._spec.mean), out=self._input[0])
        self._input /= np.float32(self._spec.scale)
        self._interpreter.set_tensor(self._input_index, self._input)
        self._interpreter.invoke()
        return tuple(
            self._interpreter.get_tensor(index).reshape(shape)
            for index, shape in zip(self._output_indices, self._spec.outputs, strict=True)
        )


def _check_input(shapes: list[tuple[int, ...]], spec: NetworkSpec) -> None:
    if shapes != [(1, spec.input_size, spec.input_size, 3)]:
        raise ValueError(f"its input is {', '.join(_in_words(shape) for shape in shapes)}")


def _in_words(shape: tuple[int, ...]) -> str:
    return "x".join(str(d) for d in shape)
