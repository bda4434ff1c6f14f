"""Measures what a device can do at most: arithmetic by a large matrix product, bytes by copying memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.engines.laps import laps_ms
from engine.tokenhmr.precision import PRECISIONS, fp32_sums

_SIDE_GPU = 8192  # of the square matrices: milliseconds on a GPU, far above the cost of a launch
_SIDES_CPU = (1536, 256)  # the smaller where the larger takes seconds, as bf16 on a processor without it
_COPY_GPU_BYTES, _COPY_CPU_BYTES = 1 << 30, 1 << 28  # several times any cache
_RUNS = 10
_SLOW_FLOPS_PER_S = 1e10


@dataclass(frozen=True)
class Peaks:
    """Peaks measured on this device: a large product, and copying memory (bytes read and written)."""

    flops_per_s: float
    bytes_per_s: float

    def floor_ms(self, flops: float, moved_bytes: float) -> float:
        """Return the roofline: the least time for this arithmetic and these bytes, whichever takes longer."""
        return 1e3 * max(flops / self.flops_per_s, moved_bytes / self.bytes_per_s)


def measure_peaks(precision: str, on_gpu: bool) -> Peaks:
    """Measure the device's peaks in this precision: the best of a few large products and copies."""
    copied = _COPY_GPU_BYTES if on_gpu else _COPY_CPU_BYTES
    block = torch.zeros(copied // 4, device="cuda" if on_gpu else "cpu")
    copy = torch.empty_like(block)
    with torch.inference_mode(), fp32_sums():
        if on_gpu:
            flops_per_s = _product_flops_per_s(_SIDE_GPU, precision, "cuda")
        else:
            large, small = _SIDES_CPU
            flops_per_s = _product_flops_per_s(small, precision, "cpu")
            if flops_per_s > _SLOW_FLOPS_PER_S:
                flops_per_s = _product_flops_per_s(large, precision, "cpu")
        copy_ms = min(laps_ms(lambda: copy.copy_(block), _RUNS, on_gpu=on_gpu))
    return Peaks(flops_per_s, 2e3 * copied / copy_ms)


def _product_flops_per_s(side: int, precision: str, device: str) -> float:
    a = torch.randn(side, side, device=device).to(PRECISIONS[precision])  # zeros would multiply faster than data does
    product = torch.empty_like(a)
    product_ms = min(laps_ms(lambda: torch.mm(a, a, out=product), _RUNS, on_gpu=device == "cuda"))
    return 2e3 * side**3 / product_ms
