"""Tables of an evaluation, as Markdown."""

from __future__ import annotations

from dataclasses import asdict, replace

from training.evaluate.protocols import Scores
from training.paper_figures import CHANGE, Table


def score_table(scores: dict[str, Scores]) -> str:
    """Format every available measure, a line each."""
    names = {
        "people": "people",
        "missed": "without a prediction",
        "unknown": "of unknown 3D pose or shape",
        "mpjpe_mm": "MPJPE mm",
        "pa_mpjpe_mm": "PA-MPJPE mm",
        "mve_mm": "MVE mm",
        "joint_angle_deg": "mean joint angle error, deg",
        "pck_05": "PCK@0.05",
        "pck_10": "PCK@0.1",
        "accel_error_mm": "acceleration error mm/frame^2",
    }
    rows = [(name, [asdict(row)[key] for row in scores.values()]) for key, name in names.items()]
    lines = [f"| measure | {' | '.join(scores)} |", "|---" * (1 + len(scores)) + "|"]
    for name, values in rows:
        if any(value is not None for value in values) and (name != names["unknown"] or any(values)):
            lines.append(f"| {name} | {' | '.join(_number(value) for value in values)} |")
    return "\n".join(lines)


def with_ours(table: Table, labels: tuple[str, ...], values: tuple[float | None, ...]) -> str:
    """Format a table of the paper with our row added."""
    return markdown_table(replace(table, rows=(*table.rows, (labels, values))))


def markdown_table(table: Table) -> str:
    """Format a table; a change stands in brackets after its value, as in the paper."""
    columns = [name for name in table.columns if name != CHANGE]
    lines = [f"{table.title}; rows below the paper's are ours", ""]
    lines += [f"| {' | '.join((*table.labels, *columns))} |", "|---" * (len(table.labels) + len(columns)) + "|"]
    for labels, values in table.rows:
        cells: list[str] = []
        for name, value in zip(table.columns, values, strict=True):
            if name != CHANGE:
                cells.append(_number(value))
            elif value is not None:
                cells[-1] += f" ({value:+.1f})"
        lines.append(f"| {' | '.join((*labels, *cells))} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.3f}" if abs(value) <= 1 else f"{value:.1f}"
