"""The face at rest of somebody who stands still, and its way through a profile into the next run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.body.expressions import BLENDSHAPES
from engine.body.projection import PinholeCamera
from engine.body.rotations import angle_between
from realtime.calibration.guide import Stance
from realtime.calibration.kept import KeptCamera
from realtime.calibration.measure import measured
from realtime.calibration.neutral_face import LEAST_FRAMES, neutral_face
from realtime.calibration.profile import load_profile, save_profile
from realtime.estimate.face.completion import FaceCompletion
from realtime.estimate.face.lids import openings
from realtime.estimate.face.memory import FaceMemory
from realtime.estimate.face.neck import head_of
from realtime.kernel.messages import Camera
from tests.realtime.calibration.profiles import PROFILE, profile
from tests.realtime.calibration.stances import BODY, SIZE, person
from tests.realtime.estimate.face.acted import RIG, face, turned
from tests.realtime.estimate.face.test_completion import estimate

LEVEL = Camera(62.0, 0.0, 0.0, "room", 0.3)
# A long face with low brows, whose eyes look up a little when it is held level.
OWN_M = (RIG.neutral_m * np.array([0.97, 1.05, 1.0]) + 0.5 * RIG.moves_m[[0, 2]].sum(axis=0)).astype(np.float32)
PITCH_DEG = 6.0


def standing(count: int = 30, smile: float = 0.0) -> list[Stance]:
    found = []
    for k in range(count):
        seen = face(
            {"mouthSmileLeft": smile, "mouthSmileRight": smile},
            neutral_m=OWN_M,
            R_cam_head=turned(0, PITCH_DEG),
            eyes=(k % 2 == 0, k % 2 == 1),
            shut=(1.0, 1.0) if k in (7, 8, 9) else (0.0, 0.0),
            noise_m=0.0003,
            seed=k,
        )
        stood = person()
        who = replace(stood, keypoints={**stood.keypoints, "face": seen})
        found.append(Stance(k / 15, who, LEVEL, (stood.pose.joints - (0, 1.5, 3)).astype(np.float32)))
    return found


def test_a_calibrated_face_shows_nothing_and_looks_ahead() -> None:
    face_m = neutral_face(standing(), LEVEL, SIZE)
    assert face_m is not None
    completion, memory = FaceCompletion(neutral_m=face_m), FaceMemory()
    for k in range(20):
        seen = face(neutral_m=OWN_M, R_cam_head=turned(0, PITCH_DEG), noise_m=0.0003, seed=100 + k)
        done = completion.complete(k / 30, PinholeCamera(*SIZE, LEVEL.fov_deg), estimate(seen), memory)
    assert done.face is not None
    shown = np.delete(done.face.blendshapes, [i for i, name in enumerate(BLENDSHAPES) if name.startswith("eyeLook")])
    assert shown.max() < 0.15
    off_deg = np.degrees(angle_between(head_of(done.raw).astype(np.float64), turned()))
    assert off_deg < 2.5  # without the calibration: 6


def test_a_blink_does_not_lower_the_eyes_at_rest() -> None:
    face_m = neutral_face(standing(), LEVEL, SIZE)
    assert face_m is not None
    np.testing.assert_allclose(openings(face_m), openings(OWN_M), rtol=0.08)


def test_hardly_a_face_is_none() -> None:
    assert neutral_face(standing(LEAST_FRAMES - 1), LEVEL, SIZE) is None


def test_the_profile_keeps_the_face_and_those_without_one_stay_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENMOCAP_DATA", str(tmp_path))
    made = measured(standing(), LEVEL, BODY, camera_name="cam", size=SIZE, stature_given=True)
    again = load_profile(save_profile(made))
    assert again == made
    kept = KeptCamera([profile(), again]).neutral_face_m
    assert kept is not None
    assert kept.shape == (468, 3)
    assert "neutral_face" not in json.loads(save_profile(PROFILE).read_text())
    assert KeptCamera([PROFILE]).neutral_face_m is None


@pytest.mark.parametrize("broken", [((0.0, 0.0, 0.0),) * 467, ((0.0, 0.0),) * 468, ((float("nan"), 0.0, 0.0),) * 468])
def test_a_damaged_face_is_refused(broken: tuple) -> None:
    with pytest.raises(ValueError, match=r"neutral_face|number"):
        profile(neutral_face=broken)
