"""Plots the cost: stages of one person, and what more people and larger pictures add."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def plot(
    stages: Mapping[str, float],
    people: Mapping[int, float],
    sizes: Mapping[str, float],
    others: Mapping[str, float],
    path: Path,
) -> None:
    """Draw all in bare landmark networks: stages by name, the path by people, the path of one person by size.

    others: other programs on one person in 720p, by name, beside the sizes.
    """
    figure, axes = plt.subplots(1, 3, figsize=(12, 4), width_ratios=(2.2, 1, 1.5), layout="constrained")
    names = [name for name in stages if name != "landmark network"]
    axes[0].barh(names, [stages[name] for name in names], color="tab:blue")
    axes[0].invert_yaxis()
    axes[0].set_title("one person, beside the landmark network (1)")
    axes[1].bar([str(count) for count in people], list(people.values()), color="tab:green")
    axes[1].set_title("people")
    axes[2].bar(list(sizes), list(sizes.values()), color="tab:orange")
    axes[2].bar(list(others), list(others.values()), color="tab:grey")
    axes[2].tick_params("x", rotation=60)
    axes[2].set_title("picture, one person")
    for each in axes:
        each.grid(alpha=0.3)
    axes[1].set_ylabel("CPU a frame, in bare landmark networks")
    figure.savefig(path, dpi=80)
