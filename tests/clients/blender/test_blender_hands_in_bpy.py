"""Fingers, eyes and shape keys in real Blender, from the program's own publisher; see `test_blender_in_bpy`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from clients.blender import build
from clients.blender.joints import BLENDSHAPES, FINGER_NAMES, JOINT_NAMES
from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import SIDES, SMPLH
from engine.cache import cache_folder
from realtime.kernel.messages import Person
from tests.clients.blender.blender_performance import Publisher, finger_bones, with_hands

PYTHONS = [python for python in os.environ.get("TOKENMOCAP_BPY_PYTHON", "").split(os.pathsep) if python]
SECONDS = float(os.environ.get("TOKENMOCAP_BPY_SECONDS", "3"))
Z_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
SHOWN = ("eyeBlinkLeft", "jawOpen", "mouthSmileRight")  # by the keys of hands_in_blender.py
pytestmark = pytest.mark.skipif(not PYTHONS, reason="TOKENMOCAP_BPY_PYTHON names no Python that has bpy")


class Session:
    """What Blender wrote down, beside what was sent to it once hands were there."""

    def __init__(self, seen: dict[str, NDArray], publisher: Publisher) -> None:
        self.seen = seen
        sent = [(t, solved.people[0]) for t, solved in publisher.sent if solved.people[0].face is not None]
        self.t = np.array([t for t, _ in sent])
        self.people = [person for _, person in sent]
        first = self.people[0]
        body = publisher.body.rest_joints(first.betas[None])[0][:22]
        self.rest = first.scale * np.concatenate([body, finger_bones().rest_joints(first.betas)])

    def posed_at(self, times: NDArray) -> tuple[NDArray, NDArray]:
        """Turns (N, 52, 3, 3) and places (N, 52, 3) in our axes, by SciPy's slerp and our own kinematics."""
        rest = np.repeat(self.rest[None], len(times), axis=0)
        world, joints = forward_kinematics(self.local_at(times), rest, SMPLH)
        return world, joints + self.trans_at(times)[:, None]

    def local_at(self, times: NDArray) -> NDArray:
        """Local turns (N, 52, 3, 3)."""
        rotations = np.swapaxes([_all_rotations(person) for person in self.people], 0, 1)
        local = [Slerp(self.t, Rotation.from_quat(q))(times).as_matrix() for q in rotations]
        return np.stack(local, axis=1).astype(np.float32)

    def trans_at(self, times: NDArray) -> NDArray:
        trans = np.array([person.pose.trans for person in self.people])
        return np.stack([np.interp(times, self.t, trans[:, axis]) for axis in range(3)], axis=-1)

    def gaze_at(self, times: NDArray) -> NDArray:
        """Yaw and pitch (N, 2)."""
        gaze = np.array([person.face.gaze_rad for person in self.people if person.face is not None])
        return np.stack([np.interp(times, self.t, gaze[:, axis]) for axis in (0, 1)], axis=-1)

    def expressions_at(self, times: NDArray, names: Sequence[str] = SHOWN) -> NDArray:
        """(N, names)."""
        faces = np.array([person.face.blendshapes for person in self.people if person.face is not None])
        return np.stack([np.interp(times, self.t, faces[:, BLENDSHAPES.index(name)]) for name in names], axis=-1)


def _all_rotations(person: Person) -> NDArray:
    return np.concatenate([person.pose.rotations[:22], *(person.hands[side].rotations for side in SIDES)])


@pytest.fixture(scope="module", params=PYTHONS, ids=lambda python: Path(python).parents[1].name)
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("blender_hands")
    wheels = cache_folder() / "blender-wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    build.fetch_wheels(wheels)
    build.build(folder / "extension.zip", wheels)
    with Publisher(with_hands((folder / "hands").exists)) as publisher:
        script, out = Path(__file__).with_name("hands_in_blender.py"), folder / "seen.npz"
        arguments = [script, folder / "extension.zip", publisher.address, out, SECONDS, folder / "hands"]
        done = subprocess.run(
            [request.param, *map(str, arguments)],
            env=os.environ | {"BLENDER_USER_RESOURCES": str(folder)},
            capture_output=True,
            text=True,
            timeout=240 + 10 * SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with np.load(out) as seen:
        return Session(dict(seen), publisher)


def test_hands_that_come_later_extend_the_armature(session: Session) -> None:
    before, after = session.seen["bones_before"].tolist(), session.seen["bones_after"].tolist()
    assert not set(before) & set(FINGER_NAMES)
    assert session.seen["bones_while_hidden"].tolist() == before
    assert set(after) == {*before, *FINGER_NAMES}
    assert session.seen["rest_moved_m"] < 1e-7
    assert session.seen["active_after"] == "other"


def test_fingers_follow_within_two_millimetres(session: Session) -> None:
    world, joints = session.posed_at(session.seen["times"])
    error = np.linalg.norm(session.seen["joints"] - joints[:, 22:] @ Z_UP.T, axis=-1)
    tips = joints[:, 22:] + np.einsum("njab,jb->nja", world[:, 22:], session.seen["rest_tails"] @ Z_UP)
    tip_error = np.linalg.norm(session.seen["ends"] - tips @ Z_UP.T, axis=-1)
    print(f"\n{len(error)} views, fingers {1e3 * error.max():.3f} mm, tips {1e3 * tip_error.max():.3f} mm at most")  # noqa: T201
    assert len(np.unique(session.seen["times"])) > 10 * SECONDS
    assert error.max() < 0.002
    assert tip_error.max() < 0.002


def test_shape_keys_take_the_expressions(session: Session) -> None:
    faces = session.seen["faces"]
    assert np.abs(faces[:, 1:4] - session.expressions_at(session.seen["times"])).max() < 2e-3
    assert np.ptp(faces[:, 1:4], axis=0).min() > 0.3
    np.testing.assert_allclose(faces[:, 4], 0.3, atol=1e-6)  # a key that is no expression


def test_a_take_plays_fingers_and_expressions(session: Session) -> None:
    times = session.seen["take_t0"] + (session.seen["frames"] - 1) / 30
    _, joints = session.posed_at(times)
    assert np.linalg.norm(session.seen["playback"] - joints[:, 22:] @ Z_UP.T, axis=-1).max() < 0.002
    assert np.abs(session.seen["played_faces"][:, 1:4] - session.expressions_at(times)).max() < 2e-3


def test_fingers_and_face_stay_where_nobody_sends_or_wants_them(session: Session) -> None:
    """Largest changes of fingers, shape keys, and the wrist in metres."""
    fingers, face, wrist = session.seen["moved"]
    assert min(fingers, face, wrist) > 0.02
    for which in ("moved_without_hands", "moved_when_off"):
        fingers, face, wrist = session.seen[which]
        assert (fingers, face) == (0, 0), which
        assert wrist > 0.02


def test_fingers_stay_on_their_wrists(session: Session) -> None:
    before, larger, after = (session.seen[f"fit_{when}"] for when in ("before", "larger", "after"))
    wrists = np.repeat([20, 21], 15)
    assert np.abs(larger[:24] - 1.2 * before[:24]).max() < 1e-5
    np.testing.assert_allclose(larger[24:] - larger[wrists], before[24:] - before[wrists], atol=1e-6)
    np.testing.assert_allclose(after, before, atol=1e-5)
    np.testing.assert_allclose(after[24:], session.rest[22:] @ Z_UP.T, atol=2e-3)  # grown at the wrists of that time


def test_a_body_with_fingers_and_expressions_is_skinned_as_ours(session: Session) -> None:
    times, body, person = session.seen["dressed_times"], load_body("open-hands"), session.people[0]
    assert set(session.seen["dressed_bones"]) == {*JOINT_NAMES, *FINGER_NAMES, "left_eye", "right_eye"}
    local, trans, gaze = session.local_at(times), session.trans_at(times), session.gaze_at(times)
    expressions, moved = session.expressions_at(times, body.expression_names), body.expression_dirs
    assert moved is not None
    for k, skin in enumerate(session.seen["skins"]):
        eye = Rotation.from_euler("YX", [gaze[k, 0], -gaze[k, 1]]).as_matrix()
        rotmats = np.concatenate([local[k, :22], [np.eye(3), eye, eye], local[k, 22:]]).astype(np.float32)
        face = replace(body, v_template=body.v_template + (moved @ expressions[k]).astype(np.float32))
        ours = (person.scale * face.vertices(rotmats[None], person.betas[None])[0] + trans[k]) @ Z_UP.T
        assert np.linalg.norm(skin - ours, axis=-1).max() < 0.002
    assert np.abs(moved @ expressions[0]).max() > 0.005


@pytest.mark.parametrize("rig", ["mixamo", "metarig", "rigify"])
def test_fingers_of_other_armatures_point_the_same_way(session: Session, rig: str) -> None:
    names = session.seen[f"{rig}_joints"].tolist()
    heads = session.seen[f"{rig}_heads"]
    _, joints = session.posed_at(session.seen[f"{rig}_times"])
    ours = joints @ Z_UP.T
    for name in FINGER_NAMES:
        if name.endswith("1"):
            continue
        above = f"{name[:-1]}{int(name[-1]) - 1}"
        theirs = heads[:, names.index(name)] - heads[:, names.index(above)]
        wanted = ours[:, SMPLH.names.index(name)] - ours[:, SMPLH.names.index(above)]
        cosine = (theirs * wanted).sum(-1) / np.linalg.norm(theirs, axis=-1) / np.linalg.norm(wanted, axis=-1)
        assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 1.0, name


@pytest.mark.parametrize("rig", ["mixamo", "metarig"])
def test_eyes_of_other_armatures_look_the_same_way(session: Session, rig: str) -> None:
    times = session.seen[f"{rig}_times"]
    world, _ = session.posed_at(times)
    yaw, pitch = session.gaze_at(times).T
    ahead = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=-1)
    ours = np.einsum("nab,nb->na", world[:, SMPLH.names.index("head")], ahead) @ Z_UP.T
    rest, eyes = session.seen[f"{rig}_eye_rest"], session.seen[f"{rig}_eyes"]
    front = np.array([0.0, -1.0, 0.0])  # where an armature looks in Blender
    theirs = np.einsum("nab,b->na", eyes[:, 0], rest[0].T @ front)
    assert np.degrees(np.arccos((ours * theirs).sum(-1).clip(-1, 1))).max() < 1.0
