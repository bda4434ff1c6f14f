"""VRM animations played by three-vrm-animation on made-up avatars: bones, expressions and gaze are the session's."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.expressions import BLENDSHAPES
from engine.body.files import load_body
from engine.body.skeleton import FINGER_JOINTS, SIDES, SMPLH
from realtime.export import main
from realtime.outputs.export.motion import posed_joints
from realtime.outputs.finger_bones import SMPL_AND_FINGERS, FingerBones
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.session import Session, load_session
from realtime.outputs.streams.vmc.humanoid import BONES as BODY_BONES
from tests.clients.vrm import avatar
from tests.clients.vrm.test_vrm import FINGERS, MM
from tests.clients.vrm.test_vrm import _presets as presets_of
from tests.realtime.outputs.export.recording import FRAMES, RATE_HZ, SAMPLES, record
from tests.realtime.outputs.fingers_and_faces import handed_at
from tests.realtime.outputs.streams.synthetic_stream import solved_at

_RECEIVER = Path(__file__).parent / "receiver"
Play = Callable[[Path], dict[str, Any]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session with hands and a face, of the mean shape, of which thumbs at rest are told."""
    path, body = tmp_path_factory.mktemp("vrma") / "s.npz", load_body("open-hands")
    recorder = Recorder(path, body=body.core, fingers=FingerBones.of_body(body), blocking=True)
    recorder.start()
    for k in range(FRAMES):
        person = replace(handed_at(k / RATE_HZ), betas=np.zeros(10, np.float32))
        recorder.put(solved_at(k / RATE_HZ, k, (person,)))
    recorder.close()
    return path


@pytest.fixture(params=[0, 1], ids=["VRM 0", "VRM 1"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    if shutil.which("node") is None:
        _missing("node is not installed: apt-get install nodejs npm")
    if not (_RECEIVER / "node_modules" / "@pixiv" / "three-vrm-animation").is_dir():
        _missing(f"three-vrm-animation is not installed: npm install --no-package-lock --prefix {_RECEIVER}")
    avatar.write(tmp_path / "avatar.vrm", request.param)

    def played(path: Path) -> dict[str, Any]:
        times = [str(k / RATE_HZ) for k in SAMPLES]
        command = ["node", str(_RECEIVER / "play_vrma.mjs"), str(path), str(tmp_path / "avatar.vrm"), *times]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    return played


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def exported(path: Path, folder: Path) -> Path:
    assert main([str(path), str(folder / "s.vrma")]) == 0
    return folder / "s.vrma"


def posed(session: Session, k: int, hips_scale: float) -> dict[str, NDArray]:
    """Place of every bone of the avatar in frame k, by forward kinematics over its own offsets; eyes rest.

    Hips go as far as the avatar is tall. Thumbs rest otherwise than the person's, so they are put along the person's.
    """
    local = Rotation.from_rotvec(session.poses[k].reshape(-1, 3))
    turns = dict.fromkeys(avatar.BONES, Rotation.identity())
    turns |= {bone: local[SMPLH.index(joint)] for joint, bone in BODY_BONES.items()}
    for side in SIDES:
        for joint, bone in zip(FINGER_JOINTS, FINGERS, strict=True):
            turns[f"{side.title()}{bone}"] = local[SMPLH.index(f"{side}_{joint}")]
    bones: dict[str, tuple[NDArray, Rotation]] = {}
    for name, (parent, offset) in avatar.BONES.items():
        if parent is None:
            bones[name] = hips_scale * session.joints[k, 0].astype(float), turns[name]
        else:
            place, turn = bones[parent]
            bones[name] = place + turn.apply(offset), turn * turns[name]
    if session.has_hands:
        joints = posed_joints(session, session.trans[k : k + 1], session.poses[k : k + 1])[0]
        for side in SIDES:
            thumb = joints[SMPL_AND_FINGERS.indices(f"{side}_thumb{j}" for j in (1, 2, 3))]
            names = [f"{side.title()}Thumb{bone}" for bone in ("Proximal", "Intermediate", "Distal")]
            for j in (1, 2):
                along = (thumb[j] - thumb[j - 1]) / np.linalg.norm(thumb[j] - thumb[j - 1])
                place = bones[names[j - 1]][0] + np.linalg.norm(avatar.BONES[names[j]][1]) * along
                bones[names[j]] = place, bones[names[j]][1]
    return {name: place for name, (place, _) in bones.items()}


def test_an_avatar_moves_as_the_session_does(play: Play, recorded: Path, tmp_path: Path) -> None:
    session, shown = load_session(recorded), play(exported(recorded, tmp_path))
    assert shown["warned"] == []
    assert (shown["animations"], shown["keys"]) == (1, FRAMES)
    assert shown["duration"] == pytest.approx((FRAMES - 1) / RATE_HZ, abs=1e-6)
    scale = abs(shown["restHips"][1] / shown["restHipsInFile"][1])
    for k, frame in zip(SAMPLES, shown["frames"], strict=True):
        for name, place in posed(session, k, scale).items():
            if not name.endswith("Eye"):
                assert np.linalg.norm(frame["bones"][avatar.vrm_name(name)] - place) < MM, name


def test_its_face_and_gaze_too(play: Play, recorded: Path, tmp_path: Path) -> None:
    session, shown = load_session(recorded), play(exported(recorded, tmp_path))
    assert session.face_blendshapes is not None
    assert session.gaze is not None
    for k, frame in zip(SAMPLES, shown["frames"], strict=True):
        values = dict(zip(BLENDSHAPES, session.face_blendshapes[k].tolist(), strict=True))
        told = dict(frame["expressions"])
        for name, value in (values | presets_of(values)).items():
            if not name.startswith("look"):
                assert told[name] == pytest.approx(value, abs=1e-5), name
        yaw, pitch = np.degrees(session.gaze[k])
        np.testing.assert_allclose(frame["look"], (yaw, -pitch), atol=0.1)  # three-vrm's pitch is down


def test_a_session_of_the_body_alone(play: Play, tmp_path: Path) -> None:
    path = record(tmp_path / "s.npz", load_body("open"))
    session, shown = load_session(path), play(exported(path, tmp_path))
    scale = abs(shown["restHips"][1] / shown["restHipsInFile"][1])
    for k, frame in zip(SAMPLES, shown["frames"], strict=True):
        places = posed(session, k, scale)
        for name in BODY_BONES.values():
            assert np.linalg.norm(frame["bones"][avatar.vrm_name(name)] - places[name]) < MM, name
    data = (tmp_path / "s.vrma").read_bytes()
    (length,) = struct.unpack("<I", data[12:16])
    extension = json.loads(data[20 : 20 + length])["extensions"]["VRMC_vrm_animation"]
    assert set(extension) == {"specVersion", "humanoid"}
    assert len(extension["humanoid"]["humanBones"]) == len(BODY_BONES)
