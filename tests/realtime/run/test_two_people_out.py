"""An adult and a child, drawn on one floor before a known camera, through the whole program into every output."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zmq
from numpy.typing import NDArray
from websockets.sync.client import connect

from engine.body.files import load_body
from realtime import live
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.recording.session import load_session
from tests.realtime.calibration import acted
from tests.realtime.outputs.streams.vmc.vmc_receiver import bones_of, received

ADULT_M, CHILD_M = 1.75, 1.10
LEFT_M = {"adult": 0.55, "child": -0.55}
COUNT = 30


@dataclass
class Result:
    """What came of the run."""

    folder: Path
    scene: NDArray[np.uint8]
    frames: list[SolvedFrame]
    zmq: list[dict[str, Any]]
    ws: list[dict[str, Any]]
    hips: list[NDArray[np.float64]]  # of the two VMC streams, in the world's axes

    def person(self, name: str, frame: int) -> Any:
        """Who stands on that side."""
        pelvises = {person.id: person for person in self.frames[frame].people}
        return min(pelvises.values(), key=lambda person: abs(self.away_m(person)[0] - LEFT_M[name]))

    def away_m(self, person: Any) -> NDArray[np.float32]:
        """Pelvis (3,) from the camera in the world's axes."""
        place: NDArray[np.float32] = person.pose.joints[0] - self.frames[-1].T_world_cam
        return place


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("two")
    body = load_body("open")
    scene = acted.empty_room()
    for name, height_m in (("adult", ADULT_M), ("child", CHILD_M)):
        scene = acted.with_somebody(scene, body.scaled_to_height(height_m), LEFT_M[name])
    writer = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), acted.FPS, acted.SIZE)
    for _ in range(COUNT):
        writer.write(scene)
    writer.release()
    ports = _free_port(), _free_port()
    vmc = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for receiver in vmc:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
    at = [receiver.getsockname()[1] for receiver in vmc]
    context = zmq.Context()
    subscriber = context.socket(zmq.SUB)
    subscriber.setsockopt(zmq.SUBSCRIBE, b"pose ")
    subscriber.setsockopt(zmq.RCVHWM, 0)
    subscriber.connect(f"tcp://127.0.0.1:{ports[0]}")
    run = live(
        video=folder / "clip.mp4",
        offline=True,
        people=2,
        height=ADULT_M,
        fov=acted.FOV_DEG,
        pitch=acted.PITCH_DEG,
        roll=acted.ROLL_DEG,
        view="none",
        record=folder / "take.npz",
        record_video=folder / "film.mp4",
        stream=(
            f"zmq://127.0.0.1:{ports[0]}",
            f"ws://127.0.0.1:{ports[1]}",
            *(f"vmc://127.0.0.1:{port}?person={place}" for port, place in zip(at, ("1st", "2nd"), strict=True)),
        ),
    )
    frames = [next(run)]  # the others wait until they are asked for
    texts: list[str] = []
    with connect(f"ws://127.0.0.1:{ports[1]}") as websocket:
        listener = threading.Thread(target=lambda: texts.extend(map(str, websocket)))  # until the run is over
        listener.start()
        frames += run
        listener.join()
    poses = []
    while subscriber.poll(500):
        poses.append(json.loads(subscriber.recv().removeprefix(b"pose ")))
    hips = [bones_of(received(receiver))["Hips"][:3] * [-1, 1, 1] for receiver in vmc]
    context.destroy(linger=0)
    for receiver in vmc:
        receiver.close()
    ws = [json.loads(text.removeprefix("pose ")) for text in texts if text.startswith("pose ")]
    return Result(folder, scene, frames, poses, ws, hips)


def test_the_child_is_near_and_small_and_stands_on_the_floor(result: Result) -> None:
    """At the adult's size it would be 2.4 m behind and a metre under the floor."""
    for frame in (5, COUNT - 1):  # a third of a second, and two
        for name, height_m in (("adult", ADULT_M), ("child", CHILD_M)):
            person = result.person(name, frame)
            assert person.scale * ADULT_M == pytest.approx(height_m, rel=0.05)
            right_m, _, behind_m = result.away_m(person)
            assert np.hypot(right_m - LEFT_M[name], -behind_m - acted.AWAY_M) < 0.15
            assert abs(person.pose.joints[:, 1].min()) < 0.06  # an ankle or a toe


def test_streams_have_both_by_their_ids_and_the_performer(result: Result) -> None:
    adult, child = (result.person(name, -1).id for name in ("adult", "child"))
    for messages in (result.zmq, result.ws):
        assert len(messages) > COUNT // 2
        for message in messages:
            assert {person["id"] for person in message["people"]} == {adult, child}
            assert message["performer"] == adult  # the largest


def test_each_vmc_address_has_its_person(result: Result) -> None:
    ids = sorted(person.id for person in result.frames[-1].people)
    for person_id, hips in zip(ids, result.hips, strict=True):
        ours = next(person for person in result.frames[-1].people if person.id == person_id)
        assert np.linalg.norm(hips - ours.pose.trans) < 0.02


def test_a_session_is_recorded_for_each(result: Result) -> None:
    sessions = [load_session(path) for path in sorted(result.folder.glob("*.npz"))]
    assert sorted(session.person for session in sessions) == sorted(p.id for p in result.frames[-1].people)
    for session in sessions:
        assert session.valid.mean() > 0.9
        ours = next(person for person in result.frames[-1].people if person.id == session.person)
        assert session.scale == pytest.approx(ours.scale, rel=0.02)


def test_the_film_shows_both(result: Result) -> None:
    capture = cv2.VideoCapture(str(result.folder / "film.mp4"))
    pictures = []
    while capture.grab():
        pictures.append(capture.retrieve()[1])
    assert len(pictures) == COUNT
    changed = np.abs(pictures[-1].astype(int) - result.scene).max(axis=2) > 40
    middle = acted.SIZE[0] // 2
    standing = np.abs(result.scene.astype(int) - acted.empty_room()).max(axis=2) > 20
    for half in (slice(0, middle), slice(middle, None)):
        assert (
            changed[:, half][standing[:, half]].mean() > 0.15
        )  # bodies tint clothes; the room's blurred lines count too
        assert changed[:, half][~standing[:, half]].mean() < 0.02
