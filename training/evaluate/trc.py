"""Reads marker files (.trc, OpenSim's form): 3D points measured in a laboratory, a row a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError

_METRES = {"m": 1.0, "mm": 1e-3}

# The twelve limb markers in the order of engine.body.keypoints.BLAZEPOSE.joints.
LIMB_MARKERS = tuple(side + joint for joint in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle") for side in "LR")


@dataclass(frozen=True)
class Markers:
    """Markers of a .trc file; NaN where one is missing."""

    names: tuple[str, ...]
    points_m: NDArray[np.float64]  # (frames, markers, 3)
    fps: float


def read_trc(path: Path, names: Sequence[str] | None = None) -> Markers:
    """Read a tab-separated .trc file, only the named markers if given; EngineError for another form."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        header = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
        scale, fps = _METRES[header["Units"].strip()], float(header["DataRate"])
        found = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
        rows = [_numbers(line, 3 * len(found)) for line in lines[5:] if line.strip()]
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, IndexError, KeyError) as error:
        raise EngineError(f"{path} is not a .trc file in m or mm: export it from OpenSim or Pose2Sim again") from error
    if not rows or not fps > 0:
        raise EngineError(f"{path} holds no frames")
    wanted = tuple(found if names is None else names)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise EngineError(f"{path} lacks the markers {', '.join(missing)}: it has {', '.join(found)}")
    points = scale * np.array(rows).reshape(len(rows), len(found), 3)
    return Markers(wanted, points[:, [found.index(name) for name in wanted]], fps)


def _numbers(line: str, count: int) -> list[float]:
    """Parse a row's coordinates after its number and time; an empty field is a missing marker."""
    fields = line.split("\t")[2 : 2 + count]
    if len(fields) < count:
        fields += [""] * (count - len(fields))
    return [float(field) if field.strip() else np.nan for field in fields]
