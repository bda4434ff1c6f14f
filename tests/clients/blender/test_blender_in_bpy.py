"""The extension in real Blender, as a module of Python, against the program's own publisher.

TOKENMOCAP_BPY_PYTHON names Pythons that have bpy (several separated as in PATH); TOKENMOCAP_BPY_SECONDS how long to
follow, TOKENMOCAP_BPY_SESSION a session file to send instead of a made-up performance, TOKENMOCAP_BPY_PICTURE a folder
for pictures.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from clients.blender import build
from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import JOINT_NAMES, PARENTS
from engine.cache import cache_folder
from tests.clients.blender.blender_performance import Publisher, made_up, recorded

PYTHONS = [python for python in os.environ.get("TOKENMOCAP_BPY_PYTHON", "").split(os.pathsep) if python]
SECONDS = float(os.environ.get("TOKENMOCAP_BPY_SECONDS", "4"))
Z_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
pytestmark = pytest.mark.skipif(not PYTHONS, reason="TOKENMOCAP_BPY_PYTHON names no Python that has bpy")


class Session:
    """What Blender wrote down, beside what was sent to it."""

    def __init__(self, seen: dict[str, NDArray], publisher: Publisher) -> None:
        self.seen = seen
        self.t = np.array([t_capture for t_capture, _ in publisher.sent])
        first = publisher.sent[0][1].people[0]
        self.body, self.betas, self.scale = publisher.body, first.betas, first.scale
        poses = [solved.people[0].pose for _, solved in publisher.sent]
        self.rotations = np.stack([pose.rotations for pose in poses]).astype(np.float64)
        self.trans = np.stack([pose.trans for pose in poses])

    def joints_at(self, times: NDArray) -> NDArray:
        """(N, 24, 3) in Blender's axes, by SciPy's slerp between what was sent and our own kinematics."""
        rotmats = np.stack([Slerp(self.t, Rotation.from_quat(q))(times).as_matrix() for q in self._by_joint()], axis=1)
        trans = np.stack([np.interp(times, self.t, self.trans[:, axis]) for axis in range(3)], axis=-1)
        rest = np.repeat(self.scale * self.body.rest_joints(self.betas[None]), len(times), axis=0)
        joints = forward_kinematics(rotmats.astype(np.float32), rest)[1] + trans[:, None]
        return joints @ Z_UP.T

    def _by_joint(self) -> NDArray:
        return np.swapaxes(self.rotations, 0, 1)


@pytest.fixture(scope="module", params=PYTHONS, ids=lambda python: Path(python).parents[1].name)
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("blender")
    wheels = cache_folder() / "blender-wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    build.fetch_wheels(wheels)
    build.build(folder / "extension.zip", wheels)
    arguments = [str(folder / "extension.zip"), "", str(folder / "seen.npz"), str(SECONDS)]
    file = os.environ.get("TOKENMOCAP_BPY_SESSION")
    with Publisher(recorded(Path(file)) if file else made_up(1)) as publisher:
        arguments[1] = publisher.address
        if pictures := os.environ.get("TOKENMOCAP_BPY_PICTURE"):
            arguments.append(str(Path(pictures) / f"{Path(request.param).parents[1].name}.png"))
        done = subprocess.run(
            [request.param, str(Path(__file__).with_name("in_blender.py")), *arguments],
            env=os.environ | {"BLENDER_USER_RESOURCES": str(folder)},
            capture_output=True,
            text=True,
            timeout=240 + 10 * SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with np.load(folder / "seen.npz") as seen:
        return Session(dict(seen), publisher)


def test_joints_follow_within_two_millimetres(session: Session) -> None:
    error = np.linalg.norm(session.seen["joints"] - session.joints_at(session.seen["times"]), axis=-1)
    figures = f"mean {1000 * error.mean():.3f} mm, max {1000 * error.max():.3f} mm"
    print(f"\nBlender {session.seen['version']}: {len(error)} views in {SECONDS:.0f} s, joint error {figures}")  # noqa: T201
    assert len(error) > 10 * SECONDS
    assert len(np.unique(session.seen["times"])) > 10 * SECONDS
    assert error.max() < 0.002


def test_mesh_is_skinned_as_ours(session: Session) -> None:
    times = session.seen["skin_times"]
    rotations = [Slerp(session.t, Rotation.from_quat(q))(times).as_matrix() for q in session._by_joint()]
    for k, skin in enumerate(session.seen["skins"]):
        trans = np.array([np.interp(times[k], session.t, session.trans[:, axis]) for axis in range(3)], np.float32)
        rotmats = np.stack([joint[k] for joint in rotations]).astype(np.float32)
        about_pelvis = session.body.vertices(rotmats[None], session.betas[None])[0]
        ours = (session.scale * about_pelvis + trans) @ Z_UP.T
        assert np.linalg.norm(skin - ours, axis=-1).max() < 0.002
    assert len(session.seen["skins"]) > 0


def test_action_holds_the_sent_frames(session: Session) -> None:
    frames = session.seen["key_location"][:, 0]
    times = session.seen["take_t0"] + (frames - 11) / 30
    index = np.abs(session.t[None] - times[:, None]).argmin(axis=1)
    assert np.abs(session.t[index] - times).max() < 1e-3
    assert np.array_equal(np.diff(index), np.ones(len(index) - 1))  # every sent frame, none twice
    assert len(index) > 20 * SECONDS
    sent = Rotation.from_quat(session.rotations[index].reshape(-1, 4)).as_matrix().reshape(-1, 24, 3, 3)
    basis = session.seen["rest"]
    expected = np.swapaxes(basis, -1, -2) @ Z_UP @ sent @ Z_UP.T @ basis
    keys = session.seen["key_rotations"][:, :, 1:]
    actual = Rotation.from_quat(np.roll(keys, -1, axis=-1).reshape(-1, 4)).as_matrix().reshape(24, -1, 3, 3)
    assert np.abs(np.swapaxes(actual, 0, 1) - expected).max() < 1e-4
    location = (session.trans[index] @ Z_UP.T - session.seen["rest_heads"][0]) @ basis[0]
    assert np.abs(session.seen["key_location"][:, 1:] - location).max() < 1e-4
    assert np.sum(keys[:, 1:] * keys[:, :-1], axis=-1).min() > 0  # no key on the other side of its neighbour


def test_playback_lands_on_the_joints(session: Session) -> None:
    times = session.seen["take_t0"] + (session.seen["playback_frames"] - 11) / 30
    error = np.linalg.norm(session.seen["playback"] - session.joints_at(times), axis=-1)
    assert error.max() < 0.002


def test_limbs_that_nobody_sees_are_left_alone_where_that_is_wanted(session: Session) -> None:
    assert (session.seen["unseen_followed"].reshape(2, 3).max(1) > 0.01).all()  # as long as nothing else is said
    right, left = np.split(session.seen["unseen_left"], 2)
    assert (right == 0).all()
    np.testing.assert_allclose(session.seen["unseen_posed"], 0.5)
    assert left.max() > 0.01


def test_goes_on_after_a_file_was_loaded(session: Session) -> None:
    assert session.seen["timer_after_load"]
    assert session.seen["moved_after_load_m"] > 0.05


def test_buttons_do_what_they_say(session: Session) -> None:
    assert session.seen["fit_error_m"] < 1e-5
    assert "nothing was recorded" in str(session.seen["nobody"])
    whole = session.seen["whole_frames"]
    assert len(whole) > 10
    assert np.array_equal(whole, np.rint(whole))
    assert np.array_equal(np.diff(whole), np.ones(len(whole) - 1))


def test_panels_show_what_can_be_done(session: Session) -> None:
    following, recording, unbound = (session.seen[f"drawn_{what}"].tolist() for what in ("follow", "record", "unbound"))
    assert any(line.startswith("Receiving from tcp://127.0.0.1") for line in following)
    assert {"Disconnect", "Live", "Anybody", "1", "Fit Proportions", "Stop Following", "Record"} <= set(following)
    assert any(line.endswith("poses kept") for line in recording)
    assert "Stop and Make Actions" in recording
    assert {"Bones", "Retarget to This Armature"} <= set(unbound)


@pytest.mark.parametrize("rig", ["mixamo", "metarig", "rigify"])
def test_limbs_of_other_armatures_point_the_same_way(session: Session, rig: str) -> None:
    names = session.seen[f"{rig}_joints"].tolist()
    ours = session.joints_at(session.seen[f"{rig}_times"])
    heads = session.seen[f"{rig}_heads"]
    limbs = ("knee", "ankle", "elbow", "wrist")
    for tip in [name for name in names if name.endswith(limbs)]:
        joint = JOINT_NAMES.index(tip)
        above = int(PARENTS[joint])
        theirs = heads[:, names.index(tip)] - heads[:, names.index(JOINT_NAMES[above])]
        wanted = ours[:, joint] - ours[:, above]
        cosine = (theirs * wanted).sum(-1) / np.linalg.norm(theirs, axis=-1) / np.linalg.norm(wanted, axis=-1)
        assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 1.0, tip


def test_mixamo_hips_keep_their_height(session: Session) -> None:
    """The performer's pelvis, scaled by the ratio of the legs, over the armature's own ground."""
    rest = session.scale * session.body.rest_joints(session.betas[None])[0]
    scale = 0.87 / (rest[0, 1] - rest[[7, 8], 1].mean())
    hips = session.seen["mixamo_heads"][:, session.seen["mixamo_joints"].tolist().index("pelvis")]
    assert np.abs(hips - scale * session.joints_at(session.seen["mixamo_times"])[:, 0]).max() < 0.003


def test_refusals_are_one_line(session: Session) -> None:
    missing = str(session.seen["missing_bones"])
    assert missing.startswith("'Mixamo' lacks 22 bones of the map 'Rigify metarig': spine, ")
    assert "upper_arm.L" in missing
    assert "\n" not in missing
    assert "write tcp://host:port" in str(session.seen["refuses_bad_address"])


def test_leaves_nothing_behind(session: Session) -> None:
    assert not session.seen["timer_after_disable"]
    assert str(session.seen["traces_after"]) == str(session.seen["traces_before"])
