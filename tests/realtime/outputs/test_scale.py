"""A person of another size than the body leaves the program at that size, whichever way out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.body.files import load_body
from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import SolvedFrame, WorldPose
from realtime.outputs.export.shape import standing_body
from realtime.outputs.export.smpl_shape import smpl_shape
from realtime.outputs.recording.session import Session, open_session
from realtime.outputs.recording.session_layout import SessionError
from realtime.outputs.streams.vmc.humanoid import BONES, HUMANOIDS
from tests.realtime.outputs.streams import synthetic_stream
from tests.realtime.outputs.streams.synthetic_stream import BETAS, BODY, T_WORLD_CAM, person_at, pose_at, solved_at
from tests.realtime.outputs.streams.vmc.test_vmc import stood_up

SCALE = 0.7
_MIRROR = np.array([-1, 1, 1])


def recorded(path: Path, frames: list[SolvedFrame], smoothing: str | None = "off") -> Session:
    info = {} if smoothing is None else {"smoothing": smoothing}
    return synthetic_stream.recorded(path, frames, info)


def frame_at(k: int, scale: float) -> SolvedFrame:
    person = person_at(k / 30, scale=scale)
    return solved_at(k / 30, k, (replace(person, raw=person.pose),))


def test_a_session_has_the_persons_joints_and_says_their_scale(tmp_path: Path) -> None:
    session = recorded(tmp_path / "s.npz", [frame_at(k, SCALE) for k in range(60)])
    assert session.scale == pytest.approx(SCALE)
    np.testing.assert_allclose(session.rest_joints, SCALE * BODY.rest_joints(BETAS[None])[0], atol=1e-5)
    np.testing.assert_allclose(session.joints, [pose_at(k / 30, scale=SCALE).joints for k in range(60)], atol=1e-5)
    np.testing.assert_allclose(session.raw_joints, session.joints, atol=1e-5)


def seen_from_the_camera(t: float, scale: float) -> WorldPose:
    """The performer, whose estimate is so much farther away and larger: the same picture."""
    pose = pose_at(t)
    trans = T_WORLD_CAM + np.float32(scale) * (pose.trans - T_WORLD_CAM)
    return replace(pose, trans=trans, joints=trans + np.float32(scale) * (pose.joints - pose.trans))


@pytest.mark.parametrize("smoothing", [None, "off", "light"])
def test_a_file_is_as_if_the_size_had_been_known_all_along(tmp_path: Path, smoothing: str | None) -> None:
    """Held to be of the body's size at first, then ever nearer to 0.7 of it."""
    frames = []
    for k in range(90):
        scale = float(np.interp(k, (20, 60), (1.0, SCALE)))
        pose = seen_from_the_camera(k / 30, scale)
        frames.append(solved_at(k / 30, k, (replace(person_at(k / 30), raw=pose, pose=pose, scale=scale),)))
    session = recorded(tmp_path / "s.npz", frames, smoothing)
    expected = np.stack([seen_from_the_camera(k / 30, SCALE).joints for k in range(90)])
    away_m = np.linalg.norm(session.joints - expected, axis=-1)[5:-5]
    assert away_m.max() < (0.05 if smoothing == "light" else 1e-4)
    np.testing.assert_array_equal(session.raw_trans[0], pose_at(0).trans)  # as it was known then


def test_a_mesh_for_export_has_the_persons_size(tmp_path: Path) -> None:
    body = load_body("open")
    session = recorded(tmp_path / "s.npz", [frame_at(k, SCALE) for k in range(30)])
    rest = SCALE * body.rest_joints(BETAS[None])[0].astype(np.float64)
    held = {"name": body.name, "sha256": body.sha256, "stature_m": body.stature_m}
    exported = standing_body(replace(session, body=held, rest_joints=rest), "open")
    whole = body.v_template + body.shapedirs @ BETAS
    assert np.ptp(exported.vertices[:, 1]) == pytest.approx(SCALE * np.ptp(whole[:, 1]), abs=1e-4)
    np.testing.assert_allclose(exported.joints - exported.joints[0], rest - rest[0], atol=1e-5)


def test_amass_keeps_the_pelvis_where_its_own_body_has_it(tmp_path: Path) -> None:
    """A session on the user's SMPL body: the betas that go out make that body, at its own size."""
    session = recorded(tmp_path / "s.npz", [frame_at(k, SCALE) for k in range(30)])
    np.testing.assert_allclose(smpl_shape(session, None).pelvis, BODY.rest_joints(BETAS[None])[0, 0], atol=1e-5)


def test_a_scale_that_no_person_has_is_refused(tmp_path: Path) -> None:
    recorded(tmp_path / "s.npz", [frame_at(k, SCALE) for k in range(30)])
    with np.load(tmp_path / "s.npz") as whole:
        arrays = dict(whole)
    for bad in (0.0, -1.0, np.nan):
        np.savez(tmp_path / "bad.npz", **(arrays | {"scale": bad}))
        with pytest.raises(SessionError, match="damaged"):
            open_session(tmp_path / "bad.npz")
    del arrays["scale"]
    np.savez(tmp_path / "before.npz", **arrays)
    assert open_session(tmp_path / "before.npz").scale == 1.0


@pytest.mark.parametrize("which", ["all", "required"])
def test_vmc_bones_are_of_the_persons_size(which: str) -> None:
    person, humanoid = person_at(0.6, scale=SCALE), HUMANOIDS[which]
    bones = humanoid.place(person, BODY).astype(float)
    places, _ = stood_up(dict(zip(humanoid.names, bones, strict=True)))
    joints = dict(zip(JOINT_NAMES, person.pose.joints * _MIRROR, strict=True))
    for joint in ("left_knee", "right_ankle", "pelvis"):
        np.testing.assert_allclose(places[BONES[joint]], joints[joint], atol=1e-5)
