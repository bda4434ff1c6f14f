"""Results of the check: a JSON file, and a page in Markdown for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it imports NumPy, which may be missing
    from engine.engines.bench import Row, Times

EAGER = "torch eager fp32"


@dataclass(frozen=True)
class Aim:
    """Ratio that the engine should stay below."""

    what: str
    value: float
    limit: float
    roofline: float  # the same ratio for a perfect program on this device

    @property
    def reached(self) -> bool:
        """Return whether the ratio is within its limit."""
        return self.value <= self.limit


@dataclass
class Report:
    """Results of all steps so far."""

    device: str
    network: str
    packages: Mapping[str, str | None]
    skipped: list[str] = field(default_factory=list)  # steps, and why
    failed: list[str] = field(default_factory=list)  # likewise
    seconds: dict[str, float] = field(default_factory=dict)  # by step
    peaks: dict[str, dict[str, float]] = field(default_factory=dict)  # by precision
    parity: dict[str, dict[str, Any]] = field(default_factory=dict)  # by engine
    rows: list[Row] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    kernels: list[dict[str, Any]] = field(default_factory=list)  # of one call, the longest first

    def write(self, folder: Path) -> None:
        """Write check.json and check.md."""
        content = asdict(self) | {"aims": [asdict(aim) | {"reached": aim.reached} for aim in self.aims]}
        (folder / "check.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        (folder / "check.md").write_text(self.page(), encoding="utf-8")

    def page(self) -> str:
        """Lay out the results as Markdown."""
        lines = [f"# TokenHMR, {self.network}, on {self.device}", ""]
        lines += [f"- {name} {version}".rstrip() for name, version in self.packages.items() if version is not None]
        lines += [f"- missing: {name}" for name, version in self.packages.items() if version is None]
        lines += [f"- left out: {line}" for line in self.skipped] + [f"- FAILED: {line}" for line in self.failed]
        lines += ["", *_table(("peak of", "TFLOP/s", "copied GB/s"), map(_peak, self.peaks.items()))]
        parity = ("engine against torch fp32", "tokens agree", "rotation deg, largest", "joint mm, largest", "within")
        lines += ["", *_table(parity, map(_parity, self.parity.items()))]
        speed = (
            "engine", "people", "network ms", "p95", "on the device ms", "p95", "roofline ms", "device / roofline",
            "network / roofline", f"times as fast as {EAGER}",
        )  # fmt: skip
        lines += ["", *_table(speed, [self._speed(row) for row in self.rows])]
        lines += [
            "", *(f"- {'reached' if aim.reached else 'MISSED'}: {aim.what} is {aim.value:.2f}, at most {aim.limit:.1f} "
            f"(roofline {aim.roofline:.2f})" for aim in self.aims),
        ]  # fmt: skip
        kernels = [(kernel["name"][:80], str(kernel["calls"]), f"{kernel['ms']:.3f}") for kernel in self.kernels]
        lines += ["", *_table(("longest in one call", "times", "ms"), kernels)]
        return "\n".join(lines) + "\n"

    def _speed(self, row: Row) -> tuple[str, ...]:
        eager = [other for other in self.rows if other.what.startswith(EAGER) and other.batch == row.batch]
        ratio = f"{eager[0].network.median_ms / row.network.median_ms:.2f}" if eager else ""
        device = "" if row.device_of_floor is None else f"{row.device_of_floor:.2f}"
        return (
            row.what, str(row.batch), *_both(row.network), *_both(row.device), f"{row.floor_ms:.3f}", device,
            f"{row.of_floor:.2f}", ratio,
        )  # fmt: skip


def aims(rows: Sequence[Row], what: str) -> list[Aim]:
    """Judge the rows of the engine `what`: near the roofline for one person, four people under twice one."""
    by_batch = {row.batch: row for row in rows if row.what == what}
    times = {batch: (row.device or row.network).median_ms for batch, row in by_batch.items()}
    judged = []
    if 1 in by_batch:
        judged.append(Aim("one person over the roofline", times[1] / by_batch[1].floor_ms, 1.8, 1.0))
    if {1, 4} <= by_batch.keys():
        perfect = by_batch[4].floor_ms / by_batch[1].floor_ms
        judged.append(Aim("four people over one", times[4] / times[1], 2.0, perfect))
    return judged


def _peak(item: tuple[str, dict[str, float]]) -> tuple[str, ...]:
    name, peaks = item
    return name, f"{peaks['flops_per_s'] / 1e12:.2f}", f"{peaks['bytes_per_s'] / 1e9:.1f}"


def _parity(item: tuple[str, dict[str, Any]]) -> tuple[str, ...]:
    name, found = item
    numbers = f"{100 * found['token_agreement']:.2f} %", f"{found['rotation_deg_max']:.4f}"
    return name, *numbers, f"{found['joint_mm_max']:.3f}", "yes" if found["within"] else "NO"


def _both(times: Times | None) -> tuple[str, str]:
    return ("", "") if times is None else (f"{times.median_ms:.3f}", f"{times.p95_ms:.3f}")


def _table(head: Sequence[str], rows: Any) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
