"""Wraps the CUDA calls that a TensorRT engine needs, with NVIDIA's bindings and without torch."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError

_HOW = "pip install -r requirements-gpu.txt"


class CudaError(RuntimeError):
    """CUDA call that failed at run time."""


@dataclass(frozen=True)
class Gpu:
    """Graphics card, its memory and its driver."""

    name: str
    architecture: str  # such as SM89
    driver: str
    free_bytes: int


def gpu() -> Gpu | None:
    """Return the first GPU; None without one or its driver. Raises EngineError without NVIDIA's bindings."""
    cuda = _runtime()
    error, count = cuda.cudaGetDeviceCount()
    if error != cuda.cudaError_t.cudaSuccess or not count:
        return None
    (properties,) = _checked(cuda.cudaGetDeviceProperties(0))
    free, _ = _checked(cuda.cudaMemGetInfo())
    (driver,) = _checked(cuda.cudaDriverGetVersion())
    name = properties.name.split(b"\0")[0].decode()
    return Gpu(name, f"SM{properties.major}{properties.minor}", f"{driver // 1000}.{driver % 1000 // 10}", free)


class Stream:
    """CUDA stream."""

    def __init__(self) -> None:
        self._cuda = _runtime()
        (self.handle,) = _checked(self._cuda.cudaStreamCreate())

    def synchronize(self) -> None:
        """Wait until all queued work is done."""
        _checked(self._cuda.cudaStreamSynchronize(self.handle))

    def close(self) -> None:
        _checked(self._cuda.cudaStreamDestroy(self.handle))


class Buffer:
    """fp32 array on the GPU, with a pinned host copy."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._cuda = _runtime()
        self._row_bytes = 4 * prod(shape[1:])
        size = 4 * prod(shape)
        (self.pointer,) = _checked(self._cuda.cudaMalloc(size))
        (self._host_pointer,) = _checked(self._cuda.cudaHostAlloc(size, 0))
        raw = (ctypes.c_float * prod(shape)).from_address(int(self._host_pointer))
        self.host: NDArray[np.float32] = np.ctypeslib.as_array(raw).reshape(shape)

    def to_gpu(self, rows: int, stream: Stream) -> None:
        """Queue the copy of the first rows to the GPU."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._copy(self.pointer, self._host_pointer, rows, kind, stream)

    def from_gpu(self, rows: int, stream: Stream) -> None:
        """Queue the copy of the first rows from the GPU."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._copy(self._host_pointer, self.pointer, rows, kind, stream)

    def close(self) -> None:
        _checked(self._cuda.cudaFree(self.pointer))
        _checked(self._cuda.cudaFreeHost(self._host_pointer))

    def _copy(self, to: int, source: int, rows: int, kind: Any, stream: Stream) -> None:
        _checked(self._cuda.cudaMemcpyAsync(to, source, rows * self._row_bytes, kind, stream.handle))


def _runtime() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise EngineError(f"a TensorRT engine runs through the package cuda-bindings ({error}): {_HOW}") from error
    return runtime


def _checked(result: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the results of a CUDA call without its error code."""
    error, *values = result
    if int(error):
        _, text = _runtime().cudaGetErrorString(error)
        raise CudaError(f"CUDA: {text.decode()} ({int(error)})")
    return tuple(values)
