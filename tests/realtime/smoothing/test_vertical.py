"""The vertical of limbs at rest: between the camera's and the trunk's, by how much the camera doubts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from realtime.kernel.messages import Array, Camera
from realtime.smoothing.vertical import RestVertical

FPS = 30
UNKNOWN = Camera(60.0, source="assumed", doubt_deg=15.0)


def leaning(lean_deg: float, camera: Camera, about: tuple[float, float, float] = (1, 0, 0)) -> Array:
    """Local rotations of a T-pose that leans in the world, [0] into the camera's axes."""
    rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
    lean = Rotation.from_rotvec(np.radians(lean_deg) * np.array(about)).as_matrix()
    rotmats[0] = camera.R_world_cam.T @ lean
    return rotmats


def turned(vertical: RestVertical, t: float, rotmats: Array, camera: Camera) -> Array:
    return vertical.update(t, rotmats, camera.R_world_cam, camera.doubt_deg)


def angle_deg(rotmat: Array) -> float:
    return float(np.degrees(Rotation.from_matrix(rotmat).magnitude()))


@pytest.mark.parametrize(
    ("doubt_deg", "lean_deg", "turn_deg"),
    [(0.0, 30, 0.0), (15.0, 0, 0.0), (15.0, 30, 15.0), (5.0, 30, 3.0), (15.0, -40, 20.0), (15.0, 90, 0.0)],
)
def test_it_lies_between_both_by_their_variances_and_a_lying_trunk_tells_nothing(
    doubt_deg: float, lean_deg: float, turn_deg: float
) -> None:
    camera = Camera(60.0, pitch_deg=12.0, roll_deg=-5.0, doubt_deg=doubt_deg)
    turn = turned(RestVertical(), 0.0, leaning(lean_deg, camera), camera)
    assert angle_deg(turn) == pytest.approx(turn_deg, abs=1e-2)
    back = Rotation.from_rotvec([np.radians(np.sign(lean_deg) * turn_deg), 0, 0]).as_matrix()
    np.testing.assert_allclose(turn @ back @ [0, 1, 0], [0, 1, 0], atol=1e-4)


def test_a_camera_that_knows_its_tilt_keeps_its_vertical_exactly() -> None:
    camera = Camera(60.0, pitch_deg=20.0)
    for lean_deg in (5, 30, 60):
        assert np.array_equal(turned(RestVertical(), 0.0, leaning(lean_deg, camera), camera), np.eye(3))


def test_a_bent_back_counts_with_the_chest() -> None:
    rotmats = leaning(0.0, UNKNOWN)
    rotmats[3] = Rotation.from_rotvec([np.radians(30), 0, 0]).as_matrix()  # the lowest joint of the spine
    assert angle_deg(turned(RestVertical(), 0.0, rotmats, UNKNOWN)) == pytest.approx(7.5, abs=0.1)


def test_who_bends_for_a_moment_hardly_turns_it_and_never_by_much_at_once() -> None:
    vertical, turns = RestVertical(), []
    for k in range(15 * FPS):
        bends = 10 * FPS <= k < 11 * FPS
        turns.append(turned(vertical, k / FPS, leaning(40.0 if bends else 0.0, UNKNOWN), UNKNOWN))
    angles_deg = [angle_deg(turn) for turn in turns]
    assert 1.0 < max(angles_deg) < 2.0
    assert angles_deg[-1] < 0.75 * max(angles_deg)
    assert max(angle_deg(a.T @ b) for a, b in pairwise(turns)) < 0.1


def test_the_mean_does_not_depend_on_the_frame_rate() -> None:
    ends = []
    for fps in (15, 120):
        vertical = RestVertical()
        for k in range(3 * fps):
            turn = turned(vertical, k / fps, leaning(30 * k / (3 * fps), UNKNOWN), UNKNOWN)
        ends.append(angle_deg(turn))
    assert ends[0] == pytest.approx(ends[1], abs=0.3)
    assert ends[1] == pytest.approx(7.5, abs=0.5)
