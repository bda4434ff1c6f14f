"""The film of the body over the camera's picture: where it is drawn, its times, and what it does when things fail."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.errors import UserError
from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from realtime.estimate.landmarks import NETWORK
from realtime.kernel.messages import Camera, CameraPose, Frame, Person, SolvedFrame
from realtime.outputs import open_film
from realtime.outputs.film.overlay_video import OverlayVideo, Painter, Shot
from realtime.outputs.film.video_file import VideoFile
from realtime.outputs.output import Run
from realtime.outputs.view.shown import people_shown
from realtime.run.command import parse
from realtime.world.world import World

SIZE = (320, 240)
GREY = 120


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body("open")


@pytest.fixture
def world(body: BodyModel) -> World:
    return World(body, Camera(60.0, pitch_deg=6.0))


def standing(world: World, x_m: float = 0.0) -> CameraPose:
    """Somebody who faces the camera from 3 m, arms to the sides."""
    rotmats = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1))
    rotmats[0] = world.R_world_cam.T
    return CameraPose(rotmats, np.array([x_m, 0.1, 3], np.float32), np.zeros(10, np.float32))


def solved(world: World, t: float = 0.0, x_m: float = 0.0, size: tuple[int, int] = SIZE) -> SolvedFrame:
    """One person in front of a grey picture."""
    pose = world.place(standing(world, x_m))
    person = Person(
        0, 1.0, True, np.zeros(10, np.float32), np.zeros(0, np.int16), pose, pose, {}, np.ones(24, np.float32)
    )
    frame = Frame(np.full((size[1], size[0], 3), GREY, np.uint8), 0, t)
    return SolvedFrame(frame, (person,), t, world.T_world_cam, world.camera)


def frames_of(path: Path) -> tuple[list[np.ndarray], float]:
    video = cv2.VideoCapture(str(path))
    fps, frames = video.get(cv2.CAP_PROP_FPS), []
    while True:
        good, frame = video.read()
        if not good:
            video.release()
            return frames, fps
        frames.append(frame)


def test_the_body_is_drawn_where_the_camera_sees_it(body, world):
    frame = solved(world, x_m=0.3)
    shot = Shot(0.0, frame.frame.image_bgr, people_shown(frame, 1.0), world.T_world_cam, world.camera)
    drawn = (Painter(body).draw(shot) != GREY).any(axis=2)

    pose, camera = standing(world, 0.3), PinholeCamera(*SIZE, 60.0)
    pixels = camera.project(body.vertices(pose.rotmats[None], pose.betas[None])[0] + pose.T_cam_root)
    expected = np.zeros(SIZE[::-1], np.uint8)
    for triangle in np.round(pixels * 16 - 8).astype(np.int32)[body.faces]:  # OpenCV's whole numbers are centres
        cv2.fillConvexPoly(expected, triangle, 1, shift=4)
    grown = cv2.dilate(expected, np.ones((5, 5))).astype(bool)
    assert not (drawn & ~grown).any()
    assert drawn[expected.astype(bool)].mean() > 0.97
    _, joints = forward_kinematics(pose.rotmats[None], body.rest_joints(pose.betas[None]))
    columns, rows = camera.project(joints[0] + pose.T_cam_root).astype(int).T
    assert drawn[rows, columns].all()


def test_nobody_leaves_the_picture_as_it_is(body, world):
    picture = solved(world).frame.image_bgr
    painter = Painter(body)
    np.testing.assert_array_equal(painter.draw(Shot(0.0, picture, (), world.T_world_cam, world.camera)), picture)
    away = solved(world, x_m=50.0)
    shot = Shot(0.0, picture, people_shown(away, 1.0), world.T_world_cam, world.camera)
    np.testing.assert_array_equal(painter.draw(shot), picture)


def test_read_offline_every_frame_is_in_the_film(body, world, tmp_path):
    path = tmp_path / "out.mp4"
    video = OverlayVideo(path, body, blocking=True)
    for k in range(40):
        video.put(solved(world, t=k / 25, x_m=-0.4 + 0.02 * k))
    outcome = video.close()
    assert (outcome.frames, outcome.left_out, outcome.failed) == (40, 0, "")
    assert video.close() == outcome
    frames, fps = frames_of(path)
    assert (len(frames), fps) == (40, 25)
    middles = [float(np.nonzero(np.abs(f.astype(int) - GREY).max(axis=2) > 40)[1].mean()) for f in frames]
    focal_px = 160 / np.tan(np.radians(30))
    np.testing.assert_allclose(middles, 160 + focal_px * (-0.4 + 0.02 * np.arange(40)) / 3, atol=2.5)


def test_a_name_that_is_taken_is_never_written_over(body, world, tmp_path):
    taken = tmp_path / "film.mp4"
    taken.write_bytes(b"somebody's film")
    video = OverlayVideo(taken, body, blocking=True)
    video.close()
    assert video.path == tmp_path / "film-2.mp4"
    assert taken.read_bytes() == b"somebody's film"


def test_large_and_odd_pictures_are_made_to_fit(body, world, tmp_path):
    path = tmp_path / "out.mp4"
    video = OverlayVideo(path, body, blocking=True)
    for k in range(3):
        video.put(solved(world, t=k / 25, size=(1919, 1081)))
    assert video.close().failed == ""
    frames, _ = frames_of(path)
    assert frames[0].shape == (720, 1280, 3)


def marked(number: int) -> np.ndarray:
    return np.full((48, 64, 3), 12 + 20 * number, np.uint8)


def numbers(path: Path) -> list[int]:
    return [round((float(frame.mean()) - 12) / 20) for frame in frames_of(path)[0]]


def test_pictures_are_shown_for_as_long_as_they_were_the_newest(tmp_path):
    file = VideoFile(tmp_path / "v.mp4")
    times = [0.0, 0.1, 0.2, 0.3, 0.6, 0.7, 0.72, 0.8]  # one came late, one hardly after the one before
    for number, t in enumerate(times):
        file.write(5.0 + t, marked(number))
    file.close()
    assert file.fps == 10
    assert file.frames == 9
    assert numbers(tmp_path / "v.mp4") == [0, 1, 2, 3, 3, 3, 4, 6, 7]


def test_a_camera_that_was_away_for_long_does_not_fill_the_disk(tmp_path):
    file = VideoFile(tmp_path / "v.mp4")
    for number, t in enumerate([0.0, 0.1, 0.2, 9000.0, 9000.1]):
        file.write(t, marked(number))
    file.close()
    assert numbers(tmp_path / "v.mp4") == [0, 1, *[2] * 100, 3, 4]


def test_a_picture_alone_is_a_film_of_one_frame(tmp_path):
    file = VideoFile(tmp_path / "v.mp4")
    file.write(3.0, marked(2))
    file.close()
    assert numbers(tmp_path / "v.mp4") == [2]


def test_a_slow_drawing_costs_frames_and_never_waits(body, world, tmp_path):
    video = OverlayVideo(tmp_path / "out.mp4", body, blocking=False)
    begun = 0
    while not (tmp_path / "out.mp4").exists():
        video.put(solved(world, t=begun / 30))
        begun += 1
        time.sleep(0.02)
    film = psutil.Process(video.pid)
    film.suspend()
    for k in range(200):  # more than pipe and queue hold
        video.put(solved(world, t=(begun + k) / 30))
    film.resume()
    outcome = video.close()
    assert outcome.failed == ""
    assert outcome.left_out > 150
    frames, fps = frames_of(tmp_path / "out.mp4")
    assert len(frames) == outcome.frames
    assert len(frames) / fps > 5  # what is left out does not shorten the film: 17 pictures or so make 200 frames


@pytest.mark.parametrize(
    ("name", "message"),
    [("out.avi", "ends in .mp4"), ("no/such/out.mp4", "no folder"), ("folder.mp4", "it is a folder")],
)
def test_a_film_that_cannot_be_written_is_one_line(body, world, tmp_path, name, message):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UserError, match=message) as caught:
        open_film(tmp_path / name, Run(body, offline=True))
    assert "\n" not in str(caught.value)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can mount a file system")
def test_a_full_disk_ends_the_film_with_one_line_and_leaves_it_playable(body, world, tiny_disk, caplog):
    rng = np.random.default_rng(0)
    video = OverlayVideo(tiny_disk / "out.mp4", body, blocking=True)
    with caplog.at_level(logging.INFO):
        deadline = time.monotonic() + 60
        k = 0
        while not caplog.records and time.monotonic() < deadline:
            frame = solved(world, t=k / 30)
            noise = rng.integers(0, 255, frame.frame.image_bgr.shape, np.uint8)
            video.put(replace(frame, frame=replace(frame.frame, image_bgr=noise)))
            k += 1
        for late in range(20):
            video.put(solved(world, t=(k + late) / 30))
        outcome = video.close()
    assert outcome.failed == "no space left on the disk"
    assert [record.getMessage().count("\n") for record in caplog.records] == [0]
    assert "the run goes on" in caplog.text
    frames, _ = frames_of(tiny_disk / "out.mp4")
    assert 0 < len(frames) == outcome.frames


def test_a_killed_process_is_told_and_harms_nothing(body, world, tmp_path, caplog):
    video = OverlayVideo(tmp_path / "out.mp4", body, blocking=True)
    video.put(solved(world))
    psutil.Process(video.pid).kill()
    for k in range(1, 60):
        video.put(solved(world, t=k / 30))  # would wait for ever if it were not noticed
    assert video.close().failed == "its process died (exit code -9)"
    assert len(caplog.records) == 1


@pytest.mark.skipif(not NETWORK.exists(), reason=f"{NETWORK.name} has not been built")
def test_the_clip_is_filmed_with_the_body_on_the_person(tmp_path):
    from realtime.run.app import App

    fetch(POSE_LANDMARKS_FULL)
    path = tmp_path / "out.mp4"
    arguments = ["--video", str(fetch(DEMO_CLIP)), "--offline", "--smoothing", "off", "--view", "none"]
    arguments += ["--record-video", str(path)]
    seen: list[SolvedFrame] = []
    report = App(parse(arguments), on_solved=seen.append).run()
    (film,) = (outcome for outcome in report.outcomes if outcome.kind == "film")
    assert (film.files, film.failed, film.left_out) == ((path,), "", 0)
    assert f"filmed {path}" in report.lines()
    frames, fps = frames_of(path)
    assert (len(frames), fps) == (100, 60)
    assert frames[0].shape == (1280, 720, 3)

    clip, _ = frames_of(fetch(DEMO_CLIP))
    inside = []
    for k in range(0, 100, 9):
        bare = cv2.resize(clip[k], (720, 1280), interpolation=cv2.INTER_LINEAR)
        changed = np.abs(cv2.blur(frames[k], (5, 5)).astype(int) - cv2.blur(bare, (5, 5))).max(axis=2) > 20
        changed = cv2.dilate(changed.astype(np.uint8), np.ones((9, 9)))  # clothes of the body's own colour
        landmarks = seen[k].people[0].keypoints["body"]
        sure = landmarks.image_px[11:29][landmarks.visibility[11:29] > 0.7] * (720 / 1080)
        columns, rows = sure.astype(int).T
        inside += changed[rows, columns].tolist()
        assert changed.mean() < 0.2
    assert np.mean(inside) > 0.8
