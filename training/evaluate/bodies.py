"""Loads the bodies of an image set's truth and of a network's predictions: SMPL's three, or one for all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.body.files import OPEN_BODY
from engine.body.torch.model import TorchBody
from engine.errors import EngineError
from engine.files.torch_file import read_torch_file
from training.evaluate.protocols import Array
from training.evaluate.smpl import NUM_EXTRA, SMPL_VERTICES, read_regressor
from training.readers.forms import Form
from training.readers.sample import Gender

OF_GENDERED_BODIES: tuple[Form, ...] = ("threedpw", "emdb")
GENDERS: tuple[Gender, ...] = ("neutral", "male", "female")


@dataclass(frozen=True)
class Bodies:
    """Bodies by gender, neutral first. extra (19, 6890), if present, makes keypoints 25 to 43."""

    by_gender: tuple[TorchBody, ...]
    extra: Tensor | None = None

    @property
    def neutral(self) -> TorchBody:
        """The neutral body, in which networks predict."""
        return self.by_gender[0]


def load_bodies(form: Form, path: Path | None, extra: Array | None) -> Bodies:
    """Load the bodies of a form: the folder of SMPL's three files for threedpw and emdb, else one body file.

    path None is the free body. Raises EngineError with the names of the missing files.
    """
    if form not in OF_GENDERED_BODIES:
        path = path or OPEN_BODY
        bodies: tuple[TorchBody, ...] = (TorchBody(_find(path, "neutral") if path.is_dir() else path),)
    elif path is None or not path.is_dir():
        raise EngineError(f"the truth of {form} is of SMPL's bodies: give --body DIR, a folder with {_NEEDED}")
    else:
        bodies = tuple(TorchBody(_find(path, gender)) for gender in GENDERS)
        others = {len(body.v_template) for body in bodies} - {SMPL_VERTICES}
        if others:
            raise EngineError(f"a body in {path} has {others.pop()} vertices, SMPL's have {SMPL_VERTICES}: give SMPL's")
    if form == "threedpw" and extra is None:
        raise EngineError(
            "3DPW's 14 joints are made of the mesh by a regressor that this checkpoint does not carry: give "
            "--regressor SMPL_to_J19.pkl, from the data that 4D-Humans publishes"
        )
    if extra is not None and extra.shape != (NUM_EXTRA, SMPL_VERTICES):
        raise EngineError(f"the regressor is {extra.shape}, expected {(NUM_EXTRA, SMPL_VERTICES)}: SMPL_to_J19.pkl")
    return Bodies(bodies, None if extra is None else torch.from_numpy(np.asarray(extra, np.float32)))


_NEEDED = (
    "SMPL_NEUTRAL.pkl, SMPL_MALE.pkl and SMPL_FEMALE.pkl (or basicmodel_*_lbs_10_207_0_v*.pkl), from smpl.is.tue.mpg.de"
)


def _find(folder: Path, gender: Gender) -> Path:
    """Find SMPL's file for a gender, under either of its usual names."""
    letter = gender if gender == "neutral" else gender[0]
    name = re.compile(rf"(smpl_{gender}|basicmodel_{letter}_lbs_10_207_0_v[\d.]+)\.(pkl|npz)", re.IGNORECASE)
    found = sorted(path for path in folder.iterdir() if name.fullmatch(path.name))
    if not found:
        raise EngineError(f"{folder} has no SMPL body that is {gender}: it must hold {_NEEDED}")
    return found[0]


def extra_regressor(checkpoint: Path, given: Path | None) -> Array | None:
    """Load the regressor (19, 6890) of keypoints 25 to 43 from the given file, else from the checkpoint."""
    if given is not None:
        return read_regressor(given)
    content = read_torch_file(checkpoint, "give a TokenHMR checkpoint")
    state = content.get("state_dict", content)
    carried = state.get("smpl.joint_regressor_extra")
    return carried.double().numpy() if torch.is_tensor(carried) else None
