"""Reads the labels: boxes of everybody in every tenth frame of five clips, drawn by hand (labels.csv).

Boxes are in pixels around the visible silhouette, within about 15 px. `plain` is 0 where a person can hardly be made
out: blurred before the sun, or at the edge of the picture. The clips come from pinned wheels under BSD-3-Clause. In the
multi-person demo the woman is rendered into the film; a watcher, small and far, stands in two of its views.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.assets import Asset, Wheel

_POSE2SIM, _SPORTS2D = Wheel("pose2sim", "0.10.49", 51_189_031), Wheel("sports2d", "0.8.34", 9_050_415)
_MULTI_PERSON = {
    "cam01": "543cee6a4c2c2b52dc9eac9137ee63d14f1f84e706a9a7264769edcb11e5ea53",
    "cam02": "8895092a7cf26359205a427b7ac2f4a935c2e0bd36d9b7a5140cb33faa468a6b",
    "cam03": "d3daf48cdf9f5603868ddb99166ddaf9b12279e7ce968922926560d5fd3f0c99",
    "cam04": "1490149dc40e7301fa5ceae23862b044ba5c398a8b2a40df21ed894702728c09",
}
CLIPS = {
    name: Asset(
        f"pose2sim_people_{name}.mp4",
        _POSE2SIM,
        f"Pose2Sim/Demo_MultiPerson/videos/{name}.mp4",
        sha256,
        "BSD-3-Clause",
    )
    for name, sha256 in _MULTI_PERSON.items()
}
CLIPS["sports2d"] = Asset(
    "sports2d_demo.mp4",
    _SPORTS2D,
    "Sports2D/Demo/demo.mp4",
    "d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039",
    "BSD-3-Clause",
)
_FILE = Path(__file__).with_name("labels.csv")


@dataclass(frozen=True)
class Label:
    """One person in one frame."""

    frame: int
    person: str
    box_xyxy: NDArray[np.float64]  # (4,) pixels
    plain: bool  # whether the person must be found


def labels_of(clip: str) -> tuple[Label, ...]:
    """Return the labels of a clip, in the order of frames."""
    with _FILE.open(newline="") as file:
        return tuple(
            Label(
                int(row["frame"]),
                row["person"],
                np.array([float(row[key]) for key in ("x0", "y0", "x1", "y1")]),
                row["plain"] == "1",
            )
            for row in csv.DictReader(file)
            if row["clip"] == clip
        )
