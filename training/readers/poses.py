"""Motion capture of several forms into the .npz that the trainers read (training.data.mocap).

python -m training.readers.poses --form amass --folder DIR --out mocap.npz [--split train] [--fps 30] [--middle 0.6]
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.errors import EngineError
from engine.flags import UsageError, command_line
from training.readers import amass, bvh, moyo, session
from training.readers.clip import SPLITS, PoseClip

logger = logging.getLogger(__name__)

_JUMP_RAD = np.radians(60.0)  # a larger joint rotation between two frames at 30 Hz is a capture error
_JUMP_FPS = 30.0


def thinned(clip: PoseClip, fps: float, middle: float) -> PoseClip:
    """Cut a clip to its middle part (1: all of it) and to the nearest frames at `fps`. Slower clips keep their rate."""
    count = len(clip.axis_angle)
    first = int(count * (1 - middle) / 2)
    kept = clip.axis_angle[first : max(count - first, first + 1)]
    step = max(1.0, clip.fps / fps)
    index = np.arange(0, len(kept), step).round().astype(int)
    return PoseClip(clip.name, kept[index[index < len(kept)]], min(clip.fps, fps))


def write_mocap(clips: Sequence[PoseClip], path: Path, split: str, fps: float) -> int:
    """Write the file of training.data.mocap; return the number of frames. Frames next to a jump are marked bad.

    Clips of another frame rate than `fps` are skipped with a warning; EngineError if none is left.
    """
    good = [clip for clip in clips if abs(clip.fps - fps) < 0.5]
    slow = [clip for clip in clips if abs(clip.fps - fps) >= 0.5]
    if slow:
        logger.warning("left out %d clip(s) slower than %g fps, the first: %s", len(slow), fps, slow[0].name)
    if not good:
        raise EngineError(f"no clip has {fps:g} frames a second or more: lower --fps")
    try:
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                poses_aa=np.concatenate([clip.axis_angle for clip in good]).astype(np.float16),
                clip_len=np.array([len(clip.axis_angle) for clip in good]),
                clip_name=np.array([clip.name for clip in good]),
                split=np.array([split] * len(good)),
                bad=np.concatenate([_beside_jumps(clip) for clip in good]),
                fps=np.array(fps),
            )
    except OSError as error:
        raise EngineError(f"cannot write {path}: {error.strerror}") from error
    return sum(len(clip.axis_angle) for clip in good)


def _beside_jumps(clip: PoseClip) -> NDArray[np.bool_]:
    rotations = Rotation.from_rotvec(clip.axis_angle[:, 1:].reshape(-1, 3))
    quaternions = rotations.as_quat().reshape(len(clip.axis_angle), -1, 4)
    cosine = np.abs((quaternions[1:] * quaternions[:-1]).sum(-1)).clip(max=1)
    jumps = (2 * np.arccos(cosine) > _JUMP_RAD * _JUMP_FPS / clip.fps).any(1)
    bad = np.zeros(len(clip.axis_angle), bool)
    bad[1:] |= jumps
    bad[:-1] |= jumps
    return bad


FORMS: dict[str, Callable[[Path], list[PoseClip]]] = {
    "amass": amass.read, "moyo": moyo.read, "bvh": bvh.read, "npz": session.read,
}  # fmt: skip


@command_line("training.readers.poses")
def main(
    *,
    form: Annotated[str, Parameter(choices=FORMS)],
    folder: Annotated[Path, Parameter(metavar="DIR")],
    out: Annotated[Path, Parameter(metavar="FILE")],
    split: Annotated[str, Parameter(choices=SPLITS)] = "train",
    fps: Annotated[float, Parameter(metavar="HZ", help="frames a second that are kept")] = 30.0,
    middle: Annotated[float, Parameter(metavar="PART", help="part of each clip that is kept")] = 1.0,
) -> int:
    """Make a mocap file."""
    if not (fps > 0 and 0 < middle <= 1):
        raise UsageError("--fps must be above 0, --middle above 0 and at most 1")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    clips = [thinned(clip, fps, middle) for clip in FORMS[form](folder)]
    frames = write_mocap(clips, out, split, fps)
    print(f"{out}: {frames} frames of {len(clips)} clips")
    return 0


if __name__ == "__main__":
    sys.exit(main())
