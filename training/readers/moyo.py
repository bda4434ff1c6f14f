"""Reads MOYO (yoga): mosh/SPLIT/NAME.pkl with SMPL-X's `fullpose`, or mosh_smpl/... with `global_orient`, `body_pose`.

Z up, 30 frames a second as published. MOYO's release in AMASS's form is read by training.readers.amass.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.readers.clip import PoseClip, checked_clip, read_clips
from training.readers.files import BrokenFileError, in_form, read_pickle

FORM = "MOYO"
_FPS = 30.0


def read(folder: Path) -> list[PoseClip]:
    """Read all clips below a folder. Raises EngineError."""
    return read_clips(folder, "**/mosh*/**/*.pkl", FORM, _clips)


def _clips(path: Path) -> Iterator[PoseClip]:
    content = read_pickle(path)
    with in_form(path, FORM):
        if "fullpose" in content:
            poses = np.asarray(content["fullpose"], np.float64)
        elif "global_orient" in content and "body_pose" in content:
            root, body = (np.asarray(content[key], np.float64) for key in ("global_orient", "body_pose"))
            poses = np.concatenate((root.reshape(len(root), -1), body.reshape(len(body), -1)), axis=1)
        else:
            raise BrokenFileError(f"{path} has neither fullpose nor global_orient with body_pose")
    yield checked_clip(path.stem, poses, content.get("mocap_frame_rate", _FPS), z_up=True)
