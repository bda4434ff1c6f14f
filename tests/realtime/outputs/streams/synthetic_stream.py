"""A made-up performer for the recorder's tests: a body, and solved frames of it at any time. No camera, no network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from realtime.kernel.messages import Camera, Frame, Person, SolvedFrame, WorldPose
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.session import Session, load_session
from tests.realtime.seen_people import seen_body

NUM_TOKENS = 40
BETAS = np.linspace(-1.0, 1.0, 10).astype(np.float32)
JOINT_CONFIDENCE = np.linspace(0.05, 0.97, 24).astype(np.float32)
_IMAGE = np.zeros((48, 64, 3), np.uint8)


def make_body() -> BodyModel:
    """Two vertices a joint, random but fixed: enough for rest joints that depend on the shape."""
    rng = np.random.default_rng(7)

    def some(*shape: int, scale: float) -> np.ndarray:
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    return BodyModel(
        name="test body",
        sha256="ab" * 32,
        v_template=some(48, 3, scale=0.5),
        shapedirs=some(48, 3, 10, scale=0.02),
        joint_regressor=np.zeros((24, 48), np.float32),
        joints_template=some(24, 3, scale=0.3),
        joint_shapedirs=some(24, 3, 10, scale=0.02),
        weights=np.repeat(np.eye(24, dtype=np.float32), 2, axis=0),
        faces=np.arange(48, dtype=np.uint32).reshape(16, 3),
        posedirs=None,
        landmark_rest=some(33, 3, scale=0.5),
        landmark_shapedirs=some(33, 3, 10, scale=0.02),
        landmark_weights=np.eye(33, 24, dtype=np.float32),
    )


BODY = make_body()
CAMERA = Camera(fov_deg=60.0, pitch_deg=-6.0, roll_deg=3.0, source="room", doubt_deg=0.5)
T_WORLD_CAM = np.array([0.1, 1.4, 3.0], np.float32)


def quaternions_at(t: float, phase: float = 0.0) -> np.ndarray:
    """(24, 4): every joint swings about an axis of its own, smoothly in time; the two hand joints rest."""
    index = np.arange(24)
    axes = np.stack([np.sin(index), np.cos(2 * index), np.sin(3 * index + 1)], axis=-1)
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    half = 0.6 * np.sin(1.7 * t + index + phase)
    half[22:] = 0.0
    return np.concatenate([np.sin(half)[:, None] * axes, np.cos(half)[:, None]], axis=-1)


def contacts_at(t: float) -> np.ndarray:
    """(4,): heels and toes come and go, each in its own time."""
    return (0.5 + 0.5 * np.sin(3.0 * t + np.arange(4))).astype(np.float32)


def rotmats_of(quaternions: np.ndarray) -> np.ndarray:
    """By rotating the basis vectors, v + 2 u x (u x v + w v): a different route than the recorder's."""
    u, w = quaternions[..., None, :3], quaternions[..., None, 3:]
    basis = np.broadcast_to(np.eye(3), (*quaternions.shape[:-1], 3, 3))
    return np.swapaxes(basis + 2 * np.cross(u, np.cross(u, basis) + w * basis), -1, -2)


def pose_at(t: float, phase: float = 0.0, scale: float = 1.0) -> WorldPose:
    quaternions = quaternions_at(t, phase)
    trans = np.array([np.sin(t), 0.9 + 0.1 * np.cos(2 * t), 0.3 * t])
    rotmats = rotmats_of(quaternions).astype(np.float32)
    joints = scale * forward_kinematics(rotmats[None], BODY.rest_joints(BETAS[None]))[1][0] + trans
    return WorldPose(quaternions.astype(np.float32), trans.astype(np.float32), joints.astype(np.float32))


def person_at(t: float, *, id: int = 1, valid: bool = True, scale: float = 1.0) -> Person:
    return Person(
        id=id,
        confidence=0.9,
        valid=valid,
        betas=BETAS,
        tokens=np.arange(NUM_TOKENS, dtype=np.int16),
        raw=pose_at(t, phase=0.1, scale=scale),
        pose=pose_at(t, scale=scale),
        keypoints={"body": seen_body()},
        joint_confidence=JOINT_CONFIDENCE,
        contacts=contacts_at(t),
        scale=scale,
    )


def solved_at(t: float, seq: int, people: tuple[Person, ...] | None = None) -> SolvedFrame:
    """Frame `seq`, grabbed `t` seconds after the first one; with the performer unless `people` says who is there."""
    frame = Frame(_IMAGE, seq, 1000.0 + t)
    seen = (person_at(t),) if people is None else people
    return SolvedFrame(frame, seen, frame.t_capture, T_WORLD_CAM, CAMERA)


def recorded(path: Path, frames: list[SolvedFrame], info: dict[str, str], body: BodyModel = BODY) -> Session:
    """The session file of one person's frames, by a recorder that is told `info`."""
    recorder = Recorder(path, body=body, session_info=info, blocking=True)
    recorder.start()
    for frame in frames:
        recorder.put(frame)
    (file,) = recorder.close().files
    return load_session(file)


def stream(count: int, rate_hz: float) -> list[SolvedFrame]:
    return [solved_at(k / rate_hz, k) for k in range(count)]
