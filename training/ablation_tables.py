"""The tables of an ablation: every figure with its change against the base, and the paper's trend beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.paper_figures import TABLE_3

PAPER_BASE = "codebook 2048 x 256"
_HEADINGS = {"mpjpe_mm": "MPJPE mm", "pa_mpjpe_mm": "PA-MPJPE mm", "mve_mm": "MVE mm", "codes_used": "codes used"}
_UNCOUNTED = ("frames", "people")
# Columns of the paper's Table 3 and what they are measured on here.
_PAPER_COLUMNS = (("test", "mve_mm"), ("test", "mpjpe_mm"), ("test_ood", "mve_mm"), ("test_ood", "mpjpe_mm"))


@dataclass(frozen=True)
class Paper:
    """The two rows of the paper's Table 3 between which it made the change of one of our rows."""

    before: str
    after: str

    @classmethod
    def named(cls, rows: str | list[str]) -> Paper:
        """From the row after the change, or from both. Raises KeyError for a row that Table 3 does not have."""
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
    """A row that was trained: what it varied, how, and its figures by split and measure."""

    name: str
    varied: str
    value: str
    steps: int
    parameters: int
    figures: dict[str, dict[str, float]]
    paper: Paper | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def markdown(rows: Sequence[Done], base: str) -> str:
    """All rows in one table; a second one where rows name their like in the paper. Changes are against row `base`."""
    reference = next((row.figures for row in rows if row.name == base), {})
    shown = dict.fromkeys(
        (split, measure)
        for row in rows
        for split, measures in row.figures.items()
        for measure in measures
        if measure not in _UNCOUNTED
    )
    headings = [f"{split} {_HEADINGS.get(measure, measure)}" for split, measure in shown]
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
    compared = [row for row in rows if row.paper is not None and reference and row.figures != reference]
    if compared:
        headings = [
            f"{whose} {split} {_HEADINGS[measure]}" for split, measure in _PAPER_COLUMNS for whose in ("our", "paper's")
        ]
        lines += ["", f"Change against the base, %, and in the paper ({TABLE_3.title})", ""]
        lines += _table(["varied", "value", *headings], [_beside_paper(row, reference) for row in compared])
    return "\n".join(lines)


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
    if not measure.endswith(("_mm", "_deg")):
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
