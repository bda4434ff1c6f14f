"""Formats the tables of an ablation, and a plot: figures and changes against the base, beside the paper's.

Rows with varied `seed` measure the noise: the base under other seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from training.paper_figures import TABLE_3

BASE = "base"
SEED = "seed"
PAPER_BASE = "codebook 2048 x 256"
_HEADINGS = {"mpjpe_mm": "MPJPE mm", "pa_mpjpe_mm": "PA-MPJPE mm", "mve_mm": "MVE mm", "codes_used": "codes used"}
_UNCOUNTED = ("frames", "people")
_SHARES = ("codes_used",)
# Columns of the paper's Table 3 with the corresponding split and measure here.
_PAPER_COLUMNS = (("test", "mve_mm"), ("test", "mpjpe_mm"), ("test_ood", "mve_mm"), ("test_ood", "mpjpe_mm"))


@dataclass(frozen=True)
class Paper:
    """Two rows of the paper's Table 3 whose difference corresponds to one of our rows."""

    before: str
    after: str

    @classmethod
    def named(cls, rows: str | list[str]) -> Paper:
        """Look up the row after the change, or both rows. Raises KeyError for a row that Table 3 does not have."""
        before, after = (PAPER_BASE, rows) if isinstance(rows, str) else rows
        known = _paper_rows()
        for name in (before, after):
            if name not in known:
                raise KeyError(f"the paper's Table 3 has no row '{name}': there are {', '.join(known)}")
        return cls(before, after)

    def change(self) -> tuple[float, ...]:
        """Relative changes of the four columns of Table 3."""
        rows = _paper_rows()
        return tuple(after / before - 1 for before, after in zip(rows[self.before], rows[self.after], strict=True))


@dataclass(frozen=True)
class Done:
    """Finished row: its variation, and its figures by split and measure."""

    name: str
    varied: str
    value: str
    steps: int
    parameters: int
    figures: dict[str, dict[str, float]]
    paper: Paper | None = None

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        return asdict(self)


def markdown(rows: Sequence[Done]) -> str:
    """Format all rows in one table, the seeds' spread, and a table of rows with a counterpart in the paper."""
    reference = _reference(rows)
    shown = _columns(rows)
    headings = [_heading(*column) for column in shown]
    lines = _table(
        ["varied", "value", *headings, "steps", "parameters"],
        [
            [
                row.varied,
                row.value,
                *(_cell(row.figures, reference, *column) for column in shown),
                f"{row.steps:,}",
                f"{row.parameters:,}",
            ]
            for row in rows
        ],
    )
    spread = [
        f"{_heading(*column)} {min(values):.1f} to {max(values):.1f}"
        for column in shown
        if column[1] not in _SHARES and len(values := _over_seeds(rows, *column)) > 1
    ]
    if spread:
        lines += ["", f"The base under {len(_seeds(rows))} seeds: {', '.join(spread)}."]
    compared = [row for row in rows if row.paper is not None and reference and row.figures != reference]
    if compared:
        headings = [
            f"{whose} {_heading(split, measure).removesuffix(' mm')}"
            for split, measure in _PAPER_COLUMNS
            for whose in ("our", "paper's")
        ]
        lines += ["", f"Change against the base, %, and in the paper ({TABLE_3.title})", ""]
        lines += _table(["varied", "value", *headings], [_beside_paper(row, reference) for row in compared])
    return "\n".join(lines)


def draw(rows: Sequence[Done], split: str, measure: str, path: Path) -> None:
    """Plot each row's change against the base in percent as a bar, over the seeds' range as a band, as a PNG.

    Raises EngineError if the base lacks that measure of that split.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    reference = _reference(rows)
    before = reference.get(split, {}).get(measure)
    if before is None:
        columns = ", ".join(map(" ".join, _columns(rows))) or "none, train the base first"
        raise EngineError(f"the base has no '{split} {measure}' to draw: there are {columns}")
    changed = [row for row in rows if row.figures != reference and row.varied != SEED]
    changes = [100 * (row.figures[split][measure] / before - 1) for row in changed]
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.27 * len(changed)), layout="constrained")
    noise = [100 * (value / before - 1) for value in _over_seeds(rows, split, measure)]
    if noise:
        axes.axvspan(min(noise), max(noise), color="0.85", label=f"the base under {len(noise)} seeds")
        figure.legend(loc="outside upper right", frameon=False)
    bars = axes.barh([row.name for row in changed], changes, height=0.6)
    axes.bar_label(bars, fmt="%+.0f", padding=3)
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    figure.supxlabel(f"change of {_heading(split, measure)} against the base's {before:.1f}, %", fontsize="medium")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _reference(rows: Sequence[Done]) -> dict[str, dict[str, float]]:
    return next((row.figures for row in rows if row.name == BASE), {})


def _columns(rows: Sequence[Done]) -> list[tuple[str, str]]:
    every = [(split, measure) for row in rows for split, measures in row.figures.items() for measure in measures]
    return [column for column in dict.fromkeys(every) if column[1] not in _UNCOUNTED]


def _heading(split: str, measure: str) -> str:
    return f"{split} {_HEADINGS.get(measure, measure)}"


def _seeds(rows: Sequence[Done]) -> list[dict[str, dict[str, float]]]:
    """Collect figures of the base and of the base under other seeds, each once."""
    found: list[dict[str, dict[str, float]]] = []
    for row in rows:
        if (row.name == BASE or row.varied == SEED) and row.figures not in found:
            found.append(row.figures)
    return found


def _over_seeds(rows: Sequence[Done], split: str, measure: str) -> list[float]:
    return [figures[split][measure] for figures in _seeds(rows) if measure in figures.get(split, {})]


def _beside_paper(row: Done, reference: dict[str, dict[str, float]]) -> list[str]:
    assert row.paper is not None
    cells = [row.varied, row.value]
    for (split, measure), theirs in zip(_PAPER_COLUMNS, row.paper.change(), strict=True):
        ours = row.figures[split][measure] / reference[split][measure] - 1
        cells += [f"{100 * ours:+.0f}", f"{100 * theirs:+.0f}"]
    return cells


def _cell(
    figures: dict[str, dict[str, float]], reference: dict[str, dict[str, float]], split: str, measure: str
) -> str:
    value = figures.get(split, {}).get(measure)
    if value is None:
        return ""
    if measure in _SHARES:
        return f"{value:.1%}"
    before = reference.get(split, {}).get(measure)
    return f"{value:.1f}" if before is None or figures == reference else f"{value:.1f} ({value - before:+.1f})"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _paper_rows() -> dict[str, tuple[float, ...]]:
    return {
        " ".join(filter(None, labels)): tuple(figure for figure in figures if figure is not None)
        for labels, figures in TABLE_3.rows
    }
