"""A made-up performance of the shipped body, and a publisher that streams it live, unevenly as a camera does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.model import BodyModel
from engine.body.skeleton import JOINT_NAMES, SIDES
from realtime.kernel.messages import Frame, Person, SolvedFrame, WorldPose
from realtime.outputs import parse_stream_url
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.recording.session import load_session
from realtime.outputs.streams.wire.wire import Wire
from realtime.outputs.streams.wire.zmq_stream import ZmqStream
from tests.realtime.outputs.fingers_and_faces import face_at, hand_at
from tests.realtime.seen_people import seen_body

BETAS = np.array([1.5, -1.0, 0.8, 0.5, -0.7, 0.3, 0.6, -0.4, 0.2, -0.5], np.float32)
SCALE = 0.9  # the performer's size to the body's
_IMAGE = np.zeros((48, 64, 3), np.uint8)


RIGHT_ARM = ("right_shoulder", "right_elbow", "right_wrist", "right_hand")  # nobody sees it but for the shoulder
JOINT_CONFIDENCE = np.array([0.01 if name in RIGHT_ARM[1:] else 1.0 for name in JOINT_NAMES], np.float32)


def open_body() -> BodyModel:
    return load_body("open")


def rotations_at(t: float, phase: float = 0.0) -> np.ndarray:
    """(24, 4) x, y, z, w: the root turns all the way round every five seconds, limbs swing by up to half a radian."""
    index = np.arange(24)
    axes = np.stack([np.sin(index), np.cos(2 * index), np.sin(3 * index + 1)], axis=-1)
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    half = 0.25 * np.sin(2 * t + index + phase)
    axes[0], half[0] = (0, 1, 0), np.pi * t / 5
    return np.concatenate([np.sin(half)[:, None] * axes, np.cos(half)[:, None]], axis=-1).astype(np.float32)


def trans_at(t: float) -> np.ndarray:
    return np.array([0.5 * np.sin(t), 0.95 + 0.05 * np.cos(3 * t), 0.4 * np.cos(0.7 * t)], np.float32)


def person_at(t: float, id: int = 1) -> Person:
    pose = WorldPose(rotations_at(t, phase=id), trans_at(t), np.zeros((24, 3), np.float32))
    return Person(
        id,
        0.9,
        True,
        BETAS,
        np.zeros(40, np.int16),
        raw=pose,
        pose=pose,
        keypoints={"body": seen_body()},
        joint_confidence=JOINT_CONFIDENCE,
        scale=SCALE,
    )


def finger_bones() -> FingerBones:
    """Those of the free body that has fingers."""
    bones = FingerBones.of_body(load_body("open-hands"))
    assert bones is not None
    return bones


@dataclass(frozen=True)
class Performance:
    body: BodyModel
    people_at: Callable[[float], tuple[Person, ...]]  # by seconds from the start
    fingers: Callable[[], FingerBones | None] = lambda: None  # at present


def made_up(*ids: int) -> Performance:
    return Performance(open_body(), lambda t: tuple(person_at(t, id) for id in ids))


def with_hands(are_there: Callable[[], bool]) -> Performance:
    """Person 1 with hands and a face once `are_there` says so, person 2 without."""

    def people_at(t: float) -> tuple[Person, ...]:
        one = person_at(t, 1)
        if are_there():
            one = replace(one, hands={side: hand_at(t, side) for side in SIDES}, face=face_at(t))
        return one, person_at(t, 2)

    bones = finger_bones()
    return Performance(load_body("open-hands").core, people_at, lambda: bones if are_there() else None)


def recorded(path: Path) -> Performance:
    """A session of the shipped body, played over and over."""
    session = load_session(path)
    person = person_at(0.0)

    def people_at(t: float) -> tuple[Person, ...]:
        k = int(t * session.mocap_framerate) % len(session.poses)
        rotvec = session.poses[k, : 24 * 3].reshape(24, 3).copy()
        rotvec[22:] = 0  # SMPL-H's fingers begin here
        rotations = Rotation.from_rotvec(rotvec).as_quat().astype(np.float32)
        pose = WorldPose(rotations, session.joints[k, 0], session.joints[k])
        return (replace(person, pose=pose, betas=session.betas[:10].astype(np.float32), scale=session.scale),)

    return Performance(open_body().scaled_to_height(session.body["stature_m"]), people_at)


class Publisher:
    """The program's own stream and messages, fed by a performance while it is entered."""

    def __init__(self, performance: Performance, rate_hz: float = 30.0) -> None:
        self._stream = ZmqStream(parse_stream_url("zmq://127.0.0.1:0"))
        self.address = f"tcp://127.0.0.1:{self._stream.address.port}"
        self.sent: list[tuple[float, SolvedFrame]] = []  # with t_capture as the message has it, Unix seconds
        self.wire = Wire(performance.body)
        self.body = performance.body
        self._performance, self._rate_hz = performance, rate_hz
        self._fingers: FingerBones | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Publisher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._stream.close()

    def _run(self) -> None:
        jitter = np.random.default_rng(3)
        start = time.monotonic()
        seq = 0
        while not self._stopping.wait(max(0.0, start + seq / self._rate_hz - time.monotonic())):
            t_capture = time.monotonic()
            people = self._performance.people_at(t_capture - start)
            time.sleep(jitter.uniform(0, 0.012))  # solving takes its time, now more, now less
            if (fingers := self._performance.fingers()) is not self._fingers:
                self._fingers, self.wire = fingers, Wire(self.body, fingers=fingers)
            if seq % 10 == 0:
                self._stream.send(self.wire.skeleton())
            solved = SolvedFrame(Frame(_IMAGE, seq, t_capture), people, t_solved=time.monotonic())
            message = self.wire.pose(solved, fps=self._rate_hz)
            self._stream.send(message)
            self.sent.append((json.loads(message.removeprefix(b"pose "))["t_capture"], solved))
            seq += 1
