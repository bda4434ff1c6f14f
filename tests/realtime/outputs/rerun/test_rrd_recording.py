"""Recordings for Rerun, read back by Rerun's own reader."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from rerun.chunk import RrdReader

from engine.body.kinematics import forward_kinematics
from engine.body.skeleton import CONTACT_NAMES, SIDES, SMPL, SMPLH
from engine.errors import UserError
from realtime.kernel.messages import Frame, SolvedFrame
from realtime.outputs import open_recording
from realtime.outputs.output import Outcome, Run
from realtime.outputs.rerun.rrd_recording import RrdRecording
from tests.disk import largest_file
from tests.realtime.outputs.fingers_and_faces import (
    FINGERED_BODY,
    blendshapes_at,
    fingers_at,
    handed_frame,
)
from tests.realtime.outputs.rerun.rrd_file import RrdFile
from tests.realtime.outputs.streams.synthetic_stream import (
    BETAS,
    BODY,
    CAMERA,
    T_WORLD_CAM,
    contacts_at,
    person_at,
    quaternions_at,
    rotmats_of,
    solved_at,
    stream,
)
from tests.terminal import ROOT

JOINTS = "/world/people/1/joints", "Points3D:positions"
RATE_HZ = 60


def recorded(path: Path, frames: list[SolvedFrame], run: Run | None = None) -> tuple[Outcome, RrdFile]:
    """Records frames by way of the registry."""
    output = open_recording(path, run or Run(BODY, offline=True))
    for frame in frames:
        output.put(frame)
    outcome = output.close()
    return outcome, RrdFile(outcome.files[0])


def is_whole(path: Path) -> bool:
    """Whether Rerun finds the table of contents, which ends a file."""
    try:
        with warnings.catch_warnings(action="ignore"):
            RrdReader(path).store()
    except (RuntimeError, ValueError):
        return False
    return True


def nanoseconds(frames: list[SolvedFrame]) -> list[int]:
    first = frames[0].frame.t_capture
    return [round((frame.frame.t_capture - first) * 1e9) for frame in frames]


@pytest.fixture(scope="module")
def frames() -> list[SolvedFrame]:
    return stream(40, RATE_HZ)


@pytest.fixture(scope="module")
def take(frames: list[SolvedFrame], tmp_path_factory: pytest.TempPathFactory) -> RrdFile:
    """A recording of the made-up performer, live."""
    outcome, file = recorded(tmp_path_factory.mktemp("takes") / "take.rrd", frames, Run(BODY))
    assert outcome == Outcome("rerun", (file.path,), len(frames), lines=(f"recorded {file.path}",))
    return file


def test_every_frame_has_its_joints_at_its_capture_time(take: RrdFile, frames: list[SolvedFrame]) -> None:
    times, joints = take.arrays(*JOINTS)
    assert times == nanoseconds(frames)
    np.testing.assert_allclose(joints, [frame.people[0].pose.joints for frame in frames], atol=1e-6)
    assert take.timelines == {"capture"}


def test_joints_are_named_and_connected(take: RrdFile) -> None:
    ((context,),) = take.static("/world/people/1", "AnnotationContext:context")
    described = context["class_description"]
    assert [point["label"] for point in described["keypoint_annotations"]] == list(SMPL.names)
    pairs = {(line["keypoint0"], line["keypoint1"]) for line in described["keypoint_connections"]}
    assert pairs == {(int(SMPL.parents[joint]), joint) for joint in range(1, 24)}
    _, ids = take.of("/world/people/1/joints", "Points3D:keypoint_ids")
    assert all(row == list(range(24)) for row in ids)


def test_the_mesh_moves_with_the_joints(take: RrdFile, frames: list[SolvedFrame]) -> None:
    times, vertices = take.arrays("/world/people/1/mesh", "Mesh3D:vertex_positions")
    assert times == nanoseconds(frames)
    t = frames[13].frame.t_capture - 1000.0
    rotmats = rotmats_of(quaternions_at(t)).astype(np.float32)
    expected = BODY.vertices(rotmats[None], BETAS[None])[0] + frames[13].people[0].pose.trans
    np.testing.assert_allclose(vertices[13], expected, atol=1e-5)
    np.testing.assert_array_equal(take.static("/world/people/1/mesh", "Mesh3D:triangle_indices"), BODY.faces)


def test_the_camera_sees_the_world_as_it_does_here(take: RrdFile, frames: list[SolvedFrame]) -> None:
    """By the matrices in the file alone: y up in the world; x right, y down and z forward in the camera."""
    UP, DOWN, RIGHT, FORWARD, BACK = 1, 2, 3, 5, 6  # Rerun's codes
    assert take.static("/world", "ViewCoordinates:xyz") == [[RIGHT, UP, BACK]]
    assert take.of("/world/camera", "Pinhole:camera_xyz")[1][0] == [[RIGHT, DOWN, FORWARD]]
    image_from_camera = np.reshape(take.of("/world/camera", "Pinhole:image_from_camera")[1][0], (3, 3)).T
    R_world_cam = np.reshape(take.of("/world/camera", "Transform3D:mat3x3")[1][0], (3, 3)).T
    (place,) = take.of("/world/camera", "Transform3D:translation")[1][0]
    np.testing.assert_allclose(place, T_WORLD_CAM, atol=1e-6)
    pixels = image_from_camera @ R_world_cam.T @ (np.array([0.1, 0.9, 0.0]) - place)  # a point before the camera
    x, y = pixels[:2] / pixels[2]
    assert 0 < x < 64
    assert 0 < y < 48
    tilt, roll = np.radians(CAMERA.pitch_deg), np.radians(CAMERA.roll_deg)
    up_cam = R_world_cam.T @ np.array([0.0, 1.0, 0.0])
    np.testing.assert_allclose(
        up_cam, [np.cos(tilt) * np.sin(roll), -np.cos(tilt) * np.cos(roll), -np.sin(tilt)], atol=1e-6
    )
    width, height = take.of("/world/camera", "Pinhole:resolution")[1][0][0]
    assert (width, height) == frames[0].frame.size
    np.testing.assert_allclose(2 * np.degrees(np.arctan(0.5 * width / image_from_camera[0, 0])), 60.0, atol=1e-4)


def test_images_are_jpegs_of_at_most_thirty_a_second(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pictures = [cv2.blur(rng.integers(0, 255, (48, 64, 3), np.uint8), (15, 15)) for _ in range(48)]
    frames = [
        replace(solved, frame=Frame(picture, solved.frame.seq, solved.frame.t_capture))
        for solved, picture in zip(stream(48, 120), pictures, strict=True)
    ]
    _, file = recorded(tmp_path / "take.rrd", frames)
    times, blobs = file.arrays("/world/camera/picture", "EncodedImage:blob")
    assert times == nanoseconds(frames)[::4]
    for blob, picture in zip(blobs, pictures[::4], strict=True):
        decoded = cv2.imdecode(blob.reshape(-1).astype(np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        assert np.abs(decoded.astype(float) - picture).mean() < 3.0
    assert file.of("/world/camera/picture", "EncodedImage:media_type")[1][0] == ["image/jpeg"]


def test_visible_keypoints_lie_on_the_image(tmp_path: Path) -> None:
    frame = solved_at(0.0, 0)
    seen = frame.people[0].keypoints["body"]
    visibility = np.where(np.arange(33) % 3 == 0, 0.1, 0.9).astype(np.float32)
    hidden = replace(seen, visibility=visibility)
    people = (replace(frame.people[0], keypoints={"body": hidden}),)
    _, file = recorded(tmp_path / "take.rrd", [replace(frame, people=people)])
    _, (points,) = file.arrays("/world/camera/people/1/body", "Points2D:positions")
    _, (ids,) = file.arrays("/world/camera/people/1/body", "Points2D:keypoint_ids")
    assert ids.tolist() == [k for k in range(33) if k % 3]
    np.testing.assert_allclose(points, seen.image_px[ids], atol=1e-4)


def test_curves_are_on_the_same_time_line(take: RrdFile, frames: list[SolvedFrame]) -> None:
    times, confidence = take.arrays("/curves/confidence/1", "Scalars:scalars")
    assert times == nanoseconds(frames)
    np.testing.assert_allclose(confidence, 0.9, atol=1e-6)
    _, contacts = take.arrays("/curves/contacts/1", "Scalars:scalars")
    np.testing.assert_allclose(contacts, [contacts_at(k / RATE_HZ) for k in range(40)], atol=1e-6)
    assert take.static("/curves/contacts/1", "SeriesLines:names") == [name.replace("_", " ") for name in CONTACT_NAMES]
    times, speed = take.arrays("/curves/speed_m_s/1", "Scalars:scalars")
    assert times == nanoseconds(frames)[1:]
    places = np.array([frame.people[0].pose.trans for frame in frames], np.float64)
    np.testing.assert_allclose(np.ravel(speed), RATE_HZ * np.linalg.norm(np.diff(places, axis=0), axis=1), rtol=1e-3)
    _, latency = take.arrays("/curves/latency_ms", "Scalars:scalars")
    assert len(latency) == len(frames)


def test_an_offline_run_has_no_latency(tmp_path: Path) -> None:
    _, file = recorded(tmp_path / "take.rrd", stream(3, RATE_HZ))
    assert not any("latency" in entity for entity in file.entities)


def test_a_blueprint_opens_with_it(take: RrdFile) -> None:
    assert take.has_blueprint


def test_fingers_and_faces_follow(tmp_path: Path) -> None:
    t = 0.25
    run = Run(FINGERED_BODY.core, full_body=FINGERED_BODY, hands=True, faces=True, offline=True)
    _, file = recorded(tmp_path / "take.rrd", [handed_frame(t, 0)], run)
    rotmats = np.tile(np.eye(3), (52, 1, 1))
    rotmats[:22] = rotmats_of(quaternions_at(t))[:22]
    for k, side in enumerate(SIDES):
        rotmats[22 + 15 * k : 37 + 15 * k] = rotmats_of(fingers_at(t, side))
    _, posed = forward_kinematics(rotmats[None], FINGERED_BODY.rest_joints(BETAS[None]).astype(float), SMPLH)
    _, (joints,) = file.arrays(*JOINTS)
    assert joints.shape == (54, 3)
    np.testing.assert_allclose(joints[24:], posed[0, 22:] + person_at(t).pose.trans, atol=1e-5)
    _, (values,) = file.arrays("/face/1", "BarChart:values")
    np.testing.assert_allclose(np.ravel(values[0]["buffer"] if values.dtype == object else values), blendshapes_at(t))


def test_who_leaves_is_cleared_and_may_come_back(tmp_path: Path) -> None:
    frames = stream(6, RATE_HZ)
    for gone in (2, 3):
        frames[gone] = replace(frames[gone], people=())
    _, file = recorded(tmp_path / "take.rrd", frames)
    times = nanoseconds(frames)
    assert file.of(*JOINTS)[0] == [times[k] for k in (0, 1, 4, 5)]
    for entity in ("/world/people/1/joints", "/world/people/1/mesh", "/world/camera/people/1/body"):
        assert file.of(entity, "Clear:is_recursive")[0] == [times[2]], entity


def test_numbers_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    frames = stream(3, RATE_HZ)
    joints = frames[1].people[0].pose.joints.copy()
    joints[5] = np.nan
    broken = replace(frames[1].people[0], pose=replace(frames[1].people[0].pose, joints=joints))
    frames[1] = replace(frames[1], people=(broken, person_at(0.1, id=2)))
    _, file = recorded(tmp_path / "take.rrd", frames)
    assert len(file.of(*JOINTS)[0]) == 2
    assert len(file.of("/world/people/2/joints", "Points3D:positions")[0]) == 1


def test_an_existing_file_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "take.rrd").write_bytes(b"old")
    with caplog.at_level(logging.WARNING):
        outcome, _ = recorded(tmp_path / "take.rrd", stream(2, RATE_HZ))
    assert outcome.files == (tmp_path / "take-2.rrd",)
    assert (tmp_path / "take.rrd").read_bytes() == b"old"
    assert "take-2.rrd" in caplog.text


def test_a_file_that_cannot_begin_is_one_line_before_the_run(tmp_path: Path) -> None:
    told = r"^cannot record to .*take\.rrd: .*File too large"
    with largest_file(2), pytest.raises(UserError, match=told):
        open_recording(tmp_path / "take.rrd", Run(BODY))


def test_what_cannot_be_opened_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        open_recording(tmp_path / "nowhere" / "take.rrd", Run(BODY))

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(UserError, match=r"^recording to take\.rrd needs rerun-sdk: pip install rerun-sdk$"):
        open_recording(Path("take.rrd"), Run(BODY))
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.30.1")
    with pytest.raises(UserError, match=r"rerun-sdk 0\.41 or later, not 0\.30\.1: pip install rerun-sdk --upgrade$"):
        open_recording(Path("take.rrd"), Run(BODY))


def test_of_a_process_that_is_behind_images_are_left_out_and_no_frames(tmp_path: Path) -> None:
    output = open_recording(tmp_path / "take.rrd", Run(BODY))
    assert isinstance(output, RrdRecording)
    assert output.pid is not None
    os.kill(output.pid, signal.SIGSTOP)
    large = np.zeros((480, 640, 3), np.uint8)  # more than the pipe holds
    frames = [replace(solved, frame=replace(solved.frame, image_bgr=large)) for solved in stream(100, 30)]
    for solved in frames[:60]:
        output.put(solved)
    os.kill(output.pid, signal.SIGCONT)
    until = time.monotonic() + 60
    while output.waiting:
        assert time.monotonic() < until
        time.sleep(0.01)
    for solved in frames[60:]:
        output.put(solved)
    file = RrdFile(output.close().files[0])
    assert len(file.of(*JOINTS)[0]) == len(frames)
    times = nanoseconds(frames)
    pictures = file.of("/world/camera/picture", "EncodedImage:blob")[0]
    assert 15 <= sum(t < times[60] for t in pictures) <= 17  # besides those on their way
    assert times[60] in pictures


def test_a_full_disk_ends_the_file_and_not_the_run(tmp_path: Path) -> None:
    """A limit of the file's size stands in for the disk's."""
    with largest_file(1_000_000):
        output = open_recording(tmp_path / "take.rrd", Run(BODY, offline=True))
    noise = np.random.default_rng(5).integers(0, 255, (480, 640, 3), np.uint8)
    for solved in stream(60, RATE_HZ):
        output.put(replace(solved, frame=replace(solved.frame, image_bgr=noise)))
    outcome = output.close()
    assert outcome.failed
    assert outcome.lines[0].startswith(f"the recording {tmp_path / 'take.rrd'} is cut short: ")
    assert (tmp_path / "take.rrd").stat().st_size <= 1_000_000


def test_a_killed_process_ends_the_file_and_not_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    output = open_recording(tmp_path / "take.rrd", Run(BODY, offline=True))
    assert isinstance(output, RrdRecording)
    assert output.pid is not None
    frames = stream(40, RATE_HZ)
    output.put(frames[0])
    os.kill(output.pid, signal.SIGKILL)
    for frame in frames[1:]:
        output.put(frame)
    outcome = output.close()
    assert "died" in outcome.failed
    assert not output.recording
    assert "the run goes on" in caplog.text


def test_a_killed_program_leaves_a_whole_file(tmp_path: Path) -> None:
    script = (
        "import os, time\nfrom pathlib import Path\nfrom realtime.outputs import open_recording\n"
        "from realtime.outputs.output import Run\n"
        "from tests.realtime.outputs.streams.synthetic_stream import BODY, stream\n"
        "if __name__ == '__main__':\n"
        f"    output = open_recording(Path({str(tmp_path / 'take.rrd')!r}), Run(BODY))\n"
        "    for frame in stream(40, 60): output.put(frame)\n"
        "    while output.waiting: time.sleep(0.01)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "program.py").write_text(script)
    done = subprocess.run([sys.executable, tmp_path / "program.py"], env={"PYTHONPATH": str(ROOT)}, timeout=60)
    assert done.returncode == -9
    until = time.monotonic() + 30
    while not is_whole(tmp_path / "take.rrd"):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert len(RrdFile(tmp_path / "take.rrd").of(*JOINTS)[0]) == 40
