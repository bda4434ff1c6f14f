"""The extension's quaternions and frames against SciPy, and its rigs against forward kinematics by matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from clients.blender import pose_math
from clients.blender.joints import JOINT_NAMES, PARENTS
from clients.blender.rigs.rig import RestBone, RigError, mapped_rig, smpl_rig
from engine.body.kinematics import forward_kinematics
from tests.clients.blender.blender_performance import open_body, rotations_at, trans_at

numbers = st.floats(-1, 1)
quaternions = (
    st.tuples(numbers, numbers, numbers, numbers)
    .filter(lambda q: np.linalg.norm(q) > 0.1)
    .map(lambda q: np.array(q) / np.linalg.norm(q))
)
points = st.tuples(numbers, numbers, numbers).map(np.array)


@given(quaternions, quaternions, points)
def test_products_and_rotations_are_scipys(a: np.ndarray, b: np.ndarray, p: np.ndarray) -> None:
    ours, theirs = pose_math.multiply(a, b), Rotation.from_quat(a) * Rotation.from_quat(b)
    assert np.allclose(Rotation.from_quat(ours).as_matrix(), theirs.as_matrix(), atol=1e-12)
    assert np.allclose(pose_math.rotate(a, p), Rotation.from_quat(a).apply(p), atol=1e-12)
    assert np.allclose(pose_math.multiply(a, pose_math.inverse(a)), pose_math.IDENTITY, atol=1e-12)


@given(quaternions)
def test_matrices_there_and_back(q: np.ndarray) -> None:
    back = pose_math.from_matrix(Rotation.from_quat(q).as_matrix())
    assert abs(back @ q) == pytest.approx(1, abs=1e-9)


@given(quaternions, quaternions, st.floats(0, 1))
def test_slerp_is_scipys(a: np.ndarray, b: np.ndarray, t: float) -> None:
    if abs(a @ b) < 1e-3:  # half a turn apart: both ways are as short
        return
    theirs = Slerp([0, 1], Rotation.from_quat([a, b]))(t)
    assert (Rotation.from_quat(pose_math.slerp(a, b, t)) * theirs.inv()).magnitude() < 1e-6


@given(points.filter(lambda p: np.linalg.norm(p) > 0.1), points.filter(lambda p: np.linalg.norm(p) > 0.1))
def test_shortest_arc_takes_one_direction_to_the_other(a: np.ndarray, b: np.ndarray) -> None:
    turned = pose_math.rotate(pose_math.shortest_arc(a, b), a / np.linalg.norm(a))
    assert np.allclose(turned, b / np.linalg.norm(b), atol=2e-3)


def test_shortest_arc_of_opposites_is_half_a_turn() -> None:
    assert np.allclose(pose_math.rotate(pose_math.shortest_arc(np.eye(3)[0], -np.eye(3)[0]), np.eye(3)[0]), [-1, 0, 0])


def test_axes_are_blenders() -> None:
    """Up is Z, a face looks along -Y, the left hand is at +X; nothing is mirrored."""
    up, forward, left = np.eye(3)[[1, 2, 0]]
    assert pose_math.to_blender_axes(up).tolist() == [0, 0, 1]
    assert pose_math.to_blender_axes(forward).tolist() == [0, -1, 0]
    assert pose_math.to_blender_axes(left).tolist() == [1, 0, 0]
    assert np.linalg.det(pose_math.ROTATION_BLENDER_STREAM) == pytest.approx(1)


def test_signs_are_made_continuous_without_turning_anything() -> None:
    rng = np.random.default_rng(5)
    smooth = np.stack([rotations_at(t).astype(np.float64) for t in np.arange(0, 12, 0.03)])
    flipped = smooth * rng.choice([-1.0, 1.0], smooth.shape[:2])[..., None]
    repaired = pose_math.continuous(flipped, before=smooth[0])
    assert np.sum(repaired[1:] * repaired[:-1], axis=-1).min() > 0
    assert np.array_equal(repaired, smooth)


def bones_of(rest: np.ndarray, seed: int = 1) -> dict[str, RestBone]:
    """An armature in Blender's axes whose bones lie any way at all."""
    turns = Rotation.random(24, random_state=seed).as_quat()
    heads = rest @ pose_math.ROTATION_BLENDER_STREAM.T
    return {
        name: RestBone(JOINT_NAMES[PARENTS[j]] if PARENTS[j] >= 0 else None, heads[j], turns[j])
        for j, name in enumerate(JOINT_NAMES)
    }


def posed_heads(bones: dict[str, RestBone], names: list[str], channels: np.ndarray, location: np.ndarray) -> np.ndarray:
    """Blender's own rule, with 4x4 matrices: pose = parent pose x (parent rest)^-1 x rest x channel."""

    def matrix(rotation: Rotation, at: np.ndarray) -> np.ndarray:
        m = np.eye(4)
        m[:3, :3], m[:3, 3] = rotation.as_matrix(), at
        return m

    rest = {name: matrix(Rotation.from_quat(bone.rotation), bone.head) for name, bone in bones.items()}
    posed: dict[str, np.ndarray] = {}
    for name, bone in bones.items():  # parents first
        channel = np.eye(4)
        if name in names:
            k = names.index(name)
            channel = matrix(Rotation.from_quat(np.roll(channels[k], -1)), location if k == 0 else np.zeros(3))
        above = np.eye(4) if bone.carrier is None else posed[bone.carrier] @ np.linalg.inv(rest[bone.carrier])
        posed[name] = above @ rest[name] @ channel
    return np.array([posed[name][:3, 3] for name in bones])


def test_our_armature_lands_on_the_joints() -> None:
    body = open_body()
    rest = body.joints_template.astype(np.float64)
    bones = bones_of(rest)
    rotations, trans = rotations_at(1.3).astype(np.float64), trans_at(1.3).astype(np.float64)
    channels, location = smpl_rig(bones).channels(rotations[None], trans[None])
    rotmats = Rotation.from_quat(rotations).as_matrix().astype(np.float32)
    joints = forward_kinematics(rotmats[None], body.joints_template[None])[1][0] + trans
    posed = posed_heads(bones, list(JOINT_NAMES), channels[0], location[0])
    assert np.abs(posed - joints @ pose_math.ROTATION_BLENDER_STREAM.T).max() < 1e-5


def test_a_mapped_copy_of_our_armature_does_the_same() -> None:
    """Axes and size found from the rest pose: here Z down the room, in centimetres, turned by a quarter."""
    rest = open_body().joints_template.astype(np.float64)
    turn = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    ours = bones_of(rest)
    theirs = {
        name: RestBone(bone.carrier, 100 * turn @ bone.head, bone.rotation) for name, bone in bones_of(rest, 2).items()
    }
    rig = mapped_rig(theirs, {name: [name] for name in JOINT_NAMES}, rest)
    assert rig.scale == pytest.approx(100)
    rotations, trans = rotations_at(2.1).astype(np.float64)[None], trans_at(2.1).astype(np.float64)[None]
    names = list(JOINT_NAMES)
    a = posed_heads(ours, names, *(channel[0] for channel in smpl_rig(ours).channels(rotations, trans)))
    b = posed_heads(theirs, names, *(channel[0] for channel in rig.channels(rotations, trans)))
    assert np.abs(100 * a @ turn.T - b).max() < 1e-6


def test_an_a_pose_is_brought_into_the_performers_pose() -> None:
    """Arms that hang at rest point where the performer's do, hands included."""
    rest = open_body().joints_template.astype(np.float64)
    hanging = rest.copy()
    for shoulder, below, angle in ((16, (18, 20, 22), -50), (17, (19, 21, 23), 50)):
        down = Rotation.from_euler("z", angle, degrees=True)
        for joint in below:
            hanging[joint] = rest[shoulder] + down.apply(rest[joint] - rest[shoulder])
    bones = bones_of(hanging)
    rig = mapped_rig(bones, {name: [name] for name in JOINT_NAMES}, rest)
    t_pose = np.tile(pose_math.IDENTITY, (1, 24, 1))
    channels, location = rig.channels(t_pose, rest[:1])
    posed = posed_heads(bones, list(JOINT_NAMES), channels[0], location[0])
    assert np.abs(posed - rest @ pose_math.ROTATION_BLENDER_STREAM.T).max() < 1e-6


def test_what_cannot_be_driven_is_said_in_one_line() -> None:
    rest = open_body().joints_template.astype(np.float64)
    bones = bones_of(rest)
    everything = {name: [name] for name in JOINT_NAMES}
    with pytest.raises(RigError, match="lost the bones left_hip, head: create it again"):
        smpl_rig({name: bone for name, bone in bones.items() if name not in ("left_hip", "head")})
    with pytest.raises(RigError, match="no bones tail"):
        mapped_rig(bones, everything | {"neck": ["tail"]}, rest)
    with pytest.raises(RigError, match="names no bone for left_ankle, neck"):
        mapped_rig(bones, {name: [name] for name in JOINT_NAMES if name not in ("neck", "left_ankle")}, rest)
    flat = {name: RestBone(bone.carrier, np.zeros(3), bone.rotation) for name, bone in bones.items()}
    with pytest.raises(RigError, match="no height"):
        mapped_rig(flat, everything, rest)
