"""Measures TokenHMR on an NVIDIA card with what is installed there; tests/gpu/check.sh starts it.

Random weights of full size: parity of fp16 with fp32, and times for 1, 2 and 4 people. Eager torch and the roofline,
from peaks that the same run measures, stand beside them. Nothing but torch is needed; each step names what it lacks.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import UserError, one_line
from tests.gpu.packages import FILES, PLANS, versions
from tests.gpu.report import Report, aims

T = TypeVar("T")

OK, FAILED, NO_CUDA, MISSED = 0, 1, 3, 4  # exit codes; 2 is a bad flag
BATCHES = (1, 2, 4)
_WHOLE_S = 460.0  # check.sh ends the run at 480
_PLAN_S = 240.0  # to build a plan of full size by TensorRT
_KERNELS = 25


class Steps:
    """Runs one step after the other and keeps the report on disk, so that a step that ends the run loses nothing."""

    def __init__(self, report: Report, folder: Path) -> None:
        self.report = report
        self.folder = folder
        self._started = time.monotonic()

    def run(self, name: str, step: Callable[[], T], needs: Iterable[str] = (), at_least_s: float = 0.0) -> T | None:
        """Return the step's result; None where it failed or was left out, which the report then tells."""
        missing = [package for package in needs if self.report.packages[package] is None]
        left_s = _WHOLE_S - (time.monotonic() - self._started)
        result = None
        if missing:
            self.report.skipped.append(f"{name}: without {', '.join(missing)}")
        elif left_s < at_least_s:
            self.report.skipped.append(f"{name}: {left_s:.0f} s are left, it may take {at_least_s:.0f}")
        else:
            print(f"{name} ...", flush=True)
            started = time.monotonic()
            try:
                result = step()
            except (UserError, RuntimeError, OSError, ImportError) as error:
                self.report.failed.append(f"{name}: {one_line(str(error))}")
            self.report.seconds[name] = time.monotonic() - started
        self.report.write(self.folder)
        return result


def main() -> int:
    flags = _flags()
    if flags.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is imported, as the next too
        if flags.small:  # so little work for several threads is a wait for each other, long where others work beside
            os.environ.setdefault("OMP_NUM_THREADS", "1")
    packages = versions()
    if packages["torch"] is None:
        print("tests.gpu: torch is not installed here, nothing can be measured", file=sys.stderr)
        return NO_CUDA
    import torch

    on_gpu = flags.device == "cuda"
    if on_gpu and not torch.cuda.is_available():
        print(f"tests.gpu: torch {packages['torch']} finds no CUDA here; --device cpu --small tries the steps",
              file=sys.stderr)  # fmt: skip
        return NO_CUDA
    flags.out.mkdir(parents=True, exist_ok=True)
    report = Report(torch.cuda.get_device_name() if on_gpu else "the CPU", "", packages)
    report.network = "small" if flags.small else "full size"
    precision = flags.precision or ("fp16" if on_gpu else "fp32")
    steps = Steps(report, flags.out)
    with tempfile.TemporaryDirectory(prefix="tokenmocap-gpu-") as scratch:
        _measure(steps, precision, on_gpu=on_gpu, small=flags.small, runs=flags.runs, scratch=Path(scratch))
    print(report.page())
    print(f"{flags.out / 'check.json'} and check.md hold this")
    if report.failed or not all(found["within"] for found in report.parity.values()):
        return FAILED
    return MISSED if not all(aim.reached for aim in report.aims) else OK


def _measure(steps: Steps, precision: str, *, on_gpu: bool, small: bool, runs: int, scratch: Path) -> None:
    """Run all steps."""
    from engine.engines.peaks import Peaks, measure_peaks

    report = steps.report
    precisions = dict.fromkeys((precision, "fp32"))  # without repeats
    peaks: dict[str, Peaks] = {}
    for name in precisions:
        found = steps.run(f"peaks in {name}", lambda name=name: measure_peaks(name, on_gpu))  # type: ignore[misc]
        if found is not None:
            peaks[name], report.peaks[name] = found, asdict(found)
    if report.packages["numpy"] is None or peaks.keys() != precisions.keys():
        report.skipped.append(f"all networks: without {'numpy' if report.packages['numpy'] is None else 'peaks'}")
        report.write(steps.folder)
        return

    from engine.engines import bench, parity
    from tests.gpu import engines
    from tests.small_tokenhmr import SMALL

    config = SMALL if small else engines.TokenHmrConfig()
    crop: bench.Crop | None = None
    if report.packages["cv2"] is not None:
        from engine.tokenhmr.crop import tokenhmr_crops

        crop = tokenhmr_crops

    def measured(name: str, make: Callable[[], Any], needs: Iterable[str] = (), at_least_s: float = 0.0) -> Any:
        made = steps.run(name, make, needs, at_least_s)
        if made is None:
            return None
        engine, found = made
        within = found.within(parity.TOLERANCES[engine.manifest.precision])
        report.parity[engine.backend] = asdict(found) | {"within": within}
        timed(engine)
        return engine

    def timed(engine: Any) -> None:
        rows = steps.run(
            f"times of {engine.backend}",
            lambda: bench.bench_rows(engine, config, BATCHES, runs, peaks[engine.manifest.precision], crop),
        )
        report.rows += rows or []

    lacking = [name for name in FILES if report.packages[name] is None]
    if lacking:
        report.skipped.append(f"an engine from files: without {', '.join(lacking)}; the same one was made in memory")
        engine = measured("torch engine in memory", lambda: engines.in_memory(config, precision, scratch))
    else:
        engine = measured("torch engine", lambda: engines.from_files(config, "torch", precision, scratch))
    if engine is None:
        return
    if on_gpu:
        report.aims += aims(report.rows, engine.backend)
    report.kernels += steps.run("longest kernels", lambda: _kernels(engine, on_gpu)) or []
    engine.close()
    for name in precisions:
        eager = steps.run(f"torch eager {name}", lambda name=name: bench.eager_engine(engine, config, name))  # type: ignore[misc]
        if eager is not None:
            timed(eager)
            del eager
    if on_gpu:
        compiled = "torch engine, compiled blocks"
        measured(compiled, lambda: engines.in_memory(config, precision, scratch, compiled=True), ("triton",))
        for package, backend in (("tensorrt", "tensorrt"), ("tensorrt_rtx", "tensorrt-rtx")):
            measured(
                f"{backend} engine",
                lambda backend=backend: engines.from_files(config, backend, precision, scratch),  # type: ignore[misc]
                (*PLANS, package),
                0.0 if small else _PLAN_S,
            )
    steps.report.write(steps.folder)


def _kernels(engine: Any, on_gpu: bool) -> list[dict[str, Any]]:
    """List the longest kernels (on a CPU: operators) of one call for one person, transfers included."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    from engine.engines.parity import fixed_images

    images = fixed_images(1)
    engine.infer(images)
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as seen:
        engine.infer(images)
    where = DeviceType.CUDA if on_gpu else DeviceType.CPU
    found = [
        {"name": event.key, "calls": event.count,
         "ms": 1e-3 * (event.self_device_time_total if on_gpu else event.self_cpu_time_total)}
        for event in seen.key_averages() if event.device_type == where
    ]  # fmt: skip
    total = {"name": "all", "calls": sum(f["calls"] for f in found), "ms": sum(f["ms"] for f in found)}
    return [total, *sorted(found, key=lambda kernel: -kernel["ms"])[:_KERNELS]]


def _flags() -> argparse.Namespace:
    """Parse the command line by argparse, since the library for it may be missing here."""
    parser = argparse.ArgumentParser("tests/gpu/check.sh", description="Measure TokenHMR on an NVIDIA card.")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--precision", choices=("fp16", "bf16", "fp32"), help="default: fp16, on a CPU fp32")
    parser.add_argument("--small", action="store_true", help="a small network in place of the full one")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), metavar="DIR", help="of check.json and check.md")
    parser.add_argument("--runs", type=int, default=50, metavar="N", help="timed calls of each stage")
    flags = parser.parse_args()
    if flags.runs < 1:
        parser.error("--runs takes a number above 0")
    return flags


if __name__ == "__main__":
    sys.exit(main())
