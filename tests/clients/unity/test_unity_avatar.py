"""Avatars that the package, run by Mono, moves by our WebSocket stream: their bones and blend shapes are ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.expressions import BLENDSHAPES
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import JOINT_NAMES, PARENTS, SMPLH
from realtime.kernel.full_pose import full_rotmats, gaze_rotmat
from realtime.kernel.messages import Person
from tests.clients.unity.avatars import (
    BONES,
    EYE_BONES,
    FINGER_BONES,
    axes_at_rest,
    in_the_scene,
    parent_of,
    read_bones,
    write_avatar,
)
from tests.clients.unity.sender import Sender
from tests.realtime.outputs.fingers_and_faces import FINGERED_BODY, handed_at
from tests.realtime.outputs.streams.synthetic_stream import BETAS, BODY, person_at, solved_at

RATE_HZ = 30.0
SHAPES = {"EyeBlink_L": "eyeBlinkLeft", "blendShape1.jawOpen": "jawOpen", "mouthsmileright": "mouthSmileRight"}


@pytest.fixture
def play(sender: Sender, csharp: Any, actor_writer: Path, tmp_path: Path) -> Any:
    """Lets an avatar follow people and reads its bones and blend shapes."""

    def play(avatar: Path, *people: Person) -> dict[str, NDArray]:
        listener = csharp.start(actor_writer, sender.address, avatar, tmp_path / "bones.txt")
        sender.repeat_skeleton_until(listener, "ready")
        sender.stream.send(sender.wire.pose(solved_at(1.0, 0, people), fps=RATE_HZ))
        sender.stream.send(sender.wire.skeleton())  # of the shape of the person who is there now
        sender.stream.send(sender.wire.pose(solved_at(1.1, 1, people), fps=RATE_HZ))
        sender.end(listener)
        return read_bones(tmp_path / "bones.txt")

    return play


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_an_avatar_of_our_proportions_stands_as_we_do(play: Any, tmp_path: Path, scale: float) -> None:
    person = person_at(2.0)
    write_avatar(tmp_path / "avatar.txt", BODY.rest_joints(BETAS[None])[0], scale=scale)
    bones = play(tmp_path / "avatar.txt", person)
    expected = in_the_scene(person.pose.joints[:22].astype(float), scale)
    error_mm = [1e3 * np.linalg.norm(bones[f"bone_{name}"][:3] - at) for name, at in zip(BONES, expected, strict=True)]
    assert max(error_mm) < 1.0, dict(zip(BONES, np.round(error_mm, 2), strict=True))


def test_limbs_of_an_avatar_with_fewer_bones_point_as_ours(play: Any, tmp_path: Path) -> None:
    person = person_at(2.0)
    without = ("spine3", "neck", "left_collar", "right_collar", "left_foot", "right_foot")
    rng = np.random.default_rng(8)
    rest = BODY.rest_joints(BETAS[None])[0] + rng.normal(scale=0.05, size=(24, 3))  # another build, another rest pose
    write_avatar(tmp_path / "avatar.txt", rest, without=without)
    bones = play(tmp_path / "avatar.txt", person)
    joints = in_the_scene(person.pose.joints.astype(float), 1.0)
    for start in (1, 2, 4, 5, 16, 17, 18, 19):
        end = list(PARENTS).index(start)
        shown = bones[f"bone_{JOINT_NAMES[end]}"][:3] - bones[f"bone_{JOINT_NAMES[start]}"][:3]
        captured = joints[end] - joints[start]
        cosine = shown @ captured / np.linalg.norm(shown) / np.linalg.norm(captured)
        assert cosine > 0.99999, JOINT_NAMES[start]


def test_an_avatar_that_cannot_be_driven_is_refused_in_words(play: Any, tmp_path: Path) -> None:
    write_avatar(tmp_path / "avatar.txt", BODY.rest_joints(BETAS[None])[0], without=("left_knee",))
    with pytest.raises(AssertionError, match="root shows no LeftLowerLeg bone; turn off Optimize Game Objects"):
        play(tmp_path / "avatar.txt", person_at(2.0))


def posed(person: Person) -> tuple[NDArray, NDArray]:
    """Turns (52, 3, 3) and places (52, 3) of the person with fingers, in our world."""
    rotmats = full_rotmats(SMPLH, person.pose.rotations, person.hands, None)[None]
    turns, joints = forward_kinematics(rotmats, FINGERED_BODY.rest_joints(BETAS[None]), SMPLH)
    return turns[0].astype(float), joints[0].astype(float) + person.pose.trans


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_fingers_of_an_avatar_of_our_proportions_are_ours(play: Any, tmp_path: Path, scale: float) -> None:
    person = handed_at(2.0)
    write_avatar(tmp_path / "avatar.txt", FINGERED_BODY.rest_joints(BETAS[None])[0], scale=scale)
    bones = play(tmp_path / "avatar.txt", person)
    expected = dict(zip(SMPLH.names, in_the_scene(posed(person)[1], scale), strict=True))
    error_mm = {name: 1e3 * np.linalg.norm(bones[f"bone_{name}"][:3] - expected[name]) for name in FINGER_BONES}
    assert max(error_mm.values()) < 1.0, error_mm


def test_fingers_of_another_build_point_as_ours(play: Any, tmp_path: Path) -> None:
    person = handed_at(2.0)
    rest = FINGERED_BODY.rest_joints(BETAS[None])[0]
    rest = rest + np.random.default_rng(8).normal(scale=0.008, size=rest.shape)  # other fingers, another rest pose
    write_avatar(tmp_path / "avatar.txt", rest)
    bones = play(tmp_path / "avatar.txt", person)
    joints = dict(zip(SMPLH.names, in_the_scene(posed(person)[1], 1.0), strict=True))
    for tip in [name for name in FINGER_BONES if not name.endswith("1")]:
        above = parent_of(tip)
        shown = bones[f"bone_{tip}"][:3] - bones[f"bone_{above}"][:3]
        captured = joints[tip] - joints[above]
        assert shown @ captured / np.linalg.norm(shown) / np.linalg.norm(captured) > 0.99999, tip


def test_eyes_and_blend_shapes_show_the_face(play: Any, tmp_path: Path) -> None:
    person = handed_at(2.0)
    assert person.face is not None
    others = ("Basis", "smirk")
    write_avatar(tmp_path / "avatar.txt", FINGERED_BODY.rest_joints(BETAS[None])[0], shapes=(*SHAPES, *others))
    bones = play(tmp_path / "avatar.txt", person)
    for name, expression in SHAPES.items():
        assert bones[name] == pytest.approx(100 * person.face.blendshapes[BLENDSHAPES.index(expression)], abs=0.06)
    assert [bones[name] for name in others] == [0, 0]
    turns, _ = posed(person)
    ahead = turns[SMPLH.names.index("head")] @ gaze_rotmat(person.face.gaze_rad)[:, 2]
    expected = in_the_scene(ahead, 1.0) - in_the_scene(np.zeros(3), 1.0)
    for eye in EYE_BONES:
        front = axes_at_rest(with_fingers=True)[eye].inv().apply([0, 0, 1])  # where a bone with such axes looks
        assert Rotation.from_quat(bones[f"bone_{eye}"][3:]).apply(front) @ expected > 0.99999, eye


def test_an_avatar_keeps_fingers_and_face_where_none_are_sent(play: Any, tmp_path: Path) -> None:
    write_avatar(tmp_path / "avatar.txt", FINGERED_BODY.rest_joints(BETAS[None])[0], shapes=tuple(SHAPES))
    bare = replace(handed_at(2.0), hands={}, face=None)
    bones = play(tmp_path / "avatar.txt", bare)
    assert [bones[name] for name in SHAPES] == [0, 0, 0]
    axes = axes_at_rest(with_fingers=True)
    twice = Rotation.from_quat([0.5, -0.5, 0.5, 0.5]) ** 2  # as ActorWriter leaves them, in place of an Animator
    for finger in ("left_index1", "right_thumb1"):
        hand = parent_of(finger)
        assert hand is not None
        expected = axes[hand].inv() * axes[finger] * twice
        hand_turn, turn = (Rotation.from_quat(bones[f"bone_{name}"][3:]) for name in (hand, finger))
        assert (hand_turn.inv() * turn * expected.inv()).magnitude() < 1e-4, finger
