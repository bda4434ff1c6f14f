"""The viewer in a real window of a virtual X display: what it shows, its keys, its pace, its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.skeleton import Side
from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from realtime.kernel.full_pose import full_rotmats
from realtime.kernel.messages import Frame, Guidance, Hand, Person, SolvedFrame, WorldPose
from realtime.outputs.live_status import LiveStatus
from realtime.outputs.output import Run
from realtime.outputs.view import viewer as viewer_module
from realtime.outputs.view.config import ViewerConfig
from realtime.outputs.view.display import NoDisplayError
from realtime.outputs.view.viewer import Viewer
from realtime.outputs.view.window import EYE, FIELD_OF_VIEW_DEG, LOOK_AT

WIDTH, HEIGHT = 800, 450
T_WORLD_CAM = np.array([0, 0.93, 3], np.float32)  # 3 m before the origin, as high as a hip
STATUS = LiveStatus(fps=30.0, latency_ms=40.0, source="test", smoothing="light", people=1)

needs_a_display = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
needs_keys = pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed")


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A virtual X display; DISPLAY names it while the module runs."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1000x700x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as answer, pytest.MonkeyPatch.context() as patch:
        name = f":{answer.readline().strip()}"
        patch.setenv("DISPLAY", name)
        yield name
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def body() -> BodyModel:
    """The free body with fingers and eyes, of 55 joints."""
    return load_body("open-hands")


@pytest.fixture(scope="module")
def pressed() -> list[str]:
    """Commands that keys reached, in order."""
    return []


@pytest.fixture(scope="module")
def viewer(display: str, body: BodyModel, pressed: list[str]) -> Iterator[Viewer]:
    commands: dict[str, Callable[..., None]] = {
        name: partial(pressed.append, name) for name in ("recentre", "record", "next person")
    }
    viewer = Viewer(Run(body.core, full_body=body, commands=commands), ViewerConfig(width=WIDTH, height=HEIGHT))
    viewer.open()
    yield viewer
    viewer.close()


def pose(yaw: float = 0.0, arm: float = 1.2) -> np.ndarray:
    """(24, 4) someone who stands with the right arm down and the left one raised to the side by pi / 2 - arm."""
    turns = np.zeros((24, 3))
    turns[0, 1], turns[16, 2], turns[17, 2] = yaw, -arm, 1.2
    return Rotation.from_rotvec(turns).as_quat().astype(np.float32)


def solved(rotations: np.ndarray, trans: tuple[float, float, float] = (3.0, 0.93, -1.0)) -> SolvedFrame:
    """One person in front of a dark green picture."""
    rest = load_body("open").rest_joints(np.zeros((1, 10), np.float32))
    _, joints = forward_kinematics(Rotation.from_quat(rotations).as_matrix().astype(np.float32)[None], rest)
    where = WorldPose(rotations, np.array(trans, np.float32), joints[0] + np.array(trans, np.float32))
    person = Person(
        0, 1.0, True, np.zeros(10, np.float32), np.zeros(0, np.int16), where, where, {}, np.ones(24, np.float32)
    )
    picture = np.full((360, 640, 3), (20, 90, 20), np.uint8)
    return SolvedFrame(Frame(picture, 0, 0.0), (person,), 0.0, T_WORLD_CAM)


def eventually(viewer: Viewer, condition: Callable[[], bool]) -> bool:
    """Tick until the condition holds; False where it does not within many seconds."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        viewer.tick()
        if condition():
            return True
        time.sleep(0.02)
    return False


def show(viewer: Viewer, frame: SolvedFrame) -> np.ndarray:
    """The window's picture once it shows the frame."""
    viewer.update(frame, STATUS)
    assert eventually(viewer, lambda: viewer.caught_up)
    return viewer.picture()


def show_still(viewer: Viewer, frame: SolvedFrame) -> np.ndarray:
    """The window's picture once it shows the frame and follows nobody any more."""
    pictures = [show(viewer, frame)]

    def stands_still() -> bool:
        pictures.append(viewer.picture())
        return bool((pictures[-1] == pictures[-2]).all())

    assert eventually(viewer, stands_still)
    return pictures[-1]


def press(key: str) -> None:
    subprocess.run(["xdotool", "search", "--name", "tokenmocap", "windowfocus", "--sync", "key", key], check=True)


def silhouette_seen(picture: np.ndarray) -> np.ndarray:
    """(H, W) where a picture shows the blue of the first person; cards and the thin blue axis are left out."""
    blue = (picture[..., 2].astype(int) - picture[..., 0] > 24).astype(np.uint8)
    blue[:, : WIDTH // 3] = 0
    blue = cv2.morphologyEx(blue, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(blue)
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else blue.astype(bool)


def silhouette_expected(body: BodyModel, rotations: np.ndarray, mirrored: bool = False) -> np.ndarray:
    """(H, W) the body as a pinhole camera at the default view sees it when the pelvis stands over the origin."""
    rotmats = full_rotmats(body.skeleton, rotations, {}, None)
    vertices = body.vertices(rotmats[None], np.zeros((1, 10), np.float32))[0] + np.array([0, 0.93, 0], np.float32)
    if mirrored:
        vertices = vertices * [-1, 1, 1]
    forward = (LOOK_AT - EYE) / np.linalg.norm(LOOK_AT - EYE)
    right = np.cross(forward, [0, 1, 0]) / np.linalg.norm(np.cross(forward, [0, 1, 0]))
    axes = np.stack([right, np.cross(forward, right), forward])
    p = (vertices - EYE) @ axes.T
    pixels = p[:, :2] / p[:, 2:] * (HEIGHT / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG) / 2)) + [WIDTH / 2, HEIGHT / 2]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for triangle in np.round(pixels * 16).astype(np.int32)[body.faces]:
        cv2.fillConvexPoly(mask, triangle, 1, shift=4)
    mask[:, : WIDTH // 3] = 0
    return mask.astype(bool)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@needs_a_display
def test_the_body_stands_where_a_pinhole_camera_sees_it(viewer, body):
    rotations = pose(yaw=0.3, arm=0.2)
    picture = show(viewer, solved(rotations))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.dtype == np.uint8
    seen, expected = silhouette_seen(picture), silhouette_expected(body, rotations)
    assert overlap(seen, expected) > 0.85
    centres = [np.argwhere(mask).mean(axis=0) for mask in (seen, expected)]
    np.testing.assert_allclose(centres[0], centres[1], atol=3.0)


@needs_a_display
def test_a_fist_is_drawn_closed(viewer):
    """The outstretched left hand's fingers, and nothing else, are gone from the picture."""
    frame = solved(pose(yaw=0.3, arm=0.2))
    curled = Rotation.from_euler("z", [[-85]] * 15, degrees=True).as_quat().astype(np.float32)
    straight = np.tile(np.array([0, 0, 0, 1], np.float32), (15, 1))
    hands: dict[Side, Hand] = {"left": Hand(curled, curled, 1.0), "right": Hand(straight, straight, 1.0)}
    open_hand = silhouette_seen(show(viewer, frame))
    closed = silhouette_seen(show(viewer, replace(frame, people=(replace(frame.people[0], hands=hands),))))
    gone = np.argwhere(open_hand & ~closed)
    hand = np.argwhere(open_hand)[:, 1].max()  # the rightmost column of the picture
    assert len(gone) > 30
    assert (gone[:, 1] > hand - 40).mean() > 0.9


@needs_a_display
def test_a_third_person_takes_detail_from_the_far_one_and_none_from_the_nearest(viewer):
    """The third is out of sight; whoever else stands farther away keeps the outline, the nearest every pixel."""
    frame = solved(pose(), trans=(-0.1, 0.93, 0.6))
    far = replace(solved(pose(), trans=(1.0, 0.93, -1.6)).people[0], id=1)
    third = replace(solved(pose(), trans=(60.0, 0.93, -60.0)).people[0], id=2, valid=False)
    two, three = (show_still(viewer, replace(frame, people=(*frame.people, far, *more))) for more in ((), (third,)))
    changed = (two != three).any(axis=2)
    assert changed.sum() > 100
    assert not changed[silhouette_seen(two)].any()
    body_of_far = [cv2.inRange(picture, (110, 80, 50), (255, 235, 210)) for picture in (two, three)]
    outside = [cv2.dilate(a, np.ones((5, 5))) < b for a, b in (body_of_far, body_of_far[::-1])]
    assert not any(pixels[:, WIDTH // 3 :].any() for pixels in outside)


@needs_a_display
def test_the_camera_picture_is_an_inset_in_its_own_colours(viewer):
    picture = show(viewer, solved(pose()))
    green = (np.abs(picture.astype(int) - [20, 90, 20]) <= 3).all(axis=2)
    rows, columns = np.nonzero(green)
    assert columns.max() < WIDTH // 3
    assert rows.max() < HEIGHT // 2
    assert green.sum() > 15_000


@needs_a_display
def test_the_skeleton_lies_in_the_inset_where_the_camera_sees_the_joints(viewer):
    frame = solved(pose(yaw=0.4), trans=(0.3, 0.93, 0.2))
    picture = show(viewer, frame)
    green = (np.abs(picture.astype(int) - [20, 90, 20]) <= 3).all(axis=2)
    rows, columns = np.nonzero(green)
    inset = ~green[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    inset[:12], inset[:, :12], inset[:, -12:] = False, False, False  # round corners
    drawn = np.argwhere(inset)[:, ::-1]

    joints, camera = frame.people[0].pose.joints, T_WORLD_CAM  # it looks along -z from 3 m before the origin
    depth = camera[2] - joints[:, 2]
    focal = 320 / np.tan(np.radians(30))
    expected = np.stack(
        [320 + focal * (joints[:, 0] - camera[0]) / depth, 180 - focal * (joints[:, 1] - camera[1]) / depth], axis=1
    ) * (inset.shape[1] / 640)
    np.testing.assert_allclose(drawn.min(axis=0), expected.min(axis=0), atol=4)
    np.testing.assert_allclose(drawn.max(axis=0), expected.max(axis=0), atol=4)


@needs_a_display
def test_somebody_who_calibrates_is_told_at_the_top_until_it_is_over(viewer):
    frame = solved(pose())
    before = show(viewer, frame)
    for state in ("going", "failed"):
        viewer.update(frame, replace(STATUS, guidance=Guidance("Stand still", 0.5, state)))
        assert eventually(viewer, lambda: viewer.caught_up)
        changed = np.argwhere((viewer.picture() != before).any(axis=2))
        (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
        assert 0 < top < bottom < HEIGHT / 4
        assert WIDTH / 4 < left < right < WIDTH
        assert right - left > WIDTH / 7
    np.testing.assert_array_equal(show(viewer, frame), before)


@needs_a_display
@needs_keys
def test_mirror_turns_body_and_view_over_and_back(viewer, body):
    rotations = pose(yaw=0.3, arm=0.2)
    mirrored = silhouette_expected(body, rotations, mirrored=True)
    show(viewer, solved(rotations))
    press("m")
    assert eventually(viewer, lambda: overlap(silhouette_seen(viewer.picture()), mirrored) > 0.85)
    press("m")
    assert eventually(viewer, lambda: overlap(silhouette_seen(viewer.picture()), mirrored) < 0.8)


@needs_a_display
@needs_keys
def test_a_held_picture_stays_until_it_is_let_go(viewer, body):
    first, second = pose(arm=0.0), pose(arm=1.2)
    before = show(viewer, solved(first))
    press("space")
    assert eventually(viewer, lambda: not np.array_equal(viewer.picture(), before))  # it says that it is held
    held = show(viewer, solved(second))
    assert overlap(silhouette_seen(held), silhouette_expected(body, first)) > 0.85
    press("space")
    assert eventually(viewer, lambda: np.array_equal(viewer.picture(), before))
    after = show(viewer, solved(second))
    assert overlap(silhouette_seen(after), silhouette_expected(body, second)) > 0.85


@needs_a_display
@needs_keys
def test_record_recentre_and_next_person_reach_the_program(viewer, pressed):
    pressed.clear()
    press("r")
    assert eventually(viewer, lambda: pressed == ["record"])
    press("c")
    assert eventually(viewer, lambda: pressed == ["record", "recentre"])
    press("n")
    assert eventually(viewer, lambda: pressed == ["record", "recentre", "next person"])


@needs_a_display
@needs_keys
def test_the_list_of_keys_can_be_hidden(viewer):
    before = show(viewer, solved(pose()))
    press("h")
    assert eventually(viewer, lambda: not np.array_equal(viewer.picture(), before))
    changed = np.argwhere((viewer.picture() != before).any(axis=2))
    assert changed.min(axis=0)[1] > WIDTH / 2
    press("h")
    assert eventually(viewer, lambda: np.array_equal(viewer.picture(), before))


@needs_a_display
@needs_keys
def test_a_turned_view_can_be_reset(viewer):
    before = show(viewer, solved(pose(arm=0.0)))
    drag = "mousemove --sync 300 300 mousedown 1 mousemove --sync 500 300 mousemove --sync 650 300 mouseup 1"
    subprocess.run(["xdotool", *drag.split()], check=True)
    assert eventually(viewer, lambda: overlap(silhouette_seen(viewer.picture()), silhouette_seen(before)) < 0.8)
    press("v")
    assert eventually(viewer, lambda: overlap(silhouette_seen(viewer.picture()), silhouette_seen(before)) > 0.99)


@needs_a_display
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a class of idle threads")
def test_every_thread_that_draws_takes_free_cores_only(viewer):
    """All had the normal class, those that Mesa draws with too."""
    show(viewer, solved(pose()))
    threads = [each.id for each in psutil.Process(viewer.pid).threads()]
    assert len(threads) > 1
    assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_IDLE}


@needs_a_display
@needs_keys
def test_closing_the_window_ends_ticks_and_the_process(display, body):
    viewer = small_viewer(body)
    viewer.open()
    search = ["xdotool", "search", "--name", "tokenmocap"]
    newest = subprocess.run(search, capture_output=True, text=True, check=True).stdout.split()[-1]
    subprocess.run(["xdotool", "windowfocus", "--sync", newest, "key", "--window", newest, "q"], check=True)
    assert eventually(viewer, lambda: not viewer.tick())
    pid = viewer.pid
    assert pid is not None
    viewer.close()
    assert not psutil.pid_exists(pid)
    assert newest not in subprocess.run(search, capture_output=True, text=True, check=False).stdout.split()
    viewer.close()


def small_viewer(body: BodyModel) -> Viewer:
    return Viewer(Run(body.core), ViewerConfig(width=400, height=300))


@needs_a_display
def test_a_window_whose_process_dies_is_told_once_and_the_run_goes_on(display, body, caplog):
    viewer = small_viewer(body)
    viewer.open()
    assert viewer.pid is not None
    psutil.Process(viewer.pid).kill()
    assert eventually(viewer, lambda: viewer.pid is None)
    for _ in range(3):
        viewer.update(solved(pose()), STATUS)
        assert viewer.tick()
    (line,) = [record.getMessage() for record in caplog.records]
    assert "the viewer is gone: its process died (exit code -9)" in line
    assert "the run goes on" in line
    viewer.close()


@needs_a_display
def test_a_window_that_does_not_open_in_time_is_one_line_with_the_mend(display, body, monkeypatch):
    monkeypatch.setattr(viewer_module, "_OPEN_TIMEOUT_S", 0.01)
    viewer = small_viewer(body)
    with pytest.raises(NoDisplayError, match=r"did not answer .* --view none") as caught:
        viewer.open()
    assert "\n" not in str(caught.value)
    assert viewer.pid is None


LATE = """
import sys
import realtime.outputs.view.viewer as viewer
import run_live
if __name__ == "__main__":
    viewer._OPEN_TIMEOUT_S = 0.01
    sys.exit(run_live.main(["--demo", "--seconds", "1"]))
"""


@needs_a_display
def test_a_window_that_comes_too_late_does_not_end_a_run_that_did_not_insist_on_it(display, tmp_path):
    fetch(POSE_LANDMARKS_FULL)
    fetch(DEMO_CLIP)
    script = tmp_path / "late.py"
    script.write_text(LATE)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[4])}
    run = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    (told,) = [line for line in run.stderr.splitlines() if "did not answer" in line]
    assert told.startswith("no window: ")
    assert "frames in" in run.stdout
