"""Joint angles against their definition in words: known turns of the free body, and where its limbs go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.body.skeleton import JOINT_NAMES, SMPLH
from realtime.outputs.export.laboratory.joint_angles import ANGLE_NAMES, joint_angles_deg
from realtime.outputs.export.motion import posed_joints
from realtime.outputs.recording.session import Session, load_session
from tests.realtime.outputs.export.hands import record_hands
from tests.realtime.outputs.export.recording import FRAMES

TOLERANCE_DEG = 1e-3
T_POSE = {  # all others are zero: arms are abducted by a right angle, palms face down
    f"{name}_{side}": angle for side in "lr" for name, angle in (("shoulder_elevation", -90), ("elbow_pronation", 90))
}
RIGHT, UP, FORWARD = (-1, 0, 0), (0, 1, 0), (0, 0, 1)  # of the body, in the world


def posed(session: Session, **turns: tuple[str, float]) -> Session:
    """The session with its frames in the T-pose, but for turns of joints: axis of the body's at rest, and degrees."""
    poses = np.zeros_like(session.poses)
    for joint, (axis, degrees) in turns.items():
        at = 3 * SMPLH.index(joint)
        poses[:, at : at + 3] = Rotation.from_euler(axis, degrees, degrees=True).as_rotvec()
    return replace(session, poses=poses)


def angles(session: Session) -> np.ndarray:
    return np.concatenate(list(joint_angles_deg(session)))


def joint(session: Session, name: str) -> np.ndarray:
    """Place (3,) of a joint relative to the pelvis in the first frame."""
    places = posed_joints(session, session.trans[:1], session.poses[:1])[0]
    return places[JOINT_NAMES.index(name)] - places[0]


def test_the_t_pose_is_the_anatomical_position_but_for_the_arms(session: Session) -> None:
    expected = [T_POSE.get(name, 0.0) for name in ANGLE_NAMES]
    np.testing.assert_allclose(angles(posed(session)), np.tile(expected, (FRAMES, 1)), atol=TOLERANCE_DEG)


@pytest.mark.parametrize(
    ("turned", "axis", "degrees", "changed", "seen", "towards"),
    [  # what the turn does in words: a joint that `seen` names goes `towards`
        ("pelvis", "x", 10, {"pelvis_tilt": -10}, "head", FORWARD),
        ("pelvis", "z", 10, {"pelvis_list": 10}, "head", RIGHT),
        ("pelvis", "y", 40, {"pelvis_rotation": 40}, "right_wrist", FORWARD),
        ("spine1", "x", 20, {"lumbar_extension": -20}, "head", FORWARD),
        ("spine2", "z", 15, {"lumbar_bending": 15}, "head", RIGHT),
        ("spine3", "y", 30, {"lumbar_rotation": 30}, "right_wrist", FORWARD),
        ("neck", "x", -25, {"neck_extension": 25}, "head", tuple(-c for c in FORWARD)),
        ("right_hip", "x", -30, {"hip_flexion_r": 30}, "right_knee", FORWARD),
        ("left_hip", "x", -30, {"hip_flexion_l": 30}, "left_knee", FORWARD),
        ("right_hip", "z", -20, {"hip_adduction_r": -20}, "right_knee", RIGHT),
        ("left_hip", "z", -20, {"hip_adduction_l": 20}, "left_knee", RIGHT),
        ("right_hip", "y", 15, {"hip_rotation_r": 15}, "right_foot", tuple(-c for c in RIGHT)),
        ("left_hip", "y", -15, {"hip_rotation_l": 15}, "left_foot", RIGHT),
        ("right_knee", "x", 70, {"knee_flexion_r": 70}, "right_ankle", tuple(-c for c in FORWARD)),
        ("left_knee", "x", 70, {"knee_flexion_l": 70}, "left_ankle", tuple(-c for c in FORWARD)),
        ("right_ankle", "x", -10, {"ankle_dorsiflexion_r": 10}, "right_foot", UP),
        ("left_ankle", "x", 25, {"ankle_dorsiflexion_l": -25}, "left_foot", tuple(-c for c in UP)),
        ("right_ankle", "y", 12, {"ankle_rotation_r": 12}, "right_foot", tuple(-c for c in RIGHT)),
        ("right_shoulder", "z", 60, {"shoulder_elevation_r": -30}, "right_elbow", tuple(-c for c in UP)),
        ("left_shoulder", "z", -60, {"shoulder_elevation_l": -30}, "left_elbow", tuple(-c for c in UP)),
        ("right_shoulder", "y", 80, {"shoulder_plane_r": 80}, "right_elbow", FORWARD),
        ("left_shoulder", "y", -80, {"shoulder_plane_l": 80}, "left_elbow", FORWARD),
        ("right_elbow", "y", 70, {"elbow_flexion_r": 70}, "right_wrist", FORWARD),
        ("left_elbow", "y", -70, {"elbow_flexion_l": 70}, "left_wrist", FORWARD),
        ("right_wrist", "z", 30, {"wrist_flexion_r": 30}, "right_hand", tuple(-c for c in UP)),
        ("left_wrist", "z", -30, {"wrist_flexion_l": 30}, "left_hand", tuple(-c for c in UP)),
        ("right_wrist", "y", -15, {"wrist_deviation_r": 15}, "right_hand", tuple(-c for c in FORWARD)),
        ("left_wrist", "y", 15, {"wrist_deviation_l": 15}, "left_hand", tuple(-c for c in FORWARD)),
    ],
)
def test_a_known_turn(
    session: Session,
    turned: str,
    axis: str,
    degrees: float,
    changed: dict[str, float],
    seen: str,
    towards: tuple[int, int, int],
) -> None:
    pose = posed(session, **{turned: (axis, degrees)})
    expected = [(T_POSE | changed).get(name, 0.0) for name in ANGLE_NAMES]
    np.testing.assert_allclose(angles(pose)[0], expected, atol=TOLERANCE_DEG)
    moved = joint(pose, seen) - joint(posed(session), seen)
    assert moved @ towards > 0.01


@pytest.mark.parametrize("side", ["left", "right"])
def test_turns_about_the_axis_of_a_limb(session: Session, side: str) -> None:
    """An upper arm that turns inwards takes a bent forearm down; a thumb that turns up supinates. Soles turn inwards.

    The axis of both arms in the T-pose is x.
    """
    inwards = angles(posed(session, **{f"{side}_shoulder": ("x", 25)}))[0]
    assert inwards[ANGLE_NAMES.index(f"shoulder_rotation_{side[0]}")] == pytest.approx(25, abs=TOLERANCE_DEG)
    bend = ("y", 90 if side == "right" else -90)
    bent = {f"{side}_elbow": bend}
    down = joint(posed(session, **bent, **{f"{side}_shoulder": ("x", 25)}), f"{side}_wrist")
    assert down[1] < joint(posed(session, **bent), f"{side}_wrist")[1] - 0.05
    supine = angles(posed(session, **{f"{side}_elbow": ("x", -90)}))[0]
    assert supine[ANGLE_NAMES.index(f"elbow_pronation_{side[0]}")] == pytest.approx(0, abs=TOLERANCE_DEG)
    sole = -10 if side == "right" else 10  # lifts the inner edge of the foot
    inverted = angles(posed(session, **{f"{side}_ankle": ("z", -sole)}))[0]
    assert inverted[ANGLE_NAMES.index(f"ankle_inversion_{side[0]}")] == pytest.approx(10, abs=TOLERANCE_DEG)


def test_angles_go_on_past_a_half_turn_and_elevation_stays_negative(session: Session) -> None:
    """A body that turns once and a half about itself, while an arm is swung through hanging to the other side."""
    turn, swing = np.linspace(0, 540, FRAMES), np.linspace(20, -20.5, FRAMES)
    poses = np.zeros_like(session.poses)
    poses[:, :3] = Rotation.from_euler("y", turn[:, None], degrees=True).as_rotvec()
    arm = 3 * SMPLH.index("right_shoulder")
    poses[:, arm : arm + 3] = Rotation.from_euler("z", 90 - swing[:, None], degrees=True).as_rotvec()
    rows = angles(replace(session, poses=poses))
    np.testing.assert_allclose(rows[:, ANGLE_NAMES.index("pelvis_rotation")], turn, atol=TOLERANCE_DEG)
    elevation = rows[:, ANGLE_NAMES.index("shoulder_elevation_r")]
    np.testing.assert_allclose(elevation, -np.abs(swing), atol=TOLERANCE_DEG)
    plane = rows[:, ANGLE_NAMES.index("shoulder_plane_r")]
    np.testing.assert_allclose(np.cos(np.radians(plane)), np.sign(swing), atol=1e-6)


def test_a_hanging_arm_has_no_noise_of_the_lock(session: Session) -> None:
    """Elevation 0 leaves only the sum of the other two defined: rotation keeps its value, the plane takes the rest."""
    hanging = posed(session, right_shoulder=("z", 90))
    rows = angles(hanging)[:, [ANGLE_NAMES.index(f"shoulder_{name}_r") for name in ("plane", "elevation", "rotation")]]
    assert np.abs(rows[:, 1]).max() < TOLERANCE_DEG
    np.testing.assert_allclose(np.sin(np.radians(rows[:, 0] + rows[:, 2])), 0, atol=1e-5)
    assert np.ptp(rows, axis=0).max() < TOLERANCE_DEG


def test_blocks_of_frames_join_without_a_leap(path: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = angles(session)
    monkeypatch.setattr("realtime.outputs.recording.session._BLOCK", 7)
    pieces = list(joint_angles_deg(session))
    assert len(pieces) > 1
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-9)


def test_a_body_that_has_turned_twice_does_not_leap_where_blocks_join(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = np.linspace(0, 900, FRAMES)
    poses = np.zeros_like(session.poses)
    poses[:, :3] = Rotation.from_euler("y", turn[:, None], degrees=True).as_rotvec()
    monkeypatch.setattr("realtime.outputs.recording.session._BLOCK", 7)
    rotation = angles(replace(session, poses=poses))[:, ANGLE_NAMES.index("pelvis_rotation")]
    np.testing.assert_allclose(rotation, turn, atol=TOLERANCE_DEG)


def test_fingers_leave_the_angles_alone(tmp_path: Path) -> None:
    hands = load_session(record_hands(tmp_path / "hands.npz", "open-hands"))
    without = hands.poses.copy()
    without[:, 3 * 22 :] = 0.0
    np.testing.assert_array_equal(angles(hands), angles(replace(hands, poses=without)))
