"""Formats the league as Markdown, and plots it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.league.measures import Scores, mean

HEAD = (
    "method",
    "PA-MPJPE mm",
    "MPJPE mm",
    "limb angle deg",
    "acceleration error mm/frame^2",
    "jitter mm/frame^2",
    "slide mm/s",
    "tilt deg",
    "grab to publish p95 ms",
    "CPU a frame, in BlazePose full",
)
CLOSE_MM = 3.0  # of points in the plot


@dataclass(frozen=True)
class Row:
    """One method: its scores by video, its latency, and its CPU time beside BlazePose full's; NaN if not measured."""

    name: str
    scores: list[Scores]
    p95_ms: float = math.nan
    cpu: float = math.nan

    @property
    def mean(self) -> Scores:
        """Mean over the videos."""
        return mean(self.scores)


def markdown(rows: list[Row], videos: list[str]) -> str:
    """Return the table of means, and PA-MPJPE by video."""
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    for row in rows:
        s = row.mean
        name = row.name + (f" ({100 * s.found:.0f} % of the frames)" if s.found < 0.995 else "")
        cells = [_number(value, 1) for value in (s.pa_mpjpe_mm, s.mpjpe_mm, s.limb_angle_deg)]
        cells += [_number(value, 1) for value in (s.accel_error_mm, s.jitter_mm)]
        cells += [_number(s.slide_mm_s, 0), _number(s.tilt_deg, 1), _number(row.p95_ms, 0), _number(row.cpu, 2)]
        lines.append(_line([name, *cells]))
    lines += ["", _line(["PA-MPJPE mm", *videos]), _line(["---"] * (len(videos) + 1))]
    lines += [_line([row.name, *(_number(each.pa_mpjpe_mm, 1) for each in row.scores)]) for row in rows]
    return "\n".join(lines)


def plot(rows: list[Row], path: Path) -> None:
    """Draw each method's PA-MPJPE over its CPU time and over its acceleration error."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib import ticker

    figure, axes = plt.subplots(1, 2, figsize=(12, 5), sharey=True, layout="constrained")
    heights = [row.mean.pa_mpjpe_mm for row in rows]
    for row in rows:
        # A name stands below its point where another point lies closely above.
        crowded = any(0 < height - row.mean.pa_mpjpe_mm < CLOSE_MM for height in heights)
        ours = row.name.startswith("ours")
        shown = row.name.endswith("shown")
        colour, marker = ("tab:green" if ours else "tab:red"), ("o" if shown or not ours else "x")
        for axis, x in ((axes[0], row.cpu), (axes[1], row.mean.accel_error_mm)):
            if math.isfinite(x):
                axis.plot(x, row.mean.pa_mpjpe_mm, marker, color=colour)
                axis.annotate(
                    row.name,
                    (x, row.mean.pa_mpjpe_mm),
                    xytext=(6, -11 if crowded else 4),
                    textcoords="offset points",
                    fontsize=8,
                )
    for axis, label in ((axes[0], "CPU a frame, in BlazePose full"), (axes[1], "acceleration error, mm/frame^2")):
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_minor_locator(ticker.NullLocator())
        axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
        axis.set_xlabel(label)
        low, high = axis.get_xlim()
        axis.set_xlim(low, high * (high / low) ** 0.2)  # room for the names
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("PA-MPJPE, mm: lower is better")
    figure.savefig(path, dpi=80)


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else ""


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
