"""The examples for robots, run as a user runs them against a real stream."""

from __future__ import annotations

import ctypes.util
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
import pytest
import zmq
from scipy.spatial.transform import Rotation

from engine.body.skeleton import JOINT_NAMES
from realtime.kernel.messages import Person
from realtime.outputs.output import Run
from tests.realtime.outputs.streams.publishing import publishing
from tests.realtime.outputs.streams.sonic.robot import BODY, person_of, solved_with
from tests.terminal import ROOT

EXAMPLES = ROOT / "examples"
STANDING = np.tile([0.0, 0.0, 0.0, 1.0], (24, 1))


def standing(person: Person, options: str = "") -> AbstractContextManager[int]:
    """A stream of somebody who stands still; gives the port."""
    return publishing(
        lambda _: solved_with(time.monotonic() - 0.016, person), Run(BODY), f"sonic://127.0.0.1:0{options}"
    )


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    environment = os.environ | {"MUJOCO_GL": "egl"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


@pytest.mark.parametrize("options", ["", "?v=2"])
def test_the_subscriber_finds_every_field_as_it_should_be(options: str) -> None:
    with standing(person_of(STANDING), options) as port:
        done = run("08_robot_subscriber.py", f"tcp://127.0.0.1:{port}", "1.5")
    assert done.returncode == 0, done.stderr
    lines = [
        re.fullmatch(r"(\d+) frames, \S+ ms off 50 Hz on average, frame (\d+)", line)
        for line in done.stdout.splitlines()
    ]
    assert len(lines) == 2
    assert lines[1] is not None
    assert int(lines[1][2]) > 0


def test_the_subscriber_refuses_a_frame_that_a_robot_should_not_get() -> None:
    with standing(person_of(STANDING)) as port:
        source = zmq.Context.instance().socket(zmq.SUB)
        source.subscribe(b"pose")
        source.connect(f"tcp://127.0.0.1:{port}")
        message = bytearray(source.recv())
        source.close(0)
    message[4 + 1280 + 40 : 4 + 1280 + 44] = np.float32(np.nan).tobytes()
    with zmq.Context.instance().socket(zmq.PUB) as bad:
        port, ended = bad.bind_to_random_port("tcp://127.0.0.1"), threading.Event()

        def publish() -> None:
            while not ended.wait(0.02):
                bad.send(bytes(message))

        thread = threading.Thread(target=publish)
        thread.start()
        done = run("08_robot_subscriber.py", f"tcp://127.0.0.1:{port}", "20")
        ended.set()
        thread.join()
    assert done.returncode != 0
    assert "a number that is none" in done.stderr


@pytest.mark.skipif(ctypes.util.find_library("EGL") is None, reason="MuJoCo draws by EGL here")
def test_mujocos_capsules_stand_as_the_person_does(tmp_path: Path) -> None:
    """Head, hands and feet are drawn where a camera of our own sees them; the left arm points up."""
    pytest.importorskip("mujoco")
    pose = STANDING.copy()
    pose[JOINT_NAMES.index("left_shoulder")] = Rotation.from_euler("z", 80, degrees=True).as_quat()
    pose[0] = Rotation.from_euler("y", 25, degrees=True).as_quat()
    person = person_of(pose)
    with standing(person) as port:
        done = run("09_robot_mujoco.py", f"tcp://127.0.0.1:{port}", tmp_path / "robot.png")
    assert done.returncode == 0, done.stderr
    picture = cv2.imread(str(tmp_path / "robot.png"))
    assert picture is not None
    drawn = picture[..., 2].astype(int) > picture[..., 0].astype(int) + 40  # orange, in BGR
    joints = person.pose.joints - person.pose.joints[0]
    joints = joints - (0, joints[:, 1].min() - 0.05, 0)
    left, up, front = joints[:, 0], joints[:, 1], joints[:, 2]
    focal = 240 / np.tan(np.radians(45 / 2))
    columns, rows = 320 + focal * left / (2.8 - front), 240 - focal * (up - 1.0) / (2.8 - front)
    for name in ("head", "left_hand", "right_hand", "left_wrist", "left_knee", "right_ankle"):
        joint = JOINT_NAMES.index(name)
        assert drawn[round(rows[joint]), round(columns[joint])], name
    assert rows[JOINT_NAMES.index("left_hand")] < rows[JOINT_NAMES.index("head")]
    assert 0.01 < drawn.mean() < 0.2
